#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "domain/runs/run_setup.h"
#include "environments/workspaces.h"

/// From the plan of a run's workspace to a directory it can work in (spec/workspaces.md 3–4).
namespace paperclip::heartbeat {

/// The directory a run works in, and what is known of it.
struct Workspace {
  std::filesystem::path agent_home;
  domain::RealisedWorkspace place;
  std::string mode = "shared_workspace";
  std::optional<ProjectId> project_id;
  std::optional<ExecutionWorkspaceId> execution_workspace_id;
  json::array hints;                   // every place of the project
  /// The saved session goes on in the project's folder instead of the agent's home (spec/execution.md 15.2).
  json::object session_moves;
  std::vector<std::string> warnings;  // for the log

  std::filesystem::path cwd() const { return place.cwd; }
};

/// Chooses, makes or restores the directory and writes the rows that say so. Runs git and the board's provision command,
/// so it may take long. Fails when there is no such directory to be had, with the run's error text; a conflict when the
/// run was cancelled meanwhile.
Result<Workspace> prepare_workspace(const domain::RunSetup& setup, const environments::WorkspaceHost& host);

/// The workspace of a run that an earlier server prepared, out of the run's context; touches nothing.
Workspace recalled_workspace(const domain::RunSetup& setup, const std::filesystem::path& instance_root);

}  // namespace paperclip::heartbeat
