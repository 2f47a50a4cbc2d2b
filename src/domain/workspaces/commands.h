#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "domain/workspaces/desired_state.h"
#include "domain/workspaces/runtime_service.h"

/// The services and jobs that a workspace's configuration defines (spec/workspaces.md 8.1, 8.5, 8.6). Pure functions.
namespace paperclip::domain {

struct WorkspaceCommand {
  bool is_service = true;
  std::string id, name, cwd = ".";
  std::optional<std::string> command;
  std::optional<int> service_index;  // among the services; jobs have none
  json::object raw;                  // as configured
};

/// In the order of the configuration; nothing for null or anything that defines none.
std::vector<WorkspaceCommand> workspace_commands(const json::value& workspace_runtime);

/// The current service that a command has become: the best match, none where the commands differ.
const WorkspaceRuntimeService* matching_service(const WorkspaceCommand& command, const std::vector<WorkspaceRuntimeService>& services);

/// `desiredState` and `serviceStates` of a workspace.
struct ServiceStates {
  json::value desired_state = nullptr;
  json::value service_states = nullptr;
};
/// After an action: `running` says what the targeted services are to be. Without `target` all are; manual ones stay as
/// they are.
ServiceStates next_states(const ServiceStates& before, const std::vector<WorkspaceCommand>& commands, std::optional<int> target, bool running);

}  // namespace paperclip::domain
