#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "domain/workspaces/execution_workspace.h"
#include "domain/workspaces/host_command.h"
#include "environments/git_worktree.h"
#include "environments/host_commands.h"

/// Execution workspaces on the disk of this machine: made, brought back, inspected, cleaned up (spec/workspaces.md 4–6).
namespace paperclip::environments {

struct WorkspaceHost {
  OperationStore operations;
  os::Environment environment;  // the server's own
  std::filesystem::path instance_root;  // only below it are folders of ours
};

/// Who and what a provision command is told about; empty texts where there is nothing.
struct ProvisionFacts {
  std::string source, repo_ref, repo_url;
  std::string project_id, project_workspace_id, agent_id, agent_name, company_id, issue_id, issue_identifier, issue_title;
};

/// Runs the provision command in a worktree. A failure carries what the command said.
Result<> provision(const WorkspaceHost& host, const domain::HostCommand& command, const Worktree& worktree, const std::filesystem::path& base_cwd,
                   const ProvisionFacts& facts, OperationRecorder& recorder);

/// A workspace that a row describes, and where its project lives.
struct KnownWorkspace {
  domain::ExecutionWorkspace row;
  std::string project_cwd;  // empty: no project workspace with a folder
  std::optional<domain::HostCommand> provision;
  ProvisionFacts facts;
};
enum class Provisioning { always, only_when_restored };
/// Brings a worktree back that has gone from the disk (spec 4.4). Other workspaces stay as they are.
Result<> restore(const WorkspaceHost& host, const KnownWorkspace& workspace, Provisioning provisioning, OperationRecorder& recorder);

/// What git says about a workspace before it is closed (spec 6.1).
struct GitInspection {
  std::optional<std::string> repo_root;
  bool has_dirty_tracked_files = false, has_untracked_files = false;
  int dirty_entry_count = 0, untracked_entry_count = 0;
  std::optional<int> ahead_count, behind_count;
  std::optional<bool> is_merged_into_base;
  std::vector<std::string> problems;
};
GitInspection inspect(const WorkspaceHost& host, const std::filesystem::path& path, const std::optional<std::string>& base_ref);

struct CleanupWish {
  domain::ExecutionWorkspace row;
  std::string project_cwd;  // empty if none
  bool created_by_runtime = false;
  std::vector<domain::HostCommand> commands;  // cleanup of the workspace, of the project, teardown
};
struct CleanupOutcome {
  std::vector<std::string> warnings;
  bool cleaned = false;  // nothing of it is left
};
/// Runs the commands, removes worktree, merged branch or folder (spec 5). What fails is a warning.
CleanupOutcome clean_up(const WorkspaceHost& host, const CleanupWish& wish, OperationRecorder& recorder);

}  // namespace paperclip::environments
