#pragma once

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "paperclip/sdk/environment.h"

namespace paperclip::sdk {

/// A descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~Descriptor() { reset(); }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  void reset(int fd = -1) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }

 private:
  int fd_;
};

struct Pipe {
  Descriptor reader, writer;
  static Pipe make() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw Error(std::string("Cannot make a pipe: ") + ::strerror(errno));
    return {Descriptor(ends[0]), Descriptor(ends[1])};
  }
};

/// "SIGTERM" and its like.
inline std::string signal_name(int number) {
  const char* name = ::sigabbrev_np(number);
  return name ? std::string("SIG") + name : "signal " + std::to_string(number);
}

/// How a command ended.
struct CommandEnd {
  std::optional<int> exit_code;
  int signal = 0;
};

/// A command that was started somewhere, with our ends of its pipes.
class RunningCommand {
 public:
  virtual ~RunningCommand() = default;
  Descriptor in, out, err;  // in may be none
  /// Readable once it has ended.
  virtual int ended() const = 0;
  /// To its whole tree.
  virtual void signal(int number) = 0;
  /// Called once `ended` is readable. Throws if its end is not known.
  virtual CommandEnd end() = 0;
};

struct Patience {
  std::chrono::milliseconds timeout{0};   // 0: none
  std::chrono::milliseconds grace{2'000};  // from SIGTERM to SIGKILL after the timeout
  std::chrono::milliseconds drain{500};    // for the last words of children that hold the pipes, once the command ended
};

/// Sees a command to its end: writes its stdin (`text`, then what the host sends), passes its output on, sends on the
/// host's signals, and stops it after the timeout.
inline ExecuteResult attend(RunningCommand& command, std::string_view text, const Patience& patience, Execution& execution) {
  using std::chrono::steady_clock;
  const auto start = steady_clock::now();
  std::optional<steady_clock::time_point> stop_at, kill_at, leave_at;
  if (patience.timeout.count() > 0) stop_at = start + patience.timeout;
  for (const Descriptor* pipe : {&command.in, &command.out, &command.err})
    if (*pipe) ::fcntl(pipe->get(), F_SETFL, ::fcntl(pipe->get(), F_GETFL) | O_NONBLOCK);

  std::string input(text);
  std::size_t written = 0;
  bool host_is_done = !execution.opens_input(), ended = false;
  ExecuteResult result;
  CommandEnd end;
  const auto read_from = [&](Descriptor& pipe, OutputStream stream) {
    char piece[64 * 1024];
    const ssize_t got = ::read(pipe.get(), piece, sizeof piece);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) return pipe.reset();
    execution.output(stream, {piece, static_cast<std::size_t>(got)});
  };

  while (!ended || ((command.out || command.err) && steady_clock::now() < *leave_at)) {
    if (written == input.size()) {
      input.clear();
      written = 0;
      if (host_is_done) command.in.reset();
    }
    const bool wants_bell = !ended;
    pollfd ready[] = {{command.out.get(), POLLIN, 0},
                      {command.err.get(), POLLIN, 0},
                      {written < input.size() ? command.in.get() : -1, POLLOUT, 0},
                      {wants_bell ? execution.bell() : -1, POLLIN, 0},
                      {ended ? -1 : command.ended(), POLLIN, 0}};
    std::optional<steady_clock::time_point> next = leave_at;
    for (const auto& at : {stop_at, kill_at})
      if (at && (!next || *at < *next)) next = at;
    const auto wait = next ? std::clamp<std::int64_t>(std::chrono::ceil<std::chrono::milliseconds>(*next - steady_clock::now()).count(), 0, 3'600'000) : -1;
    if (::poll(ready, std::size(ready), static_cast<int>(wait)) < 0 && errno != EINTR) throw Error(std::string("poll: ") + ::strerror(errno));

    if (ready[0].revents) read_from(command.out, OutputStream::stdout_stream);
    if (ready[1].revents) read_from(command.err, OutputStream::stderr_stream);
    if (ready[2].revents) {
      const ssize_t put = ::write(command.in.get(), input.data() + written, input.size() - written);
      if (put > 0) written += static_cast<std::size_t>(put);
      if (put < 0 && errno != EAGAIN && errno != EINTR) {  // it reads no more: its affair
        command.in.reset();
        written = input.size();
      }
    }
    if (ready[3].revents) {
      for (const int number : execution.take_signals()) command.signal(number);
      if (written == input.size()) {
        input = execution.take_input();
        written = command.in ? 0 : input.size();
        host_is_done = host_is_done || execution.input_ended();
      } else {
        // The bell stays loud until the earlier bytes are written; wait for that, or for anything else.
        pollfd writable{command.in.get(), POLLOUT, 0};
        ::poll(&writable, command.in ? 1 : 0, 20);
      }
    }
    const auto now = steady_clock::now();
    if (ready[4].revents) {
      end = command.end();
      ended = true;
      leave_at = now + patience.drain;
      stop_at = kill_at = std::nullopt;
    }
    if (stop_at && now >= *stop_at) {
      result.timed_out = true;
      command.signal(SIGTERM);
      kill_at = now + patience.grace;
      stop_at.reset();
    } else if (kill_at && now >= *kill_at) {
      command.signal(SIGKILL);
      kill_at.reset();
    }
  }
  if (!result.timed_out) result.exit_code = end.exit_code;
  if (end.signal != 0) result.signal = signal_name(end.signal);
  return result;
}

}  // namespace paperclip::sdk
