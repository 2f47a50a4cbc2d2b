#pragma once

#include <optional>
#include <string>
#include <vector>

#include "domain/workspaces/execution_workspace.h"
#include "store/transaction.h"

/// The record of what was done to a workspace (spec/workspaces.md 7): one row before, completed after.
namespace paperclip::domain {

struct OperationStart {
  CompanyId company_id;
  std::optional<RunId> run_id;
  std::optional<ExecutionWorkspaceId> workspace_id;
  WorkspaceOperationPhase phase{};
  std::optional<std::string> command, cwd;
  json::object metadata;
};
WorkspaceOperationId begin_operation(store::Transaction& tx, const OperationStart& start);

struct OperationEnd {
  WorkspaceOperationStatus status = WorkspaceOperationStatus::succeeded;
  std::optional<int> exit_code;
  std::string log_ref;  // empty: no log was written
  std::int64_t log_bytes = 0;
  std::string log_sha256;
  std::string stdout_excerpt, stderr_excerpt;  // the ends
  json::object metadata;                       // added
};
void finish_operation(store::Transaction& tx, WorkspaceOperationId id, const OperationEnd& end);

/// Operations that were made before their workspace had a row.
void attach_operations(store::Transaction& tx, const std::vector<WorkspaceOperationId>& ids, ExecutionWorkspaceId workspace);

/// Operations that run longer than any command may were left by a server that went away: they failed.
void fail_abandoned_operations(store::Transaction& tx);

}  // namespace paperclip::domain
