#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <optional>
#include <string>

#include "base/id.h"
#include "base/json.h"
#include "base/time.h"
#include "domain/schema/table_of.h"

/// Issues (spec/issues.md 1.1).
namespace paperclip::domain {

enum class IssueStatus { backlog, todo, in_progress, in_review, done, blocked, cancelled };
BOOST_DESCRIBE_ENUM(IssueStatus, backlog, todo, in_progress, in_review, done, blocked, cancelled)

/// Most urgent first.
enum class IssuePriority { critical, high, medium, low };
BOOST_DESCRIBE_ENUM(IssuePriority, critical, high, medium, low)

enum class MonitorScheduledBy { assignee, board };
BOOST_DESCRIBE_ENUM(MonitorScheduledBy, assignee, board)

enum class ExecutionWorkspacePreference {
  inherit,
  shared_workspace,
  isolated_workspace,
  operator_branch,
  reuse_existing,
  agent_default
};
BOOST_DESCRIBE_ENUM(ExecutionWorkspacePreference, inherit, shared_workspace, isolated_workspace, operator_branch,
                    reuse_existing, agent_default)

/// A ticket, worked on by at most one run at a time. The column `lock_fence` is no member: it is ours, not on the wire,
/// and only the lock writes it.
struct Issue {
  IssueId id;
  CompanyId company_id;
  std::optional<ProjectId> project_id;
  std::optional<ProjectWorkspaceId> project_workspace_id;
  std::optional<GoalId> goal_id;
  std::optional<IssueId> parent_id;
  std::string title;
  std::optional<std::string> description;
  IssueStatus status = IssueStatus::backlog;
  IssuePriority priority = IssuePriority::medium;
  std::optional<AgentId> assignee_agent_id;
  std::optional<std::string> assignee_user_id;
  std::optional<RunId> checkout_run_id;
  std::optional<RunId> execution_run_id;
  std::optional<std::string> execution_agent_name_key;
  std::optional<Timestamp> execution_locked_at;
  std::optional<AgentId> created_by_agent_id;
  std::optional<std::string> created_by_user_id;
  std::optional<int> issue_number;
  std::optional<std::string> identifier;
  std::string origin_kind = "manual";
  std::optional<std::string> origin_id;
  std::optional<std::string> origin_run_id;
  std::string origin_fingerprint = "default";
  int request_depth = 0;
  std::optional<std::string> billing_code;
  std::optional<RawJson> assignee_adapter_overrides;
  std::optional<RawJson> execution_policy;
  std::optional<RawJson> execution_state;
  std::optional<Timestamp> monitor_next_check_at;
  std::optional<Timestamp> monitor_wake_requested_at;
  std::optional<Timestamp> monitor_last_triggered_at;
  int monitor_attempt_count = 0;
  std::optional<std::string> monitor_notes;
  std::optional<MonitorScheduledBy> monitor_scheduled_by;
  std::optional<ExecutionWorkspaceId> execution_workspace_id;
  std::optional<ExecutionWorkspacePreference> execution_workspace_preference;
  std::optional<RawJson> execution_workspace_settings;
  std::optional<Timestamp> started_at;
  std::optional<Timestamp> completed_at;
  std::optional<Timestamp> cancelled_at;
  std::optional<Timestamp> hidden_at;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(Issue, (),
                      (id, company_id, project_id, project_workspace_id, goal_id, parent_id, title, description, status,
                       priority, assignee_agent_id, assignee_user_id, checkout_run_id, execution_run_id,
                       execution_agent_name_key, execution_locked_at, created_by_agent_id, created_by_user_id,
                       issue_number, identifier, origin_kind, origin_id, origin_run_id, origin_fingerprint,
                       request_depth, billing_code, assignee_adapter_overrides, execution_policy, execution_state,
                       monitor_next_check_at, monitor_wake_requested_at, monitor_last_triggered_at,
                       monitor_attempt_count, monitor_notes, monitor_scheduled_by, execution_workspace_id,
                       execution_workspace_preference, execution_workspace_settings, started_at, completed_at,
                       cancelled_at, hidden_at, created_at, updated_at))
template <>
inline constexpr std::string_view table_of<Issue> = "issues";

}  // namespace paperclip::domain
