#include "leader.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "runner/sweep.h"
#include "runner/system.h"

namespace paperclip::sandbox {
namespace {

using os::Descriptor;

void report(Descriptor& to, const Status& status) {
  const std::string bytes = encode(status);
  (void)!write(to.get(), bytes.data(), bytes.size());  // short enough to be written at once
  to.reset();
}

std::string_view value_of(const Request& request, std::string_view name) {
  for (const std::string& entry : request.environment)
    if (entry.size() > name.size() && entry[name.size()] == '=' && std::string_view(entry).substr(0, name.size()) == name)
      return std::string_view(entry).substr(name.size() + 1);
  return {};
}

std::vector<std::string> candidates(const Request& request) {
  const std::string& command = request.argv.front();
  if (command.find('/') != std::string::npos) return {command};
  std::vector<std::string> found;
  for (std::string_view path = value_of(request, "PATH"); !path.empty();) {
    const std::size_t end = std::min(path.find(':'), path.size());
    if (end > 0) found.push_back(std::string(path.substr(0, end)) + "/" + command);
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return found;
}

void limit(__rlimit_resource resource, std::uint64_t value) {
  if (value == 0) return;
  rlimit now{};
  getrlimit(resource, &now);
  now.rlim_cur = now.rlim_max = std::min<rlim_t>(now.rlim_max, value);
  setrlimit(resource, &now);
}

void apply(const CommandLimits& limits) {
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  limit(RLIMIT_NPROC, limits.processes);
  limit(RLIMIT_NOFILE, limits.open_files);
  limit(RLIMIT_FSIZE, limits.file_bytes);
  limit(RLIMIT_CPU, limits.cpu_seconds);
  limit(RLIMIT_DATA, limits.data_bytes);
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> list;
  for (const std::string& text : texts) list.push_back(const_cast<char*>(text.c_str()));
  list.push_back(nullptr);
  return list;
}

/// In the command's process: only returns when it could not be executed, with errno.
int execute(const Request& request, const StartDescriptors& descriptors) {
  setsid();
  sigset_t nothing;
  sigemptyset(&nothing);
  sigprocmask(SIG_SETMASK, &nothing, nullptr);
  dup2(descriptors.in.get(), 0);
  dup2(descriptors.out.get(), 1);
  dup2(descriptors.err.get(), 2);
  if (!request.cwd.empty() && chdir(request.cwd.c_str()) != 0) return errno;
  apply(request.limits);
  const std::vector<char*> argv = pointers(request.argv), environment = pointers(request.environment);
  int error = ENOENT;
  for (const std::string& path : candidates(request)) {
    execve(path.c_str(), argv.data(), environment.data());
    if (errno == ENOEXEC) {  // a script without a first line
      std::vector<char*> shell{const_cast<char*>("sh"), const_cast<char*>(path.c_str())};
      shell.insert(shell.end(), argv.begin() + 1, argv.end());
      execve("/bin/sh", shell.data(), environment.data());
    }
    if (errno != ENOENT && errno != ENOTDIR) error = errno;
  }
  return error;
}

std::string start_failure(const Request& request, int error) {
  if (!request.cwd.empty() && access(request.cwd.c_str(), X_OK) != 0)
    return "Working directory cannot be used in the sandbox: \"" + request.cwd + "\": " + strerror(errno);
  return "Cannot start \"" + request.argv.front() + "\" in the sandbox: " + strerror(error);
}

bool make_parents(const std::string& path) {
  for (std::size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1))
    if (mkdir(path.substr(0, at).c_str(), 0755) != 0 && errno != EEXIST) return false;
  return true;
}

bool copy(int from, int to, std::uint64_t most) {
  char piece[64 * 1024];
  while (most > 0) {
    const ssize_t got = read(from, piece, static_cast<std::size_t>(std::min<std::uint64_t>(sizeof piece, most)));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return false;
    if (got == 0) return true;
    most -= static_cast<std::uint64_t>(got);
    for (ssize_t done = 0; done < got;) {
      const ssize_t put = write(to, piece + done, static_cast<std::size_t>(got - done));
      if (put < 0 && errno == EINTR) continue;
      if (put <= 0) return false;
      done += put;
    }
  }
  return true;
}

}  // namespace

int lead_command(const Request& request, StartDescriptors descriptors) {
  prctl(PR_SET_NAME, "sandbox-leader");
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  sigset_t handled;
  sigemptyset(&handled);
  for (const int number : {SIGCHLD, SIGTERM, SIGUSR1}) sigaddset(&handled, number);
  sigprocmask(SIG_BLOCK, &handled, nullptr);

  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    report(descriptors.status, {StatusKind::failed, 0, std::string("Cannot make a pipe: ") + strerror(errno)});
    return 1;
  }
  const Descriptor failure_reader(ends[0]);
  Descriptor failure_writer(ends[1]);
  const pid_t command = fork();
  if (command == 0) {
    const int error = execute(request, descriptors);
    (void)!write(failure_writer.get(), &error, sizeof error);
    _exit(127);
  }
  const int fork_error = errno;
  failure_writer.reset();
  int error = 0;
  if (command < 0) error = fork_error;
  if (command < 0 || read(failure_reader.get(), &error, sizeof error) == sizeof error) {
    report(descriptors.status, {StatusKind::failed, static_cast<std::uint32_t>(error), start_failure(request, error)});
    return 1;
  }
  descriptors.in.reset();
  descriptors.out.reset();
  descriptors.err.reset();

