#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/fields.h"
#include "base/read_json.h"
#include "domain/issues/execution_policy.h"
#include "domain/issues/issue_views.h"
#include "domain/workspaces/execution_workspace.h"

/// What callers may say about an issue (spec/issues.md 5.4–5.6). The members stand in the order in which the reference
/// reports what is wrong with them.
namespace paperclip::domain {

/// A JSON object that must fit T; kept as it was sent.
template <class T>
struct Checked {
  RawJson raw;
  static void read(const json::value* value, Checked& out, SchemaIssues& issues) {
    T parsed{};
    read_json(value, parsed, issues);
    if (value != nullptr) out.raw = RawJson(*value);
  }
};

enum class ModelProfile { cheap };
BOOST_DESCRIBE_ENUM(ModelProfile, cheap)

struct AdapterOverrides {
  static constexpr bool strict = true;
  Omit<ModelProfile> model_profile;
  Omit<JsonObject> adapter_config;
  Omit<bool> use_project_workspace;
};
BOOST_DESCRIBE_STRUCT(AdapterOverrides, (), (model_profile, adapter_config, use_project_workspace))

struct WorkspaceStrategyInput {
  static constexpr bool strict = true;
  Omit<ExecutionWorkspaceStrategy> type;
  std::optional<std::string> base_ref, branch_template, worktree_parent_dir, provision_command, teardown_command;
};
BOOST_DESCRIBE_STRUCT(WorkspaceStrategyInput, (),
                      (type, base_ref, branch_template, worktree_parent_dir, provision_command, teardown_command))

struct WorkspaceSettingsInput {
  static constexpr bool strict = true;
  Omit<ExecutionWorkspacePreference> mode;
  std::optional<EnvironmentId> environment_id;
  std::optional<WorkspaceStrategyInput> workspace_strategy;
  std::optional<JsonObject> workspace_runtime;
};
BOOST_DESCRIBE_STRUCT(WorkspaceSettingsInput, (), (mode, environment_id, workspace_strategy, workspace_runtime))

struct NewIssueBody {
  std::optional<ProjectId> project_id;
  std::optional<ProjectWorkspaceId> project_workspace_id;
  std::optional<GoalId> goal_id;
  std::optional<IssueId> parent_id;
  Omit<std::vector<IssueId>> blocked_by_issue_ids;
  std::optional<IssueId> inherit_execution_workspace_from_issue_id;
  Text<1> title;
  std::optional<Multiline<0>> description;
  Default<IssueStatus> status{IssueStatus::backlog};
  Default<IssuePriority> priority{IssuePriority::medium};
  std::optional<AgentId> assignee_agent_id;
  std::optional<std::string> assignee_user_id;
  Default<Int<0>> request_depth{Int<0>(0)};
  std::optional<std::string> billing_code;
  std::optional<Checked<AdapterOverrides>> assignee_adapter_overrides;
  std::optional<ExecutionPolicyInput> execution_policy;
  std::optional<ExecutionWorkspaceId> execution_workspace_id;
  std::optional<ExecutionWorkspacePreference> execution_workspace_preference;
  std::optional<Checked<WorkspaceSettingsInput>> execution_workspace_settings;
  Omit<std::vector<LabelId>> label_ids;
};
BOOST_DESCRIBE_STRUCT(NewIssueBody, (),
                      (project_id, project_workspace_id, goal_id, parent_id, blocked_by_issue_ids,
                       inherit_execution_workspace_from_issue_id, title, description, status, priority,
                       assignee_agent_id, assignee_user_id, request_depth, billing_code, assignee_adapter_overrides,
                       execution_policy, execution_workspace_id, execution_workspace_preference,
                       execution_workspace_settings, label_ids))

struct NewChildBody {
  std::optional<ProjectId> project_id;
  std::optional<ProjectWorkspaceId> project_workspace_id;
  std::optional<GoalId> goal_id;
  Omit<std::vector<IssueId>> blocked_by_issue_ids;
  Text<1> title;
  std::optional<Multiline<0>> description;
  Default<IssueStatus> status{IssueStatus::backlog};
  Default<IssuePriority> priority{IssuePriority::medium};
  std::optional<AgentId> assignee_agent_id;
  std::optional<std::string> assignee_user_id;
  Default<Int<0>> request_depth{Int<0>(0)};
  std::optional<std::string> billing_code;
  std::optional<Checked<AdapterOverrides>> assignee_adapter_overrides;
  std::optional<ExecutionPolicyInput> execution_policy;
  std::optional<ExecutionWorkspaceId> execution_workspace_id;
  std::optional<ExecutionWorkspacePreference> execution_workspace_preference;
  std::optional<Checked<WorkspaceSettingsInput>> execution_workspace_settings;
  Omit<std::vector<LabelId>> label_ids;
  Omit<List<Trimmed<1, 500>, 0, 20>> acceptance_criteria;
  Default<bool> block_parent_until_done{false};
};
BOOST_DESCRIBE_STRUCT(NewChildBody, (),
                      (project_id, project_workspace_id, goal_id, blocked_by_issue_ids, title, description, status,
                       priority, assignee_agent_id, assignee_user_id, request_depth, billing_code,
                       assignee_adapter_overrides, execution_policy, execution_workspace_id,
                       execution_workspace_preference, execution_workspace_settings, label_ids, acceptance_criteria,
                       block_parent_until_done))

struct IssuePatchBody {
  Patch<ProjectId> project_id;
  Patch<ProjectWorkspaceId> project_workspace_id;
  Patch<GoalId> goal_id;
  Patch<IssueId> parent_id;
  Omit<std::vector<IssueId>> blocked_by_issue_ids;
  Omit<Text<1>> title;
  Patch<Multiline<0>> description;
  Omit<IssueStatus> status;
  Omit<IssuePriority> priority;
  Patch<std::string> assignee_user_id;
  Omit<Int<0>> request_depth;
  Patch<std::string> billing_code;
  Patch<Checked<AdapterOverrides>> assignee_adapter_overrides;
  Patch<ExecutionPolicyInput> execution_policy;
  Patch<ExecutionWorkspaceId> execution_workspace_id;
  Patch<ExecutionWorkspacePreference> execution_workspace_preference;
  Patch<Checked<WorkspaceSettingsInput>> execution_workspace_settings;
  Omit<std::vector<LabelId>> label_ids;
  Patch<Trimmed<1>> assignee_agent_id;  // an id or a shortname
  Omit<Multiline<1>> comment;
  Patch<ReviewRequest> review_request;
  Omit<bool> reopen, resume, interrupt;
  Patch<Timestamp> hidden_at;
};
BOOST_DESCRIBE_STRUCT(IssuePatchBody, (),
                      (project_id, project_workspace_id, goal_id, parent_id, blocked_by_issue_ids, title, description,
                       status, priority, assignee_user_id, request_depth, billing_code, assignee_adapter_overrides,
                       execution_policy, execution_workspace_id, execution_workspace_preference,
                       execution_workspace_settings, label_ids, assignee_agent_id, comment, review_request, reopen,
                       resume, interrupt, hidden_at))

/// The paths of host commands in the two objects, comma-separated; empty if there are none. Agents may not set them
/// (spec/issues.md 4).
std::string host_command_paths(const RawJson* adapter_overrides, const RawJson* workspace_settings);

}  // namespace paperclip::domain
