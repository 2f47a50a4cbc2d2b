#pragma once

#include "domain/issues/issue_edit.h"
#include "store/transaction.h"

/// Where the work on an issue takes place, as far as the issue says so (spec/issues.md 11.2, workspaces.md 2.8–2.9).
namespace paperclip::domain {

/// 404 and 422 for workspaces that are unknown, of another company, or of another project.
Result<> check_project_workspace(store::Reader& reader, CompanyId company, ProjectWorkspaceId workspace,
                                 const std::optional<ProjectId>& project);
Result<> check_execution_workspace(store::Reader& reader, CompanyId company, ExecutionWorkspaceId workspace,
                                   const std::optional<ProjectId>& project);

/// The same for the workspaces an edit sets.
Result<> check_workspaces(store::Reader& reader, const IssueEdit& edit);
/// New settings of an issue that reuses a workspace go into that workspace's configuration, too.
void sync_workspace_config(store::Transaction& tx, const IssueEdit& edit);

/// Fills the workspaces of a new issue: from `source` (the parent, or whom it inherits from), else from its project.
/// `explicit_execution` says that the creator named an execution workspace, a preference or settings himself.
Result<> settle_workspaces(store::Reader& reader, Issue& issue, const std::optional<Issue>& source,
                           bool explicit_execution);

}  // namespace paperclip::domain
