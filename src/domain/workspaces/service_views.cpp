#include "domain/workspaces/service_views.h"

#include <set>

#include "base/write_json.h"

namespace paperclip::domain {

namespace {

template <class IdType>
std::string_view text_of(const std::optional<IdType>& id) {
  return id ? id->view() : std::string_view();
}
std::string_view text_of(const std::optional<std::string>& text) { return text ? std::string_view(*text) : std::string_view(); }

// Rows of the same service after it was started again.
std::string identity_of(const WorkspaceRuntimeService& row) {
  if (row.reuse_key) return *row.reuse_key;
  std::string out(to_text(row.scope_type));
  for (std::string_view part : {text_of(row.scope_id), text_of(row.project_workspace_id), text_of(row.execution_workspace_id),
                                std::string_view(row.service_name), text_of(row.command), text_of(row.cwd)})
    (out += '\x1f') += part;
  return out;
}

std::vector<WorkspaceRuntimeService> newest_of_each(std::vector<WorkspaceRuntimeService> rows) {
  std::set<std::string> seen;
  std::erase_if(rows, [&](const WorkspaceRuntimeService& row) { return !seen.insert(identity_of(row)).second; });
  return rows;
}

}  // namespace

std::vector<WorkspaceRuntimeService> services_of_project_workspace(store::Reader& reader, ProjectWorkspaceId id) {
  return newest_of_each(reader.all<WorkspaceRuntimeService>(
      "select {} from workspace_runtime_services where project_workspace_id = :1 and scope_type = 'project_workspace' "
      "order by updated_at desc, created_at desc, id limit 200",
      id));
}

std::vector<WorkspaceRuntimeService> services_of_execution_workspace(store::Reader& reader, const ExecutionWorkspace& workspace) {
  if (workspace.mode == ExecutionWorkspaceMode::shared_workspace && workspace.project_workspace_id) {
    const json::value metadata = workspace.metadata ? workspace.metadata->parse() : json::value(nullptr);
    const auto* own = find_path(metadata, "config.workspaceRuntime");
    if (own == nullptr || own->is_null()) return services_of_project_workspace(reader, *workspace.project_workspace_id);
  }
  return newest_of_each(reader.all<WorkspaceRuntimeService>(
      "select {} from workspace_runtime_services where execution_workspace_id = :1 order by updated_at desc, created_at desc, id limit 200", workspace.id));
}

void append_services(std::string& out, const std::vector<WorkspaceRuntimeService>& services) { append_json(out, services); }

}  // namespace paperclip::domain
