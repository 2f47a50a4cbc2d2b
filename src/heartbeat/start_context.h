#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"
#include "domain/runs/run_setup.h"

/// What a run's context gets before it starts: its workspace and place, and what woke it (spec/execution.md 6.7,
/// workspaces.md 3.5).
namespace paperclip::heartbeat {

/// The directory a run works in.
struct Workspace {
  std::filesystem::path cwd, agent_home;
  std::string source = "agent_home";  // project_primary | task_session | agent_home
  std::vector<std::string> warnings;  // for the log
};

/// Chooses and makes the directory. Fails when it cannot be made.
Result<Workspace> prepare_workspace(const domain::RunSetup& setup, const std::filesystem::path& instance_root);

struct StartContext {
  json::object context;         // keys to set
  json::object lease_metadata;
  std::vector<std::string> notes;  // lines for the log, without prefix
};
StartContext start_context(const domain::RunSetup& setup, const Workspace& workspace);

}  // namespace paperclip::heartbeat
