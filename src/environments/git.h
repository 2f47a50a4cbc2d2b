#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"
#include "os/process.h"

/// The `git` program on one directory of this machine.
namespace paperclip::environments {

/// What every git of ours sees: the allow-listed host variables, no prompts, messages in English, and none of the hooks
/// or monitors that an agent may have put into the repository.
class Git {
 public:
  /// `host` is the server's own environment.
  Git(std::filesystem::path directory, const os::Environment& host);

  /// Whatever git answers; an Error only when it cannot be run or takes too long.
  Result<os::CommandOutput> run(const std::vector<std::string>& arguments, Deadline deadline) const;
  /// Its output without the last line end. A failure is `unprocessable` with git's own first words.
  Result<std::string> text(const std::vector<std::string>& arguments, Deadline deadline) const;
  /// True when it exits with 0.
  bool succeeds(const std::vector<std::string>& arguments, Deadline deadline) const;

  const std::filesystem::path& directory() const { return directory_; }
  Git at(std::filesystem::path directory) const;

  /// The command as people write it, for records.
  static std::string shown(const std::vector<std::string>& arguments);

 private:
  Git() = default;
  std::filesystem::path directory_;
  os::Environment environment_;
};

/// The first line of stderr that says something, else of stdout, else the exit code.
std::string reason_of(const os::CommandOutput& output);

/// Text without what stands before the host in its URLs: a token, as a rule.
std::string without_credentials(std::string_view text);

/// The main checkout that a directory belongs to, also from a linked worktree (spec/workspaces.md 4.1.1).
Result<std::filesystem::path> repository_root(const Git& git, Deadline deadline);
/// `origin/main` or the like: where `origin/HEAD` points, else origin/main, else origin/master.
std::optional<std::string> default_branch(const Git& git, Deadline deadline);

/// `git clone` into a directory that is missing or empty: beside it first, so that half a clone is never taken for one.
Result<> clone_repository(const std::string& url, const std::filesystem::path& directory, const os::Environment& host, Deadline deadline);

}  // namespace paperclip::environments
