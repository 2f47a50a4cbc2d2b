#include "runner/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

namespace paperclip::runner {
namespace {

/// C strings made of views, overwritten when they go: they hold the environment's secrets.
class CStrings {
 public:
  explicit CStrings(const std::vector<std::string_view>& texts) {
    std::size_t size = 0;
    for (const auto& text : texts) size += text.size() + 1;
    bytes_.reserve(size);  // pointers into it stay valid
    for (const auto& text : texts) {
      pointers_.push_back(bytes_.data() + bytes_.size());
      bytes_.append(text).push_back('\0');
    }
    pointers_.push_back(nullptr);
  }
  CStrings(const CStrings&) = delete;
  ~CStrings() { explicit_bzero(bytes_.data(), bytes_.size()); }
  char** data() { return pointers_.data(); }

 private:
  std::string bytes_;
  std::vector<char*> pointers_;
};

std::string_view value_of(const StartMessage& message, std::string_view name) {
  for (const auto& entry : message.environment)
    if (entry.size() > name.size() && entry[name.size()] == '=' && entry.substr(0, name.size()) == name)
      return entry.substr(name.size() + 1);
  return {};
}

/// Where the command may be, in the order of PATH.
std::vector<std::string> candidates(const StartMessage& message) {
  const std::string command(message.argv.front());
  if (command.find('/') != std::string::npos) return {command};
  std::vector<std::string> found;
  std::string_view path = value_of(message, "PATH");
  while (!path.empty()) {
    const std::size_t end = std::min(path.find(':'), path.size());
    found.push_back(end == 0 ? "./" + command : std::string(path.substr(0, end)) + "/" + command);
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return found;
}

/// Everything the child needs, made before it: it shares our memory and may not allocate.
struct Birth {
  const std::vector<std::string>* candidates;
  char** argv;
  char** environment;
  char** shell_argv;  // sh, a place for the script, the arguments
  const char* cwd;
  const ProcessLimits* limits;
  int in, out, err;
  int machine_proc;
  pid_t runner;  // 0: need not die with it
  // What the child reports.
  int error = 0;
  char machine_pid[16] = {};
};

void limit(__rlimit_resource resource, std::uint64_t value) {
  if (value == 0) return;
  rlimit now{};
  getrlimit(resource, &now);
  now.rlim_max = std::min<rlim_t>(now.rlim_max, value);
  now.rlim_cur = now.rlim_max;
  setrlimit(resource, &now);
}

void apply(const ProcessLimits& limits) {
  // Everything here is done as far as the machine allows; a container may refuse any of it.
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  // Some programs walk all possible descriptors at their start; containers hand down a thousand million.
  files.rlim_max = std::min<rlim_t>(files.rlim_max, 1048576);
  files.rlim_cur = limits.open_files ? std::min<rlim_t>(files.rlim_max, limits.open_files) : std::min(files.rlim_cur, files.rlim_max);
  setrlimit(RLIMIT_NOFILE, &files);
  limit(RLIMIT_NPROC, limits.processes);
  limit(RLIMIT_AS, limits.address_space_bytes);
  limit(RLIMIT_FSIZE, limits.file_bytes);
  limit(RLIMIT_CPU, limits.cpu_seconds);
  if (limits.oom_score != 0) {
    char score[16];
    snprintf(score, sizeof score, "%d", limits.oom_score);
    write_existing_file("/proc/self/oom_score_adj", score);
  }
  if (limits.nice != 0) {
    errno = 0;
    const int now = getpriority(PRIO_PROCESS, 0);
    setpriority(PRIO_PROCESS, 0, now + limits.nice);
    char level[16];
    snprintf(level, sizeof level, "%d", limits.nice);
    write_existing_file("/proc/self/autogroup", level);  // with autogrouping, nice alone counts only inside the session
    constexpr int who_process = 1, best_effort = 2, lowest = 7;
    syscall(SYS_ioprio_set, who_process, 0, (best_effort << 13) | lowest);
  }
}

void reset_signals() {
  for (int number = 1; number < NSIG; ++number) {
    if (number == SIGKILL || number == SIGSTOP) continue;
    struct sigaction action {};
    action.sa_handler = SIG_DFL;
    sigaction(number, &action, nullptr);
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

/// In the child. Tries each place; the most telling error wins, as execvp has it.
int execute(Birth& birth) {
  int error = ENOENT;
  for (const std::string& path : *birth.candidates) {
    execve(path.c_str(), birth.argv, birth.environment);
    if (errno == ENOEXEC) {  // a script without a first line that names its interpreter
      birth.shell_argv[1] = const_cast<char*>(path.c_str());
      execve("/bin/sh", birth.shell_argv, birth.environment);
    }
    if (errno == EACCES) {
      error = EACCES;
    } else if (errno != ENOENT && errno != ENOTDIR) {
      return errno;
    }
  }
  return error;
}

int be_born(void* pointer) {
  Birth& birth = *static_cast<Birth*>(pointer);
  if (birth.runner != 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != birth.runner) _exit(127);
  }
  setsid();
  dup2(birth.in, 0);
  dup2(birth.out, 1);
  dup2(birth.err, 2);
  if (readlinkat(birth.machine_proc, "self", birth.machine_pid, sizeof birth.machine_pid - 1) < 0) birth.machine_pid[0] = 0;
  apply(*birth.limits);
  if (chdir(birth.cwd) != 0) {
    birth.error = errno;
    _exit(127);
  }
  reset_signals();
  birth.error = execute(birth);
  _exit(127);
}

std::string failure_text(const StartMessage& message, int error) {
  std::string text = "Failed to start command \"" + std::string(message.argv.front()) + "\" in \"" + std::string(message.cwd) + "\"";
  if (error == ENOENT)
    return text + ". Verify adapter command, working directory, and PATH (" + std::string(value_of(message, "PATH")) + ").";
  return text + ": " + strerror(error);
}

bool make_pipe(Descriptor& reader, Descriptor& writer) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return false;
  reader.reset(ends[0]);
  writer.reset(ends[1]);
  return true;
}

void never_wait(const Descriptor& end) { fcntl(end.get(), F_SETFL, fcntl(end.get(), F_GETFL) | O_NONBLOCK); }

}  // namespace

std::string start_agent(const StartMessage& message, const AgentSurroundings& surroundings, Agent& agent) {
  Descriptor their_in, their_out, their_err;
  const bool piped = make_pipe(agent.out, their_out) && make_pipe(agent.err, their_err) &&
                     (message.stdin_text.empty() || make_pipe(their_in, agent.in));
  if (!piped) return failure_text(message, errno);
  if (message.stdin_text.empty()) their_in.reset(open("/dev/null", O_RDONLY | O_CLOEXEC));
  for (const Descriptor* end : {&agent.out, &agent.err, &agent.in})
    if (*end) never_wait(*end);

  CStrings argv(message.argv);
  CStrings environment(message.environment);
  std::vector<char*> shell_argv{const_cast<char*>("sh"), nullptr};
  for (char** argument = argv.data() + 1; *argument; ++argument) shell_argv.push_back(*argument);
  shell_argv.push_back(nullptr);
  const std::vector<std::string> places = candidates(message);
  const std::string cwd(message.cwd);
  Birth birth{&places, argv.data(), environment.data(), shell_argv.data(), cwd.c_str(), &message.limits,
              their_in.get(), their_out.get(), their_err.get(), surroundings.machine_proc,
              surroundings.dies_with_runner ? getpid() : 0};

  // The child borrows our memory until it executes: no page tables to copy, and its errors need no pipe.
  alignas(16) static char stack[32 * 1024];
  agent.pid = clone(be_born, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &birth);
  if (agent.pid < 0) return failure_text(message, errno);
  if (birth.error != 0) {
    waitpid(agent.pid, nullptr, 0);
    return failure_text(message, birth.error);
  }
  agent.machine_pid = birth.machine_pid[0] ? atoi(birth.machine_pid) : agent.pid;
  return {};
}

}  // namespace paperclip::runner
