#pragma once

#include <optional>
#include <string>
#include <vector>

#include "domain/projects/project.h"
#include "domain/workspaces/execution_workspace.h"
#include "domain/workspaces/host_command.h"
#include "store/transaction.h"

/// Which workspace a run is to work in, as far as rows say (spec/workspaces.md 2.5–2.6, 3), and the rows it leaves.
namespace paperclip::domain {

struct RunSetup;

/// The wishes for a worktree: which branch, from where, in which folder (spec/workspaces.md 2.2, 4.1).
struct WorkspaceStrategy {
  std::string type;  // git_worktree, or what we realise as the project's own folder
  std::optional<std::string> base_ref, branch_template, worktree_parent_dir;
  std::optional<HostCommand> provision, teardown;
};

struct WorkspacePlan {
  std::string mode = "shared_workspace";            // asked for: an issue mode (spec 2.5)
  std::string effective_mode = "shared_workspace";  // the reused workspace's own, where it has one
  std::optional<ProjectId> project_id;
  /// Configured places of the project, the preferred one first, then by age. Empty for `agent_default`.
  std::vector<ProjectWorkspace> workspaces;
  std::optional<ProjectWorkspaceId> preferred_id;
  /// The workspace the issue is to go on in.
  std::optional<ExecutionWorkspace> reused;
  std::optional<WorkspaceStrategy> strategy;
  /// What a new workspace remembers of its configuration, without the environment (spec 3.3).
  json::object snapshot;
  bool isolation = false;  // the instance's flag
  // The issue as it was when the plan was made.
  std::optional<ExecutionWorkspaceId> previous_id;
  std::optional<ProjectWorkspaceId> issue_project_workspace_id;
  bool issue_reuses = false;
  json::object issue_settings;
};

/// Reads the plan of a run whose agent, issue, context and configuration are set.
WorkspacePlan plan_workspace(store::Reader& reader, const RunSetup& setup);

/// What became of the plan on the disk.
struct RealisedWorkspace {
  std::string cwd;
  std::string source = "agent_home";         // project_primary | task_session | agent_home
  std::string strategy = "project_primary";  // or git_worktree
  std::optional<ProjectWorkspaceId> project_workspace_id;
  std::optional<std::string> repo_url, repo_ref, branch_name, worktree_path;
  bool created = false;  // a worktree was made just now
  std::vector<WorkspaceOperationId> operations;
};

/// Writes the execution workspace of a run (spec 3.3–3.4): a new row, or the one it goes on in; points issue, lease and
/// earlier workspace to it. Nothing when the run knows no project. 409 when the run is over or in other hands.
Result<std::optional<ExecutionWorkspaceId>> record_run_workspace(store::Transaction& tx, const RunSetup& setup, const RealisedWorkspace& realised);

/// The mode that issues of a workspace with this mode have (spec 2.5).
std::string_view issue_mode_of(ExecutionWorkspaceMode mode);

}  // namespace paperclip::domain
