#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"
#include "os/descriptor.h"

namespace paperclip::os {

using Environment = std::vector<std::pair<std::string, std::string>>;

/// What a small command said and how it ended.
struct CommandOutput {
  int exit_code = 0;   // 128 + signal if a signal ended it, as shells say it
  int signal = 0;      // 0: it exited by itself
  std::string stdout_text;
  std::string stderr_text;
  bool truncated = false;  // one of the two was longer than `output_limit`; its beginning is kept

  bool ok() const { return exit_code == 0; }
};

/// A small command of our own, such as git: no agent (those run under paperclip-runner and outlive us).
struct Command {
  std::vector<std::string> argv;  // argv[0] is searched in `environment`'s PATH unless it holds a slash
  std::string cwd;                // empty: ours
  Environment environment;        // all of it; nothing is inherited
  std::string stdin_text;         // empty: /dev/null
  std::size_t output_limit = 16 * 1024 * 1024;  // for each of the two streams
};

/// Runs the command in a process group of its own and waits for it. After the deadline the group is killed and the
/// result is a timeout error. A command that cannot be started is an error with the texts of spec/execution.md 10;
/// one that fails is an output. What the command leaves running in its group is killed.
Result<CommandOutput> run_command(const Command& command, Deadline deadline);

/// The file that `command` means: as it stands (below `cwd` if relative) when it holds a slash, else the first
/// executable one along `path`. Errors: `Command not found in PATH: "x"`, `Command is not executable: "x" (resolved: "/y/x")`.
Result<std::string> resolve_command(std::string_view command, std::string_view cwd, std::string_view path);

/// `Working directory must be an absolute path: "x"`, `… does not exist: "x"`, `… is not a directory: "x"`.
Result<void> check_working_directory(std::string_view cwd);

/// The value of a variable; empty if there is none.
std::string_view value_in(const Environment& environment, std::string_view name);

/// What a program shall find when it starts: these descriptors and no others.
struct SpawnRequest {
  std::string executable;  // a path
  std::vector<std::string> argv;
  Environment environment;
  std::string cwd;  // empty: ours
  std::vector<std::pair<int, int>> descriptors;  // ours, theirs; a theirs of 0–2 that is not named is /dev/null
  enum class Session { same, new_group, new_session } session = Session::same;
};

/// Starts a program without copying our memory map, however large we are; signals are as at a program's birth.
/// The caller reaps it.
Result<pid_t> spawn(const SpawnRequest& request);

/// Starts of processes are told apart by this: clock ticks since boot when the process began; nullopt if there is none.
std::optional<std::uint64_t> process_start_time(pid_t pid);

/// Identifies this boot of the machine.
std::string boot_id();

}  // namespace paperclip::os
