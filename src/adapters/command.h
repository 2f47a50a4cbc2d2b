#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

/// Finding the command before it is started, and what to say when it cannot be (spec/execution.md 10).
namespace paperclip::adapters {

/// The path of the file that `command` would run: looked up in `path` (a PATH value) when it has no slash, else taken
/// from `cwd`. Fails with `Command not found in PATH: "x"` or `Command is not executable: "x" (resolved: "/abs")`.
Result<std::string> find_command(std::string_view command, std::string_view cwd, std::string_view path);

/// Fails unless it is an absolute path of a directory; `may_create`: a missing one is fine.
Result<void> check_working_directory(const std::string& cwd, bool may_create);

/// `Failed to start command "x" in "cwd". Verify adapter command, working directory, and PATH (…).` for a missing file
/// or directory, otherwise with the system's own reason. `error` is an errno value.
std::string start_failure_message(std::string_view command, std::string_view cwd, std::string_view path, int error);

/// The last part of a path.
std::string_view base_name(std::string_view path);

}  // namespace paperclip::adapters
