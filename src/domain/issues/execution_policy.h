#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fields.h"
#include "base/json.h"
#include "base/random.h"
#include "base/read_json.h"
#include "domain/actor_type.h"
#include "domain/issues/execution_decision.h"
#include "domain/issues/issue_views.h"

/// Review and approval stages of an issue: what is stored, and how a stage moves (spec/work-domain.md 11.1–11.3).
namespace paperclip::domain {

enum class PolicyMode { normal, auto_ };
BOOST_DESCRIBE_ENUM(PolicyMode, normal, auto_)
enum class StageProgress { idle, pending, changes_requested, completed };
BOOST_DESCRIBE_ENUM(StageProgress, idle, pending, changes_requested, completed)
enum class MonitorKind { external_service };
BOOST_DESCRIBE_ENUM(MonitorKind, external_service)
enum class MonitorRecovery { wake_owner, create_recovery_issue, escalate_to_board };
BOOST_DESCRIBE_ENUM(MonitorRecovery, wake_owner, create_recovery_issue, escalate_to_board)
enum class MonitorStatus { scheduled, triggered, cleared };
BOOST_DESCRIBE_ENUM(MonitorStatus, scheduled, triggered, cleared)
enum class MonitorClearReason {
  done,
  cancelled,
  invalid_status,
  invalid_assignee,
  timeout_exceeded,
  max_attempts_exhausted,
  manual,
  dispatch_skipped
};
BOOST_DESCRIBE_ENUM(MonitorClearReason, done, cancelled, invalid_status, invalid_assignee, timeout_exceeded,
                    max_attempts_exhausted, manual, dispatch_skipped)

/// An agent or a person, as assignee, participant or actor.
struct Principal {
  PrincipalType type = PrincipalType::agent;
  std::optional<AgentId> agent_id;
  std::optional<std::string> user_id;
  bool operator==(const Principal&) const = default;

