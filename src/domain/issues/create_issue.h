#pragma once

#include <optional>
#include <string>
#include <vector>

#include "domain/access/scope.h"
#include "domain/issues/issue_input.h"
#include "store/transaction.h"

/// Making issues (spec/issues.md 5.4, 5.5).
namespace paperclip::domain {

/// What an issue is made of. What is a default of the wire is a default here.
struct NewIssue {
  std::string title;
  std::optional<std::string> description;
  IssueStatus status = IssueStatus::backlog;
  IssuePriority priority = IssuePriority::medium;
  std::optional<AgentId> assignee_agent_id;
  std::optional<std::string> assignee_user_id;
  std::optional<ProjectId> project_id;
  std::optional<ProjectWorkspaceId> project_workspace_id;
  std::optional<GoalId> goal_id;
  std::optional<IssueId> parent_id;
  std::optional<IssueId> inherit_workspace_from;
  std::vector<IssueId> blockers;
  std::vector<LabelId> labels;
  int request_depth = 0;
  std::optional<std::string> billing_code;
  std::optional<RawJson> assignee_adapter_overrides;
  std::optional<ExecutionPolicy> execution_policy;
  std::optional<ExecutionWorkspaceId> execution_workspace_id;
  std::optional<ExecutionWorkspacePreference> execution_workspace_preference;
  std::optional<RawJson> execution_workspace_settings;
  std::string origin_kind = "manual";
  std::optional<std::string> origin_id, origin_run_id;
  std::string origin_fingerprint = "default";
};

/// Inserts the issue with the company's next number, its labels and blockers: all checks and defaults, but neither
/// permission, nor activity, nor references, nor wakeup. For every part that makes issues.
Result<Issue> insert_issue(store::Transaction& tx, CompanyId company, const NewIssue& issue, const Author& creator);

/// A caller's new issue (spec/issues.md 5.4): permission, issue, references, activity, wakeup.
Result<Issue> create_issue(store::Transaction& tx, const CompanyScope& scope, const NewIssueBody& body);

/// A caller's child of an issue (spec/issues.md 5.5). 404 `Parent issue not found`.
Result<Issue> create_child(store::Transaction& tx, const CompanyScope& scope, IssueId parent, const NewChildBody& body);

/// Children that the helper gives to one parent at most.
constexpr int max_helper_children = 25;
/// Makes a child in the way of the helper for other parts (suggested tasks): limit, inheritance, depth; no activity, no
/// wakeup.
Result<Issue> insert_child(store::Transaction& tx, const Issue& parent, NewIssue child, const Author& creator);

}  // namespace paperclip::domain
