#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"
#include "domain/workspaces/host_command.h"
#include "os/process.h"

/// The board's own shell lines, run on this machine (spec/workspaces.md 4.2, 5, 8.6).
namespace paperclip::environments {

/// No provision, cleanup or job lasts longer.
inline constexpr std::chrono::hours longest_host_command{1};

struct HostCommandPlace {
  std::filesystem::path cwd;
  /// Where `./script` is looked for first, so that the newest version runs in every worktree; empty: nowhere.
  std::filesystem::path repository;
  /// Set on top of what the host's allow-list lets through; empty values are set, too.
  std::vector<std::pair<std::string, std::string>> variables;
};

/// What the host's programs see of the server's environment: never its secrets.
os::Environment host_command_environment(const os::Environment& host, const std::vector<std::pair<std::string, std::string>>& variables);

/// The user's shell; /bin/sh where SHELL is empty or names a file that is missing.
std::string host_shell(const os::Environment& host);

/// Runs `$SHELL -c <command>`. Output of each stream is cut to its last 256 KiB, with a line that says so.
Result<os::CommandOutput> run_host_command(const domain::HostCommand& command, const HostCommandPlace& place, const os::Environment& host, Deadline deadline);

/// `Execution workspace provision command "…" failed: <what it said>`, or with its exit code when it said nothing.
Error host_command_error(const std::string& what, const domain::HostCommand& command, const os::CommandOutput& output);

}  // namespace paperclip::environments