  static Principal agent(AgentId id) { return {PrincipalType::agent, id, std::nullopt}; }
  static Principal user(std::string id) { return {PrincipalType::user, std::nullopt, std::move(id)}; }
  /// The assignee that a pair of columns names; nothing if neither is set.
  static std::optional<Principal> of(const std::optional<AgentId>& agent, const std::optional<std::string>& user);
};
BOOST_DESCRIBE_STRUCT(Principal, (), (type, agent_id, user_id))

struct StageParticipant {
  AnyId id;
  PrincipalType type = PrincipalType::agent;
  std::optional<AgentId> agent_id;
  std::optional<std::string> user_id;
  Principal principal() const { return {type, agent_id, user_id}; }
};
BOOST_DESCRIBE_STRUCT(StageParticipant, (), (id, type, agent_id, user_id))

struct ExecutionStage {
  AnyId id;
  ExecutionStageType type = ExecutionStageType::review;
  int approvals_needed = 1;
  std::vector<StageParticipant> participants;
};
BOOST_DESCRIBE_STRUCT(ExecutionStage, (), (id, type, approvals_needed, participants))

struct MonitorPlan {
  Timestamp next_check_at;
  std::optional<std::string> notes;
  MonitorScheduledBy scheduled_by = MonitorScheduledBy::assignee;
  std::optional<MonitorKind> kind;
  std::optional<std::string> service_name, external_ref;
  std::optional<Timestamp> timeout_at;
  std::optional<int> max_attempts;
  std::optional<MonitorRecovery> recovery_policy;
  bool operator==(const MonitorPlan&) const = default;
};
BOOST_DESCRIBE_STRUCT(MonitorPlan, (),
                      (next_check_at, notes, scheduled_by, kind, service_name, external_ref, timeout_at, max_attempts,
                       recovery_policy))

struct ExecutionPolicy {
  PolicyMode mode = PolicyMode::normal;
  bool comment_required = true;
  std::vector<ExecutionStage> stages;
  Omit<MonitorPlan> monitor;
};
BOOST_DESCRIBE_STRUCT(ExecutionPolicy, (), (mode, comment_required, stages, monitor))

struct ReviewRequest {
  static constexpr bool strict = true;
  Text<1, 20000> instructions;
};
BOOST_DESCRIBE_STRUCT(ReviewRequest, (), (instructions))

/// What became of a monitor: stays in the state after the plan is gone.
struct MonitorState {
  MonitorStatus status = MonitorStatus::scheduled;
  std::optional<Timestamp> next_check_at, last_triggered_at;
  int attempt_count = 0;
  std::optional<std::string> notes;
  std::optional<MonitorScheduledBy> scheduled_by;
  std::optional<MonitorKind> kind;
  std::optional<std::string> service_name, external_ref;
  std::optional<Timestamp> timeout_at;
  std::optional<int> max_attempts;
  std::optional<MonitorRecovery> recovery_policy;
  std::optional<Timestamp> cleared_at;
  std::optional<MonitorClearReason> clear_reason;
  bool operator==(const MonitorState&) const = default;
};
BOOST_DESCRIBE_STRUCT(MonitorState, (),
                      (status, next_check_at, last_triggered_at, attempt_count, notes, scheduled_by, kind, service_name,
                       external_ref, timeout_at, max_attempts, recovery_policy, cleared_at, clear_reason))

struct ExecutionState {
  StageProgress status = StageProgress::idle;
  std::optional<AnyId> current_stage_id;
  std::optional<int> current_stage_index;
  std::optional<ExecutionStageType> current_stage_type;
  std::optional<Principal> current_participant, return_assignee;
  std::optional<ReviewRequest> review_request;
  std::vector<AnyId> completed_stage_ids;
  std::optional<DecisionId> last_decision_id;
  std::optional<ExecutionDecisionOutcome> last_decision_outcome;
  std::optional<MonitorState> monitor;
};
BOOST_DESCRIBE_STRUCT(ExecutionState, (),
                      (status, current_stage_id, current_stage_index, current_stage_type, current_participant,
                       return_assignee, review_request, completed_stage_ids, last_decision_id, last_decision_outcome,
                       monitor))

// ---- what a body may say

struct ParticipantInput {
  Omit<AnyId> id;
  PrincipalType type = PrincipalType::agent;
  std::optional<AgentId> agent_id;
  std::optional<Text<1>> user_id;
  void check(SchemaIssues& issues) const;
};
BOOST_DESCRIBE_STRUCT(ParticipantInput, (), (id, type, agent_id, user_id))

struct StageInput {
  Omit<AnyId> id;
  ExecutionStageType type = ExecutionStageType::review;
  Default<Int<1, 1>> approvals_needed{1};
  Default<std::vector<ParticipantInput>> participants;
};
BOOST_DESCRIBE_STRUCT(StageInput, (), (id, type, approvals_needed, participants))

struct MonitorInput {
  Timestamp next_check_at;
  std::optional<Text<0, 500>> notes;
  MonitorScheduledBy scheduled_by = MonitorScheduledBy::assignee;
  std::optional<MonitorKind> kind;
  std::optional<Text<0, 120>> service_name;
  std::optional<Text<0, 500>> external_ref;
  std::optional<Timestamp> timeout_at;
  std::optional<Int<1, 100>> max_attempts;
  std::optional<MonitorRecovery> recovery_policy;
};
BOOST_DESCRIBE_STRUCT(MonitorInput, (),
                      (next_check_at, notes, scheduled_by, kind, service_name, external_ref, timeout_at, max_attempts,
                       recovery_policy))

struct ExecutionPolicyInput {
  Default<PolicyMode> mode{PolicyMode::normal};
  Default<bool> comment_required{true};
  Default<std::vector<StageInput>> stages;
  std::optional<MonitorInput> monitor;
};
BOOST_DESCRIBE_STRUCT(ExecutionPolicyInput, (), (mode, comment_required, stages, monitor))

// ---- rules

/// Fills ids, drops doubles and empty stages; nothing when neither a stage nor a monitor is left. The outer reference
/// of a monitor is never kept. `scheduler` is who acts, whatever the body says.
std::optional<ExecutionPolicy> normalise_policy(const ExecutionPolicyInput& input, MonitorScheduledBy scheduler,
                                                Random& random);

/// The monitor of a policy, if there is one.
std::optional<MonitorPlan> monitor_of(const std::optional<ExecutionPolicy>& policy);

/// Stored JSON; what does not parse counts as none.
std::optional<ExecutionPolicy> parse_policy(const std::optional<RawJson>& stored);
std::optional<ExecutionState> parse_state(const std::optional<RawJson>& stored);
/// The JSON to store.
std::optional<RawJson> stored_json(const std::optional<ExecutionPolicy>& policy);
std::optional<RawJson> stored_json(const std::optional<ExecutionState>& state);

struct StageDecision {
  DecisionId id;
  AnyId stage_id;
  ExecutionStageType stage_type = ExecutionStageType::review;
  ExecutionDecisionOutcome outcome = ExecutionDecisionOutcome::approved;
  std::string body;
};

/// An update of an issue as the stages see it.
struct StageRequest {
  IssueStatus status = IssueStatus::backlog;  // before
  std::optional<Principal> assignee;          // before
  std::optional<ExecutionState> state;        // before
  std::optional<ExecutionPolicy> policy;      // after
  std::optional<IssueStatus> requested_status;
  bool assignee_requested = false;
  std::optional<Principal> requested_assignee;
  std::optional<Principal> actor;
  std::string_view comment;
  std::optional<ReviewRequest> review_request;
  DecisionId decision_id;  // used if a decision is taken
};

/// What the stages make of it.
struct StageTransition {
  bool sets_state = false;
  std::optional<ExecutionState> state;
  std::optional<IssueStatus> status;
  bool sets_assignee = false;
  std::optional<Principal> assignee;
  /// The assignment is the workflow's own and needs no permission.
  bool workflow_assignment = false;
  std::optional<StageDecision> decision;
};

/// First matching rule of spec/work-domain.md 11.3. 422 where the stages refuse.
Result<StageTransition> advance_stage(const StageRequest& request);

}  // namespace paperclip::domain
