#include "domain/issues/closed_workspace.h"

#include "domain/workspaces/execution_workspaces.h"

namespace paperclip::domain {

namespace {

std::optional<ExecutionWorkspace> workspace_row(store::Reader& reader, const Issue& issue) {
  if (!issue.execution_workspace_id) return std::nullopt;
  return reader.one<ExecutionWorkspace>("select {} from execution_workspaces where id = :1 and company_id = :2",
                                        *issue.execution_workspace_id, issue.company_id);
}

RawJson wire_object(store::Reader& reader, const ExecutionWorkspace& row) {
  std::string text;
  append_execution_workspace(text, reader, row);
  return RawJson(std::move(text));
}

}  // namespace

Result<> require_open_workspace(store::Reader& reader, const Issue& issue) {
  const auto row = workspace_row(reader, issue);
  if (!row || row->mode != ExecutionWorkspaceMode::isolated_workspace) return {};
  if (!row->closed_at && row->status != ExecutionWorkspaceStatus::archived &&
      row->status != ExecutionWorkspaceStatus::cleanup_failed)
    return {};
  Error error = conflict("This issue is linked to the closed workspace \"" + row->name +
                         "\". Move it to an open workspace before adding comments or resuming work.");
  error.extra = json::value{{"executionWorkspace", wire_object(reader, *row).parse()}};
  return error;
}

std::optional<RawJson> execution_workspace_json(store::Reader& reader, const Issue& issue) {
  const auto row = workspace_row(reader, issue);
  if (!row) return std::nullopt;
  return wire_object(reader, *row);
}

}  // namespace paperclip::domain
