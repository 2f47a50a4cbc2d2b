#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "environments/git.h"
#include "environments/workspace_operations.h"

/// A branch checked out in a folder of its own (spec/workspaces.md 4).
namespace paperclip::environments {

/// A branch name out of any text: what git would refuse becomes `-`; `paperclip-work` when nothing is left.
std::string sanitised_branch(std::string_view text);

struct WorktreeWish {
  std::string branch;  // sanitised
  std::optional<std::string> parent_directory;  // absolute, `~/…`, or below the repository; none: `.paperclip/worktrees`
  std::optional<std::string> base_ref;          // none: the default branch, else HEAD
};

struct Worktree {
  std::filesystem::path repository, path;
  std::string branch;
  bool created = false;  // added to the repository just now, whether or not the branch was there before
};

/// Makes the worktree, or takes the registered one of that path or branch. Never touches a folder that is something
/// else: the error says what it is. `git` stands in any checkout of the repository.
Result<Worktree> realise_worktree(const Git& git, const WorktreeWish& wish, OperationRecorder& recorder, Deadline deadline);

/// Brings a missing worktree back on its branch; makes the branch anew from `base_ref` if it is gone, too.
Result<> restore_worktree(const Git& git, const std::filesystem::path& path, const std::string& branch,
                          const std::optional<std::string>& base_ref, OperationRecorder& recorder, Deadline deadline);

/// What could not be cleaned up, in words for people.
std::vector<std::string> remove_worktree(const Git& git, const std::filesystem::path& path, const std::optional<std::string>& branch_to_delete,
                                         OperationRecorder& recorder, Deadline deadline);

}  // namespace paperclip::environments
