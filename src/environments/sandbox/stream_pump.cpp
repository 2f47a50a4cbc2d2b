#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "environments/sandbox/pump.h"

namespace paperclip::environments::sandbox {

using namespace std::chrono_literals;

/// Two threads hold it: one writes what came from the sandbox to the socket, one reads the socket into the sandbox. They
/// end when the command has, or nobody holds the pump any more.
struct StreamPump::Shared {
  std::shared_ptr<const Sandbox> sandbox;
  os::Descriptor ours;   // for whoever asked
  os::Descriptor inner;  // for the threads
  os::Descriptor bell;   // something to write, or the end

  std::mutex mutex;
  std::condition_variable changed;
  std::unique_ptr<plugins::Execution> execution;
  std::string from_sandbox, errors;
  bool dropped = false;  // nobody wants it any more
  std::optional<Result<os::CommandOutput>> ended;

  void ring() {
    const std::uint64_t one = 1;
    (void)!::write(bell.get(), &one, sizeof one);
  }
  void take(plugins::OutputStream stream, std::string_view bytes) {
    {
      const std::lock_guard lock(mutex);
      if (stream == plugins::OutputStream::stdout_stream) from_sandbox.append(bytes);
      else if (errors.size() < 64 * 1024) errors.append(bytes);
    }
    ring();
  }
  void watch();
  void write_out();
  void read_in(plugins::Execution& to);
};

/// Waits for the command's end.
void StreamPump::Shared::watch() {
  for (;;) {
    auto result = execution->wait(Deadline::in(24h));
    if (!result && result.error().kind == ErrorKind::timeout) continue;
    const std::lock_guard lock(mutex);
    if (!result) {
      ended.emplace(result.error());
    } else {
      os::CommandOutput output;
      output.exit_code = result->exit_code.value_or(1);
      output.stderr_text = errors + result->stderr_text;
      from_sandbox += result->stdout_text;
      ended.emplace(std::move(output));
    }
    break;
  }
  changed.notify_all();
  ring();
  ::shutdown(inner.get(), SHUT_RD);  // the reader ends
}

/// Gives the socket what came, then ends it.
void StreamPump::Shared::write_out() {
  std::string writing;
  std::size_t done = 0;
  for (;;) {
    bool over = false;
    if (done == writing.size()) {
      const std::lock_guard lock(mutex);
      writing = std::move(from_sandbox);
      from_sandbox.clear();
      done = 0;
      over = writing.empty() && (ended || dropped);
    }
    if (over) break;
    const bool wants = done < writing.size();
    pollfd polls[] = {{inner.get(), static_cast<short>(wants ? POLLOUT : 0), 0}, {bell.get(), POLLIN, 0}};
    ::poll(polls, 2, -1);
    if (polls[1].revents) {
      std::uint64_t rung;
      (void)!::read(bell.get(), &rung, sizeof rung);
    }
    if (wants && polls[0].revents) {
      const ssize_t sent = ::send(inner.get(), writing.data() + done, writing.size() - done, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent > 0) done += static_cast<std::size_t>(sent);
      if (sent < 0 && errno != EAGAIN && errno != EINTR) break;
    } else if (!wants && (polls[0].revents & (POLLHUP | POLLERR))) {
      break;
    }
  }
  ::shutdown(inner.get(), SHUT_RDWR);
}

void StreamPump::Shared::read_in(plugins::Execution& to) {
  char buffer[32 * 1024];
  for (;;) {
    const ssize_t got = ::recv(inner.get(), buffer, sizeof buffer, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    if (!to.write_input({buffer, static_cast<std::size_t>(got)}, Deadline::in(60s))) break;
    explicit_bzero(buffer, static_cast<std::size_t>(got));
  }
  bool is_dropped;
  {
    const std::lock_guard lock(mutex);
    is_dropped = dropped;
    if (ended) return;
  }
  (void)to.end_input(Deadline::in(10s));
  if (is_dropped && sandbox->provider->capabilities().cancel) (void)to.cancel("SIGTERM", Deadline::in(10s));
}

Result<std::shared_ptr<StreamPump>> StreamPump::start(std::shared_ptr<const Sandbox> sandbox, std::vector<std::string> argv, os::Environment environment) {
  auto shared = std::make_shared<Shared>();
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return internal_error(std::string("Cannot make a socket pair: ") + ::strerror(errno));
  shared->ours.reset(ends[0]);
  shared->inner.reset(ends[1]);
  shared->bell.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  shared->sandbox = std::move(sandbox);
  std::shared_ptr<StreamPump> pump(new StreamPump(shared));
  // Asking the worker may take its time, and who asks us has none.
  shared->sandbox->gate->run([shared, argv = std::move(argv), environment = std::move(environment)] {
    plugins::ExecuteRequest request;
    request.command = argv.front();
    request.args.assign(argv.begin() + 1, argv.end());
    request.cwd = shared->sandbox->cwd;
    for (const auto& [name, value] : environment) request.env[name] = value;
    request.timeout = std::chrono::hours(24 * 7);
    request.open_input = true;
    // The execution, whose callbacks these are, goes before what they hold.
    auto started = shared->sandbox->provider->start(shared->sandbox->context, shared->sandbox->lease, request,
                                                    [raw = shared.get()](plugins::OutputStream stream, std::string_view bytes) { raw->take(stream, bytes); });
    {
      const std::lock_guard lock(shared->mutex);
      if (started) shared->execution = std::move(*started);
      else shared->ended.emplace(started.error());
    }
    shared->changed.notify_all();
    shared->ring();
    std::thread writer([shared] { shared->write_out(); });
    if (shared->execution) {
      std::thread reader([shared] { shared->read_in(*shared->execution); });
      shared->watch();
      reader.join();
    }
    writer.join();
    shared->execution.reset();
  });
  return pump;
}

StreamPump::~StreamPump() {
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->dropped = true;
  }
  shared_->ring();
  ::shutdown(shared_->inner.get(), SHUT_RD);
}

os::Descriptor StreamPump::take_socket() { return std::move(shared_->ours); }

Result<os::CommandOutput> StreamPump::wait(Deadline deadline) {
  std::unique_lock lock(shared_->mutex);
  if (!shared_->changed.wait_until(lock, deadline.at(), [&] { return shared_->ended.has_value(); }))
    return Error(ErrorKind::timeout, "The command in the " + shared_->sandbox->label + " took too long");
  return *shared_->ended;
}

}  // namespace paperclip::environments::sandbox
