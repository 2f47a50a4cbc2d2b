#include "plugins/worker_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

namespace paperclip::plugins {

namespace {

constexpr std::chrono::milliseconds after_exit{200};
constexpr std::chrono::milliseconds look_again{20};  // where the kernel has no pidfd

struct Pipe {
  os::Descriptor reader, writer;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return internal_error(std::string("Cannot make a pipe: ") + ::strerror(errno));
  return Pipe{os::Descriptor(ends[0]), os::Descriptor(ends[1])};
}

void make_nonblocking(const os::Descriptor& end) { ::fcntl(end.get(), F_SETFL, ::fcntl(end.get(), F_GETFL) | O_NONBLOCK); }

}  // namespace

Result<std::unique_ptr<Worker::Process>> Worker::Process::start(const WorkerLaunch& launch, std::size_t max_frame) {
  Pipe in = TRY(make_pipe());
  Pipe out = TRY(make_pipe());
  Pipe err = TRY(make_pipe());
  os::SpawnRequest request;
  request.executable = launch.executable;
  request.argv = launch.argv;
  // setpriv executes the worker in its place, after it asked the kernel to kill it when our thread ends. Without it the
  // worker still sees the end of its stdin.
  if (auto setpriv = os::resolve_command("setpriv", "/", "/usr/bin:/bin:/usr/sbin:/sbin")) {
    request.executable = *setpriv;
    request.argv = {"setpriv", "--pdeathsig", "KILL", "--", launch.executable};
    request.argv.insert(request.argv.end(), launch.argv.begin() + (launch.argv.empty() ? 0 : 1), launch.argv.end());
  }
  request.environment = launch.environment;
  request.session = os::SpawnRequest::Session::new_group;
  request.descriptors = {{in.reader.get(), 0}, {out.writer.get(), 1}, {err.writer.get(), 2}};
  std::unique_ptr<Process> process(new Process(max_frame));
  process->pid_ = TRY(os::spawn(request));
  process->pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, process->pid_, 0)));
  process->stdin_ = std::move(in.writer);
  process->stdout_ = std::move(out.reader);
  process->stderr_ = std::move(err.reader);
  for (const auto* end : {&process->stdin_, &process->stdout_, &process->stderr_}) make_nonblocking(*end);
  return process;
}

Worker::Process::~Process() {
  if (pid_ > 0 && !reaped_) {
    ::kill(-pid_, SIGKILL);
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
}

Worker::Process::Seen Worker::Process::wait(int wake, bool writing, Deadline until) {
  if (!pidfd_) until = until.or_sooner(Deadline::in(look_again));
  pollfd ready[] = {{wake, POLLIN, 0},
                    {stdout_.get(), POLLIN, 0},
                    {stderr_.get(), POLLIN, 0},
                    {writing ? stdin_.get() : -1, POLLOUT, 0},
                    {pidfd_.get(), POLLIN, 0}};
  ::poll(ready, std::size(ready), static_cast<int>(until.left().count()));
  if (ready[0].revents != 0) {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto got = ::read(wake, &count, sizeof count);
  }
  Seen seen;
  siginfo_t info{};
  seen.exited = ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid_;
  return seen;
}

bool Worker::Process::read_from(os::Descriptor& stream, LineCutter& lines, const OnLine& on_line) {
  if (!stream) return false;
  std::array<char, 65536> buffer;
  for (int turn = 0; turn < 16; ++turn) {
    const ssize_t got = ::read(stream.get(), buffer.data(), buffer.size());
    if (got > 0) {
      lines.append({buffer.data(), static_cast<std::size_t>(got)}, on_line);
      continue;
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    stream.reset();
    if (const std::string rest = lines.rest(); !rest.empty()) on_line(rest);
    return false;
  }
  return true;
}

void Worker::Process::read(const OnLine& on_line, const OnLine& on_stderr) {
  read_from(stderr_, stderr_lines_, on_stderr);
  read_from(stdout_, stdout_lines_, on_line);
}

bool Worker::Process::write(std::string& frame) {
  while (written_ < frame.size() && stdin_) {
    const ssize_t sent = ::write(stdin_.get(), frame.data() + written_, frame.size() - written_);
    if (sent > 0) {
      written_ += static_cast<std::size_t>(sent);
      continue;
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN) return false;
    stdin_.reset();
  }
  written_ = 0;
  frame.clear();
  return true;
}

void Worker::Process::drain(const OnLine& on_line, const OnLine& on_stderr) {
  const Deadline until = Deadline::in(after_exit);
  while ((stdout_ || stderr_) && !until.passed()) {
    const bool more = read_from(stderr_, stderr_lines_, on_stderr);
    if (read_from(stdout_, stdout_lines_, on_line) || more) continue;
    pollfd ready[] = {{stdout_.get(), POLLIN, 0}, {stderr_.get(), POLLIN, 0}};
    if (stdout_ || stderr_) ::poll(ready, std::size(ready), static_cast<int>(until.left().count()));
  }
}

std::pair<int, int> Worker::Process::reap() {
  ::kill(-pid_, SIGKILL);
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  reaped_ = true;
  if (WIFSIGNALED(status)) return {0, WTERMSIG(status)};
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 0, 0};
}

}  // namespace paperclip::plugins
