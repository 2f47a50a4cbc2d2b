#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include <atomic>
#include <thread>

#include "environments/live_run.h"
#include "environments/sandbox/pump.h"
#include "runner/base64.h"
#include "runner/callbacks.h"
#include "runner/frames.h"

namespace paperclip::environments::sandbox {

using namespace std::chrono_literals;
using runner::Frame;
using runner::FrameType;

namespace {

constexpr auto long_poll = 20s, execute_slack = 30s;

/// Frames of a whole message, as they came.
struct Sorted {
  std::string onward;  // what has to reach the runner
  std::optional<std::uint64_t> attach_offset;
};

/// Takes the whole frames at the beginning of `bytes`. Attaching and acknowledging is done by each exchange itself.
Sorted sort_frames(std::string& bytes) {
  Sorted sorted;
  std::size_t used = 0;
  for (;;) {
    Frame frame;
    const std::string_view left = std::string_view(bytes).substr(used);
    if (runner::read_frame(left, frame) != runner::FrameRead::complete) break;
    if (frame.type == FrameType::attach) sorted.attach_offset = runner::ByteReader(frame.payload).number<std::uint64_t>();
    else if (frame.type == FrameType::callback_open)  // we are a courier: each exchange is another connection
      runner::append_callback_open(sorted.onward, runner::ByteReader(frame.payload).number<std::uint64_t>(), runner::CallbackCarrier::courier);
    else if (frame.type != FrameType::hello && frame.type != FrameType::acknowledge) sorted.onward.append(left.substr(0, frame.size()));
    used += frame.size();
  }
  bytes.erase(0, used);
  return sorted;
}

bool begins_a_run(std::string_view frames) {
  Frame frame;
  return runner::read_frame(frames, frame) == runner::FrameRead::complete && frame.type == FrameType::start;
}

}  // namespace

struct ExchangePump::Shared {
  std::shared_ptr<const Sandbox> sandbox;
  std::string runner, directory;
  RunnerAccess::Verb verb;
  os::Descriptor ours, inner;
  std::atomic<bool> dropped{false};

  /// What came back: whether there may be more, and frames.
  struct Answer {
    bool ended = false;
    std::string frames;
  };
  Result<Answer> exchange(const std::string& frames, bool start, std::chrono::milliseconds wait) const {
    std::vector<std::string> argv{runner, "exchange", "--wait=" + std::to_string(wait.count())};
    if (start) argv.push_back("--start");
    argv.push_back(directory);
    const auto output = TRY(sandbox->execute(std::move(argv), {}, runner::to_base64(frames) + "\n", {}, Deadline::in(wait + execute_slack)));
    const std::string_view text = output.stdout_text;
    if (!output.ok() || (!text.starts_with("more\n") && !text.starts_with("end\n")))
      return Error(ErrorKind::bad_gateway, "The runner in the " + sandbox->label + " does not answer: " + output.stderr_text.substr(0, 300));
    return Answer{text.starts_with("end\n"), runner::from_base64(text.substr(text.find('\n') + 1))};
  }

  void send_onward(std::string bytes) const;
  bool give(std::string_view frames) const;
  void poll_for_output();
};

/// False when nobody takes it.
bool ExchangePump::Shared::give(std::string_view frames) const {
  while (!frames.empty()) {
    const ssize_t sent = ::send(inner.get(), frames.data(), frames.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    frames.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

/// Reads what the server says after the beginning; each word goes out by a command of its own, at once.
void ExchangePump::Shared::send_onward(std::string bytes) const {
  for (;;) {
    Sorted sorted = sort_frames(bytes);
    if (!sorted.onward.empty()) {
      std::string frames;
      runner::append_hello(frames);
      // A word that does not get through is said again by whoever said it, on the next connection.
      if (!exchange(frames + sorted.onward, false, 0ms)) break;
    }
    char buffer[128 * 1024];  // a command costs much more than its bytes
    const ssize_t got = ::recv(inner.get(), buffer, sizeof buffer, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    bytes.append(buffer, static_cast<std::size_t>(got));
  }
  ::shutdown(inner.get(), SHUT_RDWR);
}

void ExchangePump::Shared::poll_for_output() {
  // The beginning: hello, the command of a fresh run, attach.
  std::string bytes, first;
  std::optional<std::uint64_t> offset;
  while (!offset && !dropped) {
    char buffer[32 * 1024];
    const ssize_t got = ::recv(inner.get(), buffer, sizeof buffer, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return;
    bytes.append(buffer, static_cast<std::size_t>(got));
    Sorted sorted = sort_frames(bytes);
    first += sorted.onward;
    offset = sorted.attach_offset;
  }
  if (!offset) return;
  std::thread onward;
  bool start = verb == RunnerAccess::Verb::start && begins_a_run(first), said_hello = false;
  while (!dropped) {
    std::string frames;
    runner::append_hello(frames);
    frames += first;
    explicit_bzero(first.data(), first.size());
    first.clear();
    runner::append_attach(frames, *offset, run_window_bytes);
    auto answer = exchange(frames, start, long_poll);
    explicit_bzero(frames.data(), frames.size());
    start = false;
    if (!onward.joinable()) onward = std::thread([this, rest = std::move(bytes)]() mutable { send_onward(std::move(rest)); });
    if (!answer) break;
    std::string out;
    for (std::string_view left = answer->frames; !left.empty();) {
      Frame frame;
      if (runner::read_frame(left, frame) != runner::FrameRead::complete) break;  // the rest comes again with the next
      if (frame.type == FrameType::output) {
        const auto at = runner::ByteReader(frame.payload).number<std::uint64_t>();
        offset = at + frame.payload.size() - sizeof(std::uint64_t);
      }
      if (frame.type != FrameType::hello || !said_hello) out.append(left.substr(0, frame.size()));
      said_hello |= frame.type == FrameType::hello;
      left.remove_prefix(frame.size());
    }
    if (!give(out) || answer->ended) break;
  }
  ::shutdown(inner.get(), SHUT_WR);
  if (onward.joinable()) onward.join();
}

Result<std::shared_ptr<ExchangePump>> ExchangePump::start(std::shared_ptr<const Sandbox> sandbox, std::string runner, std::string directory,
                                                          RunnerAccess::Verb verb) {
  auto shared = std::make_shared<Shared>();
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return internal_error(std::string("Cannot make a socket pair: ") + ::strerror(errno));
  shared->ours.reset(ends[0]);
  shared->inner.reset(ends[1]);
  shared->sandbox = std::move(sandbox);
  shared->runner = std::move(runner);
  shared->directory = std::move(directory);
  shared->verb = verb;
  std::shared_ptr<ExchangePump> pump(new ExchangePump(shared));
  shared->sandbox->gate->run([shared] { shared->poll_for_output(); });
  return pump;
}

ExchangePump::~ExchangePump() {
  shared_->dropped = true;
  ::shutdown(shared_->inner.get(), SHUT_RDWR);
}

os::Descriptor ExchangePump::take_socket() { return std::move(shared_->ours); }

}  // namespace paperclip::environments::sandbox
