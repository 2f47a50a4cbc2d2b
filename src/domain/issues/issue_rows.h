#pragma once

#include <optional>
#include <string_view>

#include "domain/access/scope.h"
#include "domain/issues/issue_views.h"
#include "store/transaction.h"

/// Finding issues and what they refer to. Everything here filters by company.
namespace paperclip::domain {

/// An issue named by a path: a version 1–5 UUID, or an identifier in any case (spec/issues.md 2).
struct LocatedIssue {
  IssueId id;
  CompanyId company_id;
};
std::optional<LocatedIssue> locate_issue(store::Reader& reader, std::string_view reference);

/// 404 `Issue not found` for an unknown or foreign id.
Result<Issue> load_issue(store::Reader& reader, CompanyId company, IssueId id);
/// The same, and nobody else decides about the issue until this transaction ends.
Result<Issue> lock_issue(store::Transaction& tx, CompanyId company, IssueId id);

/// 404 and 422 and 409 of spec/issues.md 3: unknown, foreign, pending and terminated agents get no work.
Result<> require_assignable_agent(store::Reader& reader, CompanyId company, AgentId agent);
/// 404 `Assignee user not found` unless the user is an active member.
Result<> require_assignable_user(store::Reader& reader, CompanyId company, std::string_view user);
/// An agent by id or shortname. 404 `Agent not found`, 409 when several answer to the shortname.
Result<AgentId> find_agent_reference(store::Reader& reader, CompanyId company, std::string_view reference);

/// The goal of an issue that names none: its project's, or without a project the company's (spec/issues.md 11.1).
std::optional<GoalId> default_goal(store::Reader& reader, CompanyId company, const std::optional<ProjectId>& project);

/// OURS: 422 for a project, goal or parent of another company.
Result<> require_own_references(store::Reader& reader, CompanyId company, const std::optional<ProjectId>& project,
                                const std::optional<GoalId>& goal, const std::optional<IssueId>& parent);

/// A run whose status says that nothing holds on to it any more; also a run that does not exist.
bool run_is_over(store::Reader& reader, RunId run);

/// The caller's run gave a sign of life: clears the warning that its process was lost sight of.
void note_run_activity(store::Transaction& tx, const CompanyScope& scope);

/// True if the instance lets issues have workspaces of their own.
bool isolated_workspaces_enabled(store::Reader& reader);

}  // namespace paperclip::domain
