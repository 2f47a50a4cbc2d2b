#pragma once

#include <optional>
#include <string>
#include <vector>

#include "domain/projects/project.h"
#include "domain/workspaces/execution_workspace.h"
#include "domain/workspaces/runtime_service.h"
#include "store/reader.h"

/// Whether a workspace may be closed, and what closing does (spec/workspaces.md 6.1).
namespace paperclip::domain {

struct LinkedIssue {
  IssueId id;
  std::optional<std::string> identifier;
  std::string title, status;
  bool is_terminal() const { return status == "done" || status == "cancelled"; }
};
BOOST_DESCRIBE_STRUCT(LinkedIssue, (), (id, identifier, title, status))

/// What git says, as clients see it.
struct CloseGitFacts {
  std::optional<std::string> repo_root, workspace_path, branch_name, base_ref;
  bool has_dirty_tracked_files = false, has_untracked_files = false;
  int dirty_entry_count = 0, untracked_entry_count = 0;
  std::optional<int> ahead_count, behind_count;
  std::optional<bool> is_merged_into_base;
  bool created_by_runtime = false;
};
BOOST_DESCRIBE_STRUCT(CloseGitFacts, (), (repo_root, workspace_path, branch_name, base_ref, has_dirty_tracked_files, has_untracked_files, dirty_entry_count,
                                          untracked_entry_count, ahead_count, behind_count, is_merged_into_base, created_by_runtime))

struct CloseAction {
  std::string kind, label, description;
  std::optional<std::string> command;
};
BOOST_DESCRIBE_STRUCT(CloseAction, (), (kind, label, description, command))

/// The rows that closing depends on.
struct CloseFacts {
  ExecutionWorkspace workspace;
  std::vector<LinkedIssue> issues;
  std::vector<WorkspaceRuntimeService> services;
  std::optional<ProjectWorkspace> project_workspace;
  std::optional<std::string> policy_teardown;

  bool shared() const { return workspace.mode == ExecutionWorkspaceMode::shared_workspace; }
  bool created_by_runtime() const;
  std::optional<std::string> path() const { return workspace.cwd ? workspace.cwd : workspace.provider_ref; }
  /// In the order in which they run. None for a shared workspace: its folder is the project's (OURS).
  struct Command {
    const char* kind;
    std::string text;
  };
  std::vector<Command> commands() const;
};
CloseFacts read_close_facts(store::Reader& reader, const ExecutionWorkspace& workspace);

/// `git` is nothing where nothing suggests a repository; `problems` are what could not be found out.
struct CloseReadiness {
  std::string state;  // ready, ready_with_warnings, blocked
  std::vector<std::string> blocking_reasons, warnings;
  std::vector<CloseAction> actions;
};
CloseReadiness judge_closing(const CloseFacts& facts, const std::optional<CloseGitFacts>& git, const std::vector<std::string>& problems);
void append_close_readiness(std::string& out, const CloseFacts& facts, const CloseReadiness& readiness, const std::optional<CloseGitFacts>& git);

/// 409 while a workspace of its own has open issues.
Result<> refuse_open_issues(store::Reader& reader, const ExecutionWorkspace& workspace);

}  // namespace paperclip::domain
