#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "domain/runs/run_setup.h"
#include "domain/workspaces/host_command.h"
#include "heartbeat/run_workspace.h"

/// What a run's context gets before it starts: its workspace and place, and what woke it (spec/execution.md 6.7,
/// workspaces.md 3.5).
namespace paperclip::heartbeat {

struct StartContext {
  json::object context;         // keys to set
  json::object lease_metadata;
  std::vector<std::string> notes;  // lines for the log, without prefix
};
StartContext start_context(const domain::RunSetup& setup, const Workspace& workspace);

/// What makes the run's workspace ready in a place that is not this machine, if the board configured it (spec/environments.md 9).
std::optional<domain::HostCommand> provision_command(const domain::RunSetup& setup);

}  // namespace paperclip::heartbeat
