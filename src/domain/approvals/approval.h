#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <optional>
#include <string>

#include "base/id.h"
#include "base/json.h"
#include "base/time.h"
#include "domain/schema/table_of.h"

/// Approvals (spec/work-domain.md 3.1).
namespace paperclip::domain {

enum class ApprovalType { hire_agent, approve_ceo_strategy, budget_override_required, request_board_approval };
BOOST_DESCRIBE_ENUM(ApprovalType, hire_agent, approve_ceo_strategy, budget_override_required, request_board_approval)

enum class ApprovalStatus { pending, revision_requested, approved, rejected, cancelled };
BOOST_DESCRIBE_ENUM(ApprovalStatus, pending, revision_requested, approved, rejected, cancelled)

/// Something that only the board may allow. `payload` is redacted before it is sent.
struct Approval {
  ApprovalId id;
  CompanyId company_id;
  ApprovalType type{};
  std::optional<AgentId> requested_by_agent_id;
  std::optional<std::string> requested_by_user_id;
  ApprovalStatus status = ApprovalStatus::pending;
  RawJson payload;
  std::optional<std::string> decision_note;
  std::optional<std::string> decided_by_user_id;
  std::optional<Timestamp> decided_at;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(Approval, (),
                      (id, company_id, type, requested_by_agent_id, requested_by_user_id, status, payload,
                       decision_note, decided_by_user_id, decided_at, created_at, updated_at))
template <>
inline constexpr std::string_view table_of<Approval> = "approvals";

/// What is said about an approval.
struct ApprovalComment {
  ApprovalCommentId id;
  CompanyId company_id;
  ApprovalId approval_id;
  std::optional<AgentId> author_agent_id;
  std::optional<std::string> author_user_id;
  std::string body;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(ApprovalComment, (),
                      (id, company_id, approval_id, author_agent_id, author_user_id, body, created_at, updated_at))
template <>
inline constexpr std::string_view table_of<ApprovalComment> = "approval_comments";

}  // namespace paperclip::domain
