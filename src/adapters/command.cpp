#include "adapters/command.h"

#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "base/text.h"

namespace paperclip::adapters {

namespace fs = std::filesystem;

namespace {

bool is_file(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

bool is_executable(const fs::path& path) { return ::access(path.c_str(), X_OK) == 0; }

}  // namespace

Result<std::string> find_command(std::string_view command, std::string_view cwd, std::string_view path) {
  if (command.find('/') != std::string_view::npos) {
    const fs::path resolved = (fs::path(cwd) / command).lexically_normal();
    if (!is_file(resolved) || !is_executable(resolved))
      return unprocessable("Command is not executable: \"" + std::string(command) + "\" (resolved: \"" + resolved.string() + "\")");
    return resolved.string();
  }
  for (const auto& directory : split(path, ':')) {
    const fs::path candidate = fs::path(directory.empty() ? std::string(cwd) : directory) / command;
    if (is_file(candidate) && is_executable(candidate)) return candidate.string();
  }
  return unprocessable("Command not found in PATH: \"" + std::string(command) + "\"");
}

Result<void> check_working_directory(const std::string& cwd, bool may_create) {
  const fs::path path(cwd);
  if (!path.is_absolute()) return unprocessable("Working directory must be an absolute path: \"" + cwd + "\"");
  std::error_code error;
  const auto status = fs::status(path, error);
  if (!fs::exists(status)) {
    if (may_create) return success();
    return unprocessable("Working directory does not exist: \"" + cwd + "\"");
  }
  if (!fs::is_directory(status)) return unprocessable("Working directory is not a directory: \"" + cwd + "\"");
  return success();
}

std::string start_failure_message(std::string_view command, std::string_view cwd, std::string_view path, int error) {
  std::string out = "Failed to start command \"" + std::string(command) + "\" in \"" + std::string(cwd) + "\"";
  if (error == ENOENT) return out + ". Verify adapter command, working directory, and PATH (" + std::string(path) + ").";
  return out + ": " + std::generic_category().message(error);
}

std::string_view base_name(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

}  // namespace paperclip::adapters
