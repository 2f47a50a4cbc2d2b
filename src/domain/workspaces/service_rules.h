#pragma once

#include <optional>

#include "domain/access/scope.h"
#include "domain/workspaces/runtime_service.h"
#include "store/transaction.h"

/// Who may run services, and their rows (spec/workspaces.md 8.2, 9.1).
namespace paperclip::domain {

/// What an action is about; one of the first two is set.
struct ServiceOwner {
  std::optional<ProjectWorkspaceId> project_workspace_id;
  std::optional<ExecutionWorkspaceId> execution_workspace_id;
  std::optional<IssueId> source_issue_id;
};
/// 403 `Missing permission to manage workspace runtime services` unless the board calls, the company's chief, or an agent
/// that works there, or has somebody below it who does.
Result<> require_service_control(store::Reader& reader, const CompanyScope& scope, const ServiceOwner& owner);

void save_service(store::Transaction& tx, WorkspaceRuntimeService row);
/// The process is gone. Rows that are stopped already stay as they are.
void end_service(store::Transaction& tx, RuntimeServiceId id, RuntimeServiceStatus status, HealthStatus health);

}  // namespace paperclip::domain
