#pragma once

#include <array>
#include <compare>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace paperclip {

/// True for 8-4-4-4-12 hexadecimal digits, any version (spec/issues.md 0).
bool is_uuid(std::string_view text);
/// True when `is_uuid` and the version is 1–5 and the variant 8/9/a/b: what the reference accepts in issue paths.
bool is_strict_uuid(std::string_view text);

/// A UUID held as its canonical lower-case text, 36 bytes inline. The tag keeps ids of different things apart.
template <class Tag>
class Id {
 public:
  /// The nil id, all zeros: names nothing.
  Id() { text_.fill('0'); for (int i : {8, 13, 18, 23}) text_[i] = '-'; }

  /// Parses any-case UUID text; nullopt if it is not one.
  static std::optional<Id> parse(std::string_view text) {
    if (!is_uuid(text)) return std::nullopt;
    Id id;
    for (std::size_t i = 0; i < 36; ++i)
      id.text_[i] = text[i] >= 'A' && text[i] <= 'F' ? static_cast<char>(text[i] + 32) : text[i];
    return id;
  }

  std::string_view view() const { return {text_.data(), text_.size()}; }
  std::string str() const { return std::string(view()); }
  bool is_nil() const { return view() == Id().view(); }
  auto operator<=>(const Id&) const = default;

 private:
  std::array<char, 36> text_;
};

using ActivityId = Id<struct ActivityTag>;
using AgentApiKeyId = Id<struct AgentApiKeyTag>;
using AgentConfigRevisionId = Id<struct AgentConfigRevisionTag>;
using AgentId = Id<struct AgentTag>;
using ApprovalCommentId = Id<struct ApprovalCommentTag>;
using ApprovalId = Id<struct ApprovalTag>;
using AssetId = Id<struct AssetTag>;
using AttachmentId = Id<struct AttachmentTag>;
using BoardApiKeyId = Id<struct BoardApiKeyTag>;
using BudgetIncidentId = Id<struct BudgetIncidentTag>;
using BudgetPolicyId = Id<struct BudgetPolicyTag>;
using CliAuthChallengeId = Id<struct CliAuthChallengeTag>;
using CommentId = Id<struct CommentTag>;
using CompanyId = Id<struct CompanyTag>;
using CompanySkillId = Id<struct CompanySkillTag>;
using CostEventId = Id<struct CostEventTag>;
using DecisionId = Id<struct DecisionTag>;
using DocumentId = Id<struct DocumentTag>;
using DocumentRevisionId = Id<struct DocumentRevisionTag>;
using EnvironmentId = Id<struct EnvironmentTag>;
using ExecutionWorkspaceId = Id<struct ExecutionWorkspaceTag>;
using FeedbackExportId = Id<struct FeedbackExportTag>;
using FeedbackVoteId = Id<struct FeedbackVoteTag>;
using FinanceEventId = Id<struct FinanceEventTag>;
using GoalId = Id<struct GoalTag>;
using InteractionId = Id<struct InteractionTag>;
using InviteId = Id<struct InviteTag>;
using IssueId = Id<struct IssueTag>;
using JoinRequestId = Id<struct JoinRequestTag>;
using LabelId = Id<struct LabelTag>;
using LeaseId = Id<struct LeaseTag>;
using MembershipId = Id<struct MembershipTag>;
using PluginDeliveryId = Id<struct PluginDeliveryTag>;
using PluginEntityId = Id<struct PluginEntityTag>;
using PluginId = Id<struct PluginTag>;
using PluginJobId = Id<struct PluginJobTag>;
using PluginJobRunId = Id<struct PluginJobRunTag>;
using ProjectId = Id<struct ProjectTag>;
using ProjectWorkspaceId = Id<struct ProjectWorkspaceTag>;
using RoutineId = Id<struct RoutineTag>;
using RoutineRunId = Id<struct RoutineRunTag>;
using RoutineTriggerId = Id<struct RoutineTriggerTag>;
using RunId = Id<struct RunTag>;
using RuntimeServiceId = Id<struct RuntimeServiceTag>;
using SecretId = Id<struct SecretTag>;
using TaskSessionId = Id<struct TaskSessionTag>;
using TreeHoldId = Id<struct TreeHoldTag>;
using WakeupId = Id<struct WakeupTag>;
using WorkProductId = Id<struct WorkProductTag>;
using WorkspaceOperationId = Id<struct WorkspaceOperationTag>;
/// An id whose kind does not matter where it is used (activity rows, tests).
using AnyId = Id<struct AnyTag>;

template <class To, class From>
To id_cast(const From& id) { return *To::parse(id.view()); }

}  // namespace paperclip

template <class Tag>
struct std::hash<paperclip::Id<Tag>> {
  std::size_t operator()(const paperclip::Id<Tag>& id) const noexcept { return std::hash<std::string_view>{}(id.view()); }
};
