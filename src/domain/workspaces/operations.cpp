#include "domain/workspaces/operations.h"

namespace paperclip::domain {

namespace {

std::optional<std::string> or_none(const std::string& text) { return text.empty() ? std::nullopt : std::optional(text); }

}  // namespace

WorkspaceOperationId begin_operation(store::Transaction& tx, const OperationStart& start) {
  WorkspaceOperation row;
  row.id = tx.new_id<WorkspaceOperationId>();
  row.company_id = start.company_id;
  row.execution_workspace_id = start.workspace_id;
  row.heartbeat_run_id = start.run_id;
  row.phase = start.phase;
  row.command = start.command;
  row.cwd = start.cwd;
  if (!start.metadata.empty()) row.metadata = RawJson(json::value(start.metadata));
  row.started_at = row.created_at = row.updated_at = tx.now();
  tx.insert(table_of<WorkspaceOperation>, row);
  return row.id;
}

void finish_operation(store::Transaction& tx, WorkspaceOperationId id, const OperationEnd& end) {
  auto row = tx.one<WorkspaceOperation>("select {} from workspace_operations where id = :1", id);
  if (!row) return;
  row->status = end.status;
  row->exit_code = end.exit_code;
  if (!end.log_ref.empty()) {
    row->log_store = "local_file";
    row->log_ref = end.log_ref;
    row->log_bytes = end.log_bytes;
    row->log_sha256 = end.log_sha256;
  }
  row->stdout_excerpt = or_none(end.stdout_excerpt);
  row->stderr_excerpt = or_none(end.stderr_excerpt);
  if (!end.metadata.empty()) {
    json::value merged = row->metadata ? row->metadata->parse() : json::value(json::object());
    for (const auto& item : end.metadata) merged.as_object()[item.key()] = item.value();
    row->metadata = RawJson(merged);
  }
  row->finished_at = row->updated_at = tx.now();
  tx.update(table_of<WorkspaceOperation>, *row);
}

void attach_operations(store::Transaction& tx, const std::vector<WorkspaceOperationId>& ids, ExecutionWorkspaceId workspace) {
  if (ids.empty()) return;
  tx.execute("update workspace_operations set execution_workspace_id = :1, updated_at = :2 where id in {list :3}", workspace, tx.now(), ids);
}

void fail_abandoned_operations(store::Transaction& tx) {
  tx.execute("update workspace_operations set status = 'failed', finished_at = :1, updated_at = :1, "
             "stderr_excerpt = 'The server went away before this ended.' where status = 'running' and started_at < :2",
             tx.now(), tx.now() - std::chrono::hours(2));
}

}  // namespace paperclip::domain
