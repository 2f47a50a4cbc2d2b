#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "os/files.h"
#include "os/process.h"

namespace paperclip::os {
namespace {

/// C strings for exec; the environment's are overwritten when they go, they may be secret.
class ExecStrings {
 public:
  explicit ExecStrings(std::vector<std::string> texts) : texts_(std::move(texts)) {
    for (auto& text : texts_) pointers_.push_back(text.data());
    pointers_.push_back(nullptr);
  }
  ExecStrings(const ExecStrings&) = delete;
  ~ExecStrings() {
    for (auto& text : texts_) ::explicit_bzero(text.data(), text.size());
  }
  char* const* data() const { return pointers_.data(); }

 private:
  std::vector<std::string> texts_;
  std::vector<char*> pointers_;
};

std::vector<std::string> entries(const Environment& environment) {
  std::vector<std::string> out;
  for (const auto& [name, value] : environment) {
    std::string entry;
    entry.reserve(name.size() + value.size() + 1);
    out.push_back(std::move(entry.append(name).append("=").append(value)));
  }
  return out;
}

/// Out of the way of the numbers that the child is to see.
Result<Descriptor> lifted(int fd, int above) {
  Descriptor copy(::fcntl(fd, F_DUPFD_CLOEXEC, above + 1));
  if (!copy) return internal_error(std::string("Cannot duplicate a descriptor: ") + ::strerror(errno));
  return copy;
}

bool executable_file(const std::string& path) {
  struct stat there {};
  return ::stat(path.c_str(), &there) == 0 && S_ISREG(there.st_mode) && ::access(path.c_str(), X_OK) == 0;
}

}  // namespace

Result<pid_t> spawn(const SpawnRequest& request) {
  int highest = 2;
  for (const auto& [ours, theirs] : request.descriptors) highest = std::max(highest, theirs);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  std::vector<Descriptor> held;
  std::vector<bool> taken(static_cast<std::size_t>(highest) + 1);
  for (const auto& [ours, theirs] : request.descriptors) {
    auto copy = lifted(ours, highest);
    if (!copy) {
      ::posix_spawn_file_actions_destroy(&actions);
      return std::move(copy).error();
    }
    ::posix_spawn_file_actions_adddup2(&actions, copy->get(), theirs);
    held.push_back(std::move(*copy));
    taken[static_cast<std::size_t>(theirs)] = true;
  }
  for (int fd = 0; fd <= highest; ++fd) {
    if (taken[static_cast<std::size_t>(fd)]) continue;
    if (fd <= 2) ::posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", fd == 0 ? O_RDONLY : O_WRONLY, 0);
  }
  ::posix_spawn_file_actions_addclosefrom_np(&actions, highest + 1);
  if (!request.cwd.empty()) ::posix_spawn_file_actions_addchdir_np(&actions, request.cwd.c_str());

  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none, all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
  if (request.session == SpawnRequest::Session::new_session) flags |= POSIX_SPAWN_SETSID;
  if (request.session == SpawnRequest::Session::new_group) flags |= POSIX_SPAWN_SETPGROUP;
  ::posix_spawnattr_setflags(&attributes, static_cast<short>(flags));

  const ExecStrings argv(request.argv);
  const ExecStrings environment(entries(request.environment));
  pid_t pid = -1;
  const int error =
      ::posix_spawn(&pid, request.executable.c_str(), &actions, &attributes, argv.data(), environment.data());
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return file_error("Cannot start", request.executable, error);
  return pid;
}

Result<std::string> resolve_command(std::string_view command, std::string_view cwd, std::string_view path) {
  const std::string name(command);
  if (name.find('/') != std::string::npos) {
    const std::string resolved = (std::filesystem::path(cwd) / name).lexically_normal().string();
    if (executable_file(resolved)) return resolved;
    return unprocessable("Command is not executable: \"" + name + "\" (resolved: \"" + resolved + "\")");
  }
  if (!name.empty()) {
    for (const std::string& place : split(path, ':')) {
      const std::string candidate = (std::filesystem::path(cwd) / place / name).string();
      if (executable_file(candidate)) return candidate;
    }
  }
  return unprocessable("Command not found in PATH: \"" + name + "\"");
}

Result<void> check_working_directory(std::string_view cwd) {
  const std::string path(cwd);
  if (!path.starts_with('/')) return unprocessable("Working directory must be an absolute path: \"" + path + "\"");
  struct stat there {};
  if (::stat(path.c_str(), &there) != 0) return unprocessable("Working directory does not exist: \"" + path + "\"");
  if (!S_ISDIR(there.st_mode)) return unprocessable("Working directory is not a directory: \"" + path + "\"");
  return success();
}

std::string_view value_in(const Environment& environment, std::string_view name) {
  for (const auto& [key, value] : environment)
    if (key == name) return value;
  return {};
}

std::optional<std::uint64_t> process_start_time(pid_t pid) {
  const auto stat = read_file("/proc/" + std::to_string(pid) + "/stat", 4096);
  if (!stat) return std::nullopt;
  // Field 22; the name in field 2 may hold spaces and brackets, the last bracket ends it.
  std::size_t at = stat->rfind(')');
  for (int field = 2; field < 22 && at != std::string::npos; ++field) at = stat->find(' ', at + 1);
  if (at == std::string::npos) return std::nullopt;
  return ::strtoull(stat->c_str() + at, nullptr, 10);
}

std::string boot_id() {
  const auto id = read_file("/proc/sys/kernel/random/boot_id", 64);
  return id ? std::string(trim(*id)) : std::string();
}

}  // namespace paperclip::os
