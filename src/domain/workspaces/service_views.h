#pragma once

#include <string>
#include <vector>

#include "domain/workspaces/execution_workspace.h"
#include "domain/workspaces/runtime_service.h"
#include "store/reader.h"

/// The services that workspaces show (spec/workspaces.md 8.7): newest first, one row for each identity.
namespace paperclip::domain {

std::vector<WorkspaceRuntimeService> services_of_project_workspace(store::Reader& reader, ProjectWorkspaceId id);
/// A shared workspace without services of its own shows its project workspace's.
std::vector<WorkspaceRuntimeService> services_of_execution_workspace(store::Reader& reader, const ExecutionWorkspace& workspace);
void append_services(std::string& out, const std::vector<WorkspaceRuntimeService>& services);

}  // namespace paperclip::domain
