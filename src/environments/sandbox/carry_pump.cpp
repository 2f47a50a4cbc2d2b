#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include <atomic>
#include <charconv>
#include <condition_variable>
#include <mutex>

#include "base/random.h"
#include "base/text.h"
#include "environments/sandbox/pump.h"
#include "runner/base64.h"

namespace paperclip::environments::sandbox {

using namespace std::chrono_literals;

namespace {

/// A command of the provider costs much more than its bytes.
constexpr std::size_t most_carried = 512 * 1024;
/// While nobody has anything to say, each wait is twice as long as the one before.
constexpr std::chrono::milliseconds first_wait = 20ms, longest_wait = 1000ms, execute_slack = 30s;

/// What one turn brought.
struct Carried {
  bool ended = false;
  std::string bytes;
  os::CommandOutput output;  // once it has ended
};

std::optional<Carried> read_carried(std::string_view text) {
  const auto line = [&] {
    const auto end = std::min(text.find('\n'), text.size());
    const std::string_view found = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return found;
  };
  Carried carried;
  const std::string_view word = line();
  carried.ended = word.starts_with("end ");
  if (!carried.ended && word != "more") return std::nullopt;
  carried.bytes = runner::from_base64(line());
  if (!carried.ended) return carried;
  std::from_chars(word.data() + 4, word.data() + word.size(), carried.output.exit_code);
  carried.output.stderr_text = runner::from_base64(line());
  return carried;
}

}  // namespace

/// One thread holds it: it takes what the socket says to the command and brings back what that says, turn by turn.
struct CarryPump::Shared {
  std::shared_ptr<const Sandbox> sandbox;
  std::string runner, directory;
  os::Descriptor ours;   // for whoever asked
  os::Descriptor inner;  // for the thread
  std::atomic<bool> dropped{false};

  std::mutex mutex;
  std::condition_variable changed;
  std::optional<Result<os::CommandOutput>> ended;

  void end_with(Result<os::CommandOutput> outcome) {
    {
      const std::lock_guard lock(mutex);
      ended.emplace(std::move(outcome));
    }
    changed.notify_all();
    ::shutdown(inner.get(), SHUT_RDWR);
  }
  Error silent(const os::CommandOutput& output) const {
    const std::string_view words = trim(output.stderr_text);
    return {ErrorKind::unavailable, "The runner in the " + sandbox->label + " does not answer: " + std::string(words.substr(0, 300))};
  }
  /// Whatever the socket has now, up to a bound; `over` once it will say no more.
  std::string take(bool& over) const {
    std::string bytes;
    char buffer[64 * 1024];
    while (!over && bytes.size() < most_carried) {
      const ssize_t got = ::recv(inner.get(), buffer, sizeof buffer, MSG_DONTWAIT);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) break;
      over = got == 0;
      bytes.append(buffer, static_cast<std::size_t>(got));
    }
    return bytes;
  }
  bool give(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(inner.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  Result<Carried> turn(const std::string& bytes, bool end_input, std::chrono::milliseconds wait) const {
    std::vector<std::string> argv{runner, "carry", "--wait=" + std::to_string(wait.count())};
    if (end_input) argv.push_back("--end");
    argv.push_back(directory);
    const auto output = TRY(sandbox->execute(std::move(argv), {}, runner::to_base64(bytes) + "\n", "/", Deadline::in(wait + execute_slack)));
    auto carried = output.ok() ? read_carried(output.stdout_text) : std::nullopt;
    if (!carried) return silent(output);
    return *std::move(carried);
  }
  void work(std::vector<std::string> argv, const os::Environment& environment, const std::string& cwd) {
    argv.insert(argv.begin(), {runner, "hold", directory});
    auto held = sandbox->execute(std::move(argv), environment, {}, cwd, Deadline::in(execute_slack));
    if (!held) return end_with(held.error());
    if (!held->ok()) return end_with(silent(*held));
    std::chrono::milliseconds wait = first_wait;
    for (bool over = false, told_over = false; !dropped;) {
      const std::string bytes = take(over);
      const bool ends_now = over && !told_over;
      told_over = over;
      auto carried = turn(bytes, ends_now, bytes.size() >= most_carried ? 0ms : wait);
      if (!carried) return end_with(carried.error());
      if (!give(carried->bytes)) break;
      if (carried->ended) return end_with(std::move(carried->output));
      const bool moved = !bytes.empty() || !carried->bytes.empty();
      wait = moved ? first_wait : std::min(wait * 2, longest_wait);
    }
    (void)sandbox->execute({runner, "carry", "--drop", directory}, {}, {}, "/", Deadline::in(execute_slack));
    end_with(Error(ErrorKind::unavailable, "The command in the " + sandbox->label + " was given up"));
  }
};

Result<std::shared_ptr<CarryPump>> CarryPump::start(std::shared_ptr<const Sandbox> sandbox, std::string runner, std::vector<std::string> argv,
                                                    os::Environment environment, std::string cwd) {
  auto shared = std::make_shared<Shared>();
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return internal_error(std::string("Cannot make a socket pair: ") + ::strerror(errno));
  shared->ours.reset(ends[0]);
  shared->inner.reset(ends[1]);
  shared->sandbox = std::move(sandbox);
  shared->directory = runner.substr(0, runner.rfind('/')) + "/held-" + Random::system().hex(8);
  shared->runner = std::move(runner);
  std::shared_ptr<CarryPump> pump(new CarryPump(shared));
  shared->sandbox->gate->run([shared, argv = std::move(argv), environment = std::move(environment), cwd = std::move(cwd)]() mutable {
    shared->work(std::move(argv), environment, cwd);
  });
  return pump;
}

CarryPump::~CarryPump() {
  shared_->dropped = true;
  ::shutdown(shared_->inner.get(), SHUT_RDWR);
}

os::Descriptor CarryPump::take_socket() { return std::move(shared_->ours); }

Result<os::CommandOutput> CarryPump::wait(Deadline deadline) {
  std::unique_lock lock(shared_->mutex);
  if (!shared_->changed.wait_until(lock, deadline.at(), [&] { return shared_->ended.has_value(); }))
    return Error(ErrorKind::timeout, "The command in the " + shared_->sandbox->label + " took too long");
  return *shared_->ended;
}

}  // namespace paperclip::environments::sandbox