  bool running = true;
  const auto reaped = [&](pid_t pid, int status, const rusage&) {
    if (pid != command || !running) return;
    running = false;
    if (WIFSIGNALED(status)) {
      report(descriptors.status, {StatusKind::signalled, static_cast<std::uint32_t>(WTERMSIG(status)), {}});
    } else {
      report(descriptors.status, {StatusKind::exited, static_cast<std::uint32_t>(WEXITSTATUS(status)), {}});
    }
  };
  for (;;) {
    int status = 0;
    rusage usage{};
    pid_t pid;
    while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0) reaped(pid, status, usage);
    if (pid < 0 && errno == ECHILD) return 0;
    siginfo_t info{};
    const int number = sigwaitinfo(&handled, &info);
    if (number == SIGTERM && running) {
      kill(-command, SIGTERM);
      kill(-command, SIGCONT);
    }
    if (number == SIGUSR1) {
      constexpr std::int64_t sweep_limit_ms = 10'000;
      runner::sweep(runner::monotonic_ms() + sweep_limit_ms, reaped);
    }
  }
}

int move_file(const Request& request, StartDescriptors descriptors) {
  const auto failed = [&](const std::string& what) {
    report(descriptors.status, {StatusKind::failed, static_cast<std::uint32_t>(errno), what + " \"" + request.path + "\": " + strerror(errno)});
    return 1;
  };
  if (request.kind == RequestKind::get_file) {
    const Descriptor file(open(request.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!file) return failed("Cannot read");
    if (lseek(file.get(), static_cast<off_t>(request.offset), SEEK_SET) < 0 || !copy(file.get(), descriptors.out.get(), request.length))
      return failed("Cannot read");
    char next;
    const bool at_end = read(file.get(), &next, 1) <= 0;
    descriptors.out.reset();
    report(descriptors.status, {StatusKind::done, at_end ? 1u : 0u, {}});
    return 0;
  }
  const std::string beside = request.path + ".part";
  if (request.path.empty() || request.path.front() != '/' || !make_parents(request.path)) return failed("Cannot make the parents of");
  if (request.offset == 0) unlink(beside.c_str());
  const int flags = request.offset == 0 ? O_CREAT | O_EXCL : 0;
  const Descriptor file(open(beside.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW | flags, 0600));
  if (!file || lseek(file.get(), static_cast<off_t>(request.offset), SEEK_SET) < 0 || !copy(descriptors.in.get(), file.get(), UINT64_MAX))
    return failed("Cannot write");
  if (request.end && (fchmod(file.get(), request.mode & 07777) != 0 || rename(beside.c_str(), request.path.c_str()) != 0))
    return failed("Cannot put in place");
  report(descriptors.status, {StatusKind::done, 0, {}});
  return 0;
}

}  // namespace paperclip::sandbox
