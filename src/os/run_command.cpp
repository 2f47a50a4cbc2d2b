#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>

#include "os/process.h"

namespace paperclip::os {
namespace {

/// How long a stream may stay open once the command itself has ended: a daemon it left behind must not hold us.
constexpr std::chrono::milliseconds after_exit{200};
/// How often the end of a command is looked for on a kernel that has no pidfd to wait on.
constexpr std::chrono::milliseconds look_again{10};

struct Pipe {
  Descriptor reader, writer;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return internal_error(std::string("Cannot make a pipe: ") + ::strerror(errno));
  return Pipe{Descriptor(ends[0]), Descriptor(ends[1])};
}

/// A socket and no pipe for stdin: writing to it when nobody reads any more is an error and no signal.
Result<Pipe> make_input() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return internal_error(std::string("Cannot make a socket pair: ") + ::strerror(errno));
  return Pipe{Descriptor(ends[0]), Descriptor(ends[1])};
}

/// A running command, killed with its group when it goes before it was reaped.
class RunningCommand {
 public:
  RunningCommand(pid_t pid, std::size_t output_limit) : pid_(pid), output_limit_(output_limit) {}
  RunningCommand(const RunningCommand&) = delete;
  ~RunningCommand() {
    ::kill(-pid_, SIGKILL);
    if (!ended_) ::waitpid(pid_, nullptr, 0);
  }

  void look_for_end() {
    int status = 0;
    if (ended_ || ::waitpid(pid_, &status, WNOHANG) != pid_) return;
    ended_ = true;
    if (WIFEXITED(status)) output.exit_code = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) output.exit_code = 128 + (output.signal = WTERMSIG(status));
  }
  bool ended() const { return ended_; }

  void read_into(std::string& text, Descriptor& stream) {
    char buffer[65536];
    const ssize_t got = ::read(stream.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) return;
    if (got <= 0) return stream.reset();
    const std::size_t room = output_limit_ - std::min(output_limit_, text.size());
    text.append(buffer, std::min(room, static_cast<std::size_t>(got)));
    if (static_cast<std::size_t>(got) > room) output.truncated = true;
  }

  CommandOutput output;

 private:
  pid_t pid_;
  std::size_t output_limit_;
  bool ended_ = false;
};

void write_some(std::string_view& text, Descriptor& stream) {
  const ssize_t sent = ::send(stream.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent > 0) text.remove_prefix(static_cast<std::size_t>(sent));
  // What the command does not want to read is its affair.
  if (text.empty() || (sent < 0 && errno != EAGAIN && errno != EINTR)) stream.reset();
}

std::string failure_text(const Command& command, const std::string& reason) {
  return "Failed to start command \"" + command.argv.front() + "\" in \"" + command.cwd + "\": " + reason;
}

}  // namespace

Result<CommandOutput> run_command(const Command& command, Deadline deadline) {
  if (command.argv.empty()) return bad_request("A command needs at least its name");
  if (!command.cwd.empty()) TRY(check_working_directory(command.cwd));
  SpawnRequest request;
  request.executable = TRY(resolve_command(command.argv.front(), command.cwd, value_in(command.environment, "PATH")));
  request.argv = command.argv;
  request.environment = command.environment;
  request.cwd = command.cwd;
  request.session = SpawnRequest::Session::new_group;
  Pipe out = TRY(make_pipe());
  Pipe err = TRY(make_pipe());
  Pipe in;
  request.descriptors = {{out.writer.get(), 1}, {err.writer.get(), 2}};
  if (!command.stdin_text.empty()) {
    in = TRY(make_input());
    request.descriptors.emplace_back(in.reader.get(), 0);
  }
  const auto pid = spawn(request);
  if (!pid) return unprocessable(failure_text(command, pid.error().message));
  for (Pipe* pipe : {&out, &err}) pipe->writer.reset();
  in.reader.reset();

  RunningCommand running(*pid, command.output_limit);
  const Descriptor end_of_command(static_cast<int>(::syscall(SYS_pidfd_open, *pid, 0)));
  std::string_view unsent = command.stdin_text;
  std::optional<Deadline> streams_until;
  while (!running.ended() || out.reader || err.reader) {
    Deadline wait = deadline;
    if (streams_until) wait = wait.or_sooner(*streams_until);
    if (!running.ended() && !end_of_command) wait = wait.or_sooner(Deadline::in(look_again));
    pollfd ready[] = {{in.writer.get(), POLLOUT, 0},
                      {out.reader.get(), POLLIN, 0},
                      {err.reader.get(), POLLIN, 0},
                      {running.ended() ? -1 : end_of_command.get(), POLLIN, 0}};
    ::poll(ready, std::size(ready), static_cast<int>(wait.left().count()));
    if (ready[0].revents) write_some(unsent, in.writer);
    if (ready[1].revents) running.read_into(running.output.stdout_text, out.reader);
    if (ready[2].revents) running.read_into(running.output.stderr_text, err.reader);
    running.look_for_end();
    if (running.ended() && !streams_until) streams_until = Deadline::in(after_exit);
    if (streams_until && streams_until->passed()) break;
    if (deadline.passed() && !running.ended())
      return Error{ErrorKind::timeout, "Command \"" + command.argv.front() + "\" did not finish in time"};
  }
  return std::move(running.output);
}

}  // namespace paperclip::os
