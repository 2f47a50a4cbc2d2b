#include "runner/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "runner/run_directory.h"
#include "runner/sweep.h"

namespace paperclip::runner {
namespace {

constexpr std::int64_t start_wait_ms = 30'000;
constexpr std::int64_t sweep_limit_ms = 10'000;
constexpr std::int64_t append_retry_ms = 100;
constexpr std::int64_t disk_patience_ms = 5'000;  // after the agent's end; while it lives it simply waits
constexpr std::size_t client_limit = 16;

std::int64_t to_ms(const timeval& time) { return std::int64_t{time.tv_sec} * 1000 + time.tv_usec / 1000; }

std::int64_t after(std::int64_t ms) {
  const std::int64_t now = monotonic_ms();
  return ms > INT64_MAX - now ? INT64_MAX : now + ms;
}

}  // namespace

Supervisor::Supervisor(const Surroundings& surroundings) : surroundings_(surroundings) {
  report_.boundary = to_text(surroundings.boundary);
}

int Supervisor::run() {
  if (!prepare()) {
    if (errno == EEXIST) return 0;  // another run's directory: nothing in it is ours to write
    report_.lost_reason = "no_command";
    report_.lost_detail = "the run directory cannot be used: " + std::string(strerror(errno));
    close_with_report();
  }
  while (phase_ != Phase::closing || (monotonic_ms() < close_at_ && !clients_.empty())) wait_once();
  clients_.clear();
  sync_files();
  return report_text_.empty() ? 1 : 0;
}

bool Supervisor::prepare() {
  sigset_t handled;
  sigemptyset(&handled);
  for (const int number : {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGPIPE}) sigaddset(&handled, number);
  sigprocmask(SIG_BLOCK, &handled, nullptr);
  sigdelset(&handled, SIGPIPE);
  signals_.reset(signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK));
  clients_.push_back(std::make_unique<Client>(Descriptor(surroundings_.first_client)));
  start_by_ = after(start_wait_ms);
  if (!log_.create(surroundings_.directory)) return false;

  // The runner stands in the run directory, so that the name is short wherever that is.
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  strcpy(address.sun_path, file::control);
  listener_.reset(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  return fchdir(surroundings_.directory) == 0 &&
         bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 && listen(listener_.get(), 8) == 0;
}

void Supervisor::wait_once() {
  std::vector<pollfd> ready;
  ready.reserve(5 + clients_.size());
  const auto add = [&](int fd, int events) { ready.push_back({fd, static_cast<short>(events), 0}); };
  const bool reading = may_read_output();
  add(signals_.get(), POLLIN);
  add(clients_.size() < client_limit ? listener_.get() : -1, POLLIN);
  add(agent_.in ? agent_.in.get() : -1, POLLOUT);
  add(reading ? agent_.out.get() : -1, POLLIN);
  add(reading ? agent_.err.get() : -1, POLLIN);
  constexpr std::size_t first_client = 5;
  for (const auto& client : clients_) add(client->socket(), client->wants_to_send(log_) ? POLLIN | POLLOUT : POLLIN);
  const std::size_t clients_end = ready.size();
  std::vector<std::size_t> part_begins;
  for (const auto& part : parts_) {
    part_begins.push_back(ready.size());
    part->watch(ready);
  }
  part_begins.push_back(ready.size());

  const std::int64_t deadline = next_deadline();
  const std::int64_t wait = deadline == never ? -1 : std::clamp<std::int64_t>(deadline - monotonic_ms(), 0, 3'600'000);
  if (poll(ready.data(), ready.size(), static_cast<int>(wait)) < 0) return;

  // Output before signals: what an agent said before it ended is in the log before its end is seen.
  if (ready[2].revents) feed_stdin();
  if (ready[3].revents) read_output(agent_.out, RecordStream::stdout_);
  if (ready[4].revents) read_output(agent_.err, RecordStream::stderr_);
  if (ready[0].revents) handle_signals();
  for (std::size_t i = 0; i < parts_.size(); ++i)
    parts_[i]->on_ready(ready.data() + part_begins[i], part_begins[i + 1] - part_begins[i]);
  for (std::size_t i = first_client; i < clients_end; ++i) {
    Client& client = *clients_[i - first_client];
    if (ready[i].revents & (POLLIN | POLLHUP | POLLERR))
      client.receive([&](const Frame& frame) { handle_frame(client, frame); });
  }
  if (ready[1].revents) accept_clients();
  advance();
}

std::int64_t Supervisor::next_deadline() const {
  std::int64_t parts = never;
  for (const auto& part : parts_) parts = std::min(parts, part->deadline());
  return std::min({parts, phase_ == Phase::awaiting_start ? start_by_ : never, phase_ == Phase::running ? timeout_at_ : never,
                   phase_ == Phase::running ? sweep_at_ : never, phase_ == Phase::closing ? close_at_ : never,
                   log_.pending() ? append_again_at_ : never});
}

/// Does what time and events have made due.
void Supervisor::advance() {
  const std::int64_t now = monotonic_ms();
  if (log_.pending() && now >= append_again_at_ && !log_.append_again()) append_again_at_ = after(append_retry_ms);
  if (phase_ == Phase::awaiting_start && (now >= start_by_ || clients_.front()->gone())) give_up_start();
  if (phase_ == Phase::running) {
    if (now >= timeout_at_) {
      timeout_at_ = never;
      report_.timed_out = true;
      stop(grace_ms_);
    }
    const bool silent = !agent_.out && !agent_.err;
    if ((agent_exited_ && silent) || now >= sweep_at_) {
      if (parts_are_ready_to_end()) finish();
    } else if (agent_exited_ && !draining_) {
      // Also after a stop: a grace is for the agent, not for what it left behind in the background.
      draining_ = true;
      sweep_at_ = std::min(sweep_at_, after(drain_ms_));
    }
  }
  for (auto& part : parts_) part->advance();
  for (auto& client : clients_) {
    if (phase_ == Phase::closing && !client->told_exit && client->caught_up(log_)) {
      append_message(client->outbox(), FrameType::exited, report_text_);
      client->told_exit = true;
    }
    if (!client->gone()) client->send(log_);
    acknowledged_ = std::max(acknowledged_, client->acknowledged());
    if (client->told_exit && client->all_sent()) client->close();
  }
  for (auto& client : clients_) {
    if (!client->gone() || client->told_gone) continue;
    client->told_gone = true;
    for (auto& part : parts_) part->client_gone(*client);
  }
  // The first client stays in its place until the command has come from it.
  if (phase_ != Phase::awaiting_start) std::erase_if(clients_, [](const auto& client) { return client->gone(); });
}

void Supervisor::handle_signals() {
  signalfd_siginfo info;
  while (read(signals_.get(), &info, sizeof info) == sizeof info) {
    if (info.ssi_signo == SIGCHLD) continue;
    if (phase_ == Phase::closing || stopping_) continue;
    report_.lost_reason = "runner_stopped";
    report_.lost_detail = "the runner was told to stop by " + signal_name(static_cast<int>(info.ssi_signo));
    if (phase_ == Phase::running) stop(grace_ms_);
    if (phase_ == Phase::awaiting_start) give_up_start();
  }
  reap();
}

void Supervisor::reap() {
  int status = 0;
  rusage usage{};
  for (pid_t pid; (pid = wait4(-1, &status, WNOHANG, &usage)) > 0;) note_reaped(pid, status, usage);
}

void Supervisor::note_reaped(pid_t pid, int wait_status, const rusage& usage) {
  if (pid != agent_.pid || agent_exited_) return;
  agent_exited_ = true;
  if (WIFEXITED(wait_status)) report_.exit_code = WEXITSTATUS(wait_status);
  if (WIFSIGNALED(wait_status)) report_.signal = WTERMSIG(wait_status);
  report_.user_ms = to_ms(usage.ru_utime);
  report_.system_ms = to_ms(usage.ru_stime);
  report_.max_rss_kib = usage.ru_maxrss;
}

void Supervisor::accept_clients() {
  const int fd = accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return;
  ucred peer{};
  socklen_t size = sizeof peer;
  const bool known = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0;
  Descriptor socket(fd);
  if (known && (peer.uid == 0 || peer.uid == geteuid())) clients_.push_back(std::make_unique<Client>(std::move(socket)));
}

void Supervisor::handle_frame(Client& client, const Frame& frame) {
  ByteReader reader(frame.payload);
  switch (frame.type) {
    case FrameType::hello:
      append_hello(client.outbox());
      if (!hello_fits(frame.payload)) append_frame(client.outbox(), FrameType::error, "the runner speaks another version of the protocol");
      return;
    case FrameType::start:
      if (phase_ == Phase::awaiting_start && &client == clients_.front().get()) receive_start(frame);
      return;
    case FrameType::attach:
    case FrameType::status:
      if (started_.agent_pid != 0) append_started(client.outbox(), started_);
      if (frame.type == FrameType::attach)
        for (auto& part : parts_) part->client_attached(client);
      return;
    case FrameType::stop: {
      const auto grace = reader.number<std::uint32_t>();
      const auto reason = static_cast<StopReason>(reader.number<std::uint8_t>());
      if (!reader.ok() || phase_ == Phase::closing) return;
      if (reason == StopReason::cancelled) report_.cancelled = true;
      if (phase_ == Phase::running) stop(grace);
      return;
    }
    case FrameType::signal: {
      const auto number = reader.number<std::uint32_t>();
      if (reader.ok() && phase_ == Phase::running && !agent_exited_) kill(-agent_.pid, static_cast<int>(number));
      return;
    }
    default:
      // What nobody knows is skipped: a newer peer may say more than we understand.
      for (auto& part : parts_)
        if (part->handle(client, frame)) return;
      return;
  }
}

void Supervisor::receive_start(const Frame& frame) {
  if (start_bytes_.empty()) {
    const auto total = ByteReader(frame.payload).number<std::uint64_t>();
    if (total > start_message_limit) {
      report_.start_error = "The command with its environment and prompt is too long: " + std::to_string(total) + " bytes";
      return close_with_report();
    }
    start_bytes_.reserve(total);  // so that no growing leaves copies of secrets behind
  }
  if (start_bytes_.size() + frame.payload.size() > start_message_limit) return give_up_start();
  start_bytes_.append(frame.payload);
  if (!(frame.flags & frame_continues)) launch();
}

void Supervisor::launch() {
  auto message = decode_start(start_bytes_);
  if (!message) return give_up_start();
  report_.run_id = message->run_id;
  grace_ms_ = static_cast<std::int64_t>(message->grace_ms);
  drain_ms_ = static_cast<std::int64_t>(message->drain_ms);
  backlog_bytes_ = message->backlog_bytes;
  write_run_file(*message);
  if (report_.cancelled) return close_with_report();
  if (!prepare_parts(*message)) return close_with_report();

  const bool namespaced = surroundings_.boundary != Boundary::subreaper;
  report_.start_error = start_agent(*message, {surroundings_.machine_proc, !namespaced}, agent_);
  if (!report_.start_error.empty()) return close_with_report();
  phase_ = Phase::running;
  started_.agent_pid = started_.agent_group = agent_.machine_pid;
  started_.guardian_pid = surroundings_.guardian;
  started_.started_ms = report_.started_ms = wall_ms();
  if (message->timeout_ms > 0) timeout_at_ = after(static_cast<std::int64_t>(message->timeout_ms));
  write_pid_file();
  for (auto& client : clients_)
    if (client->attached()) append_started(client->outbox(), started_);

  // Only the text for stdin is needed from here on.
  stdin_left_ = message->stdin_text;
  const auto before = static_cast<std::size_t>(stdin_left_.data() - start_bytes_.data()), after_it = before + stdin_left_.size();
  explicit_bzero(start_bytes_.data(), before);
  explicit_bzero(start_bytes_.data() + after_it, start_bytes_.size() - after_it);
  if (stdin_left_.empty()) start_bytes_ = std::string();
  feed_stdin();
}

bool Supervisor::prepare_parts(StartMessage& message) {
  for (auto& part : parts_) {
    report_.start_error = part->prepare(message, added_environment_);
    if (!report_.start_error.empty()) return false;
  }
  for (const std::string& entry : added_environment_) {
    const std::string_view name = std::string_view(entry).substr(0, entry.find('=') + 1);
    std::erase_if(message.environment, [&](std::string_view known) { return known.substr(0, name.size()) == name; });
  }
  message.environment.insert(message.environment.end(), added_environment_.begin(), added_environment_.end());
  return true;
}

bool Supervisor::parts_are_ready_to_end() {
  if (stopping_) return true;
  bool ready = true;
  for (auto& part : parts_) ready &= part->ready_to_end();
  return ready;
}

void Supervisor::feed_stdin() {
  while (agent_.in && !stdin_left_.empty()) {
    const ssize_t written = write(agent_.in.get(), stdin_left_.data(), stdin_left_.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EAGAIN) return;
    if (written < 0) break;  // the agent reads no more: its affair
    stdin_left_.remove_prefix(static_cast<std::size_t>(written));
  }
  agent_.in.reset();
  explicit_bzero(start_bytes_.data(), start_bytes_.size());
  start_bytes_ = std::string();
  stdin_left_ = {};
}

bool Supervisor::may_read_output() const {
  return !log_.pending() && (backlog_bytes_ == 0 || log_.size() - acknowledged_ < backlog_bytes_);
}

void Supervisor::read_output(Descriptor& pipe, RecordStream stream) {
  if (!pipe || log_.pending()) return;
  const ssize_t got = read(pipe.get(), log_.room(), OutputLog::room_bytes);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return pipe.reset();
  if (!log_.append(stream, static_cast<std::size_t>(got))) append_again_at_ = after(append_retry_ms);
}

/// Takes what is still in a pipe whose writers are gone.
void Supervisor::drain(Descriptor& pipe, RecordStream stream) {
  const std::int64_t patience = after(disk_patience_ms);
  while (pipe) {
    while (log_.pending() && !log_.append_again()) {
      if (monotonic_ms() >= patience) {
        report_.dropped_bytes += log_.drop_pending();
      } else {
        poll(nullptr, 0, static_cast<int>(append_retry_ms));
      }
    }
    const ssize_t got = read(pipe.get(), log_.room(), OutputLog::room_bytes);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return pipe.reset();
    (void)log_.append(stream, static_cast<std::size_t>(got));
  }
}

/// Asks the group to end; the sweep follows when the grace is over.
void Supervisor::stop(std::int64_t grace_ms) {
  stopping_ = true;
  if (!agent_exited_) {
    kill(-agent_.pid, SIGTERM);
    kill(-agent_.pid, SIGCONT);
  }
  sweep_at_ = std::min(sweep_at_, after(grace_ms));
}

void Supervisor::finish() {
  report_.processes_left = sweep(after(sweep_limit_ms), [this](pid_t pid, int status, const rusage& usage) {
    note_reaped(pid, status, usage);
  });
  for (auto& part : parts_) part->agent_ended();
  agent_.in.reset();
  drain(agent_.out, RecordStream::stdout_);
  drain(agent_.err, RecordStream::stderr_);
  close_with_report();
}

void Supervisor::give_up_start() {
  if (report_.lost_reason.empty()) {
    report_.lost_reason = "no_command";
    report_.lost_detail = "the server went away before the command was complete";
  }
  close_with_report();
}

}  // namespace paperclip::runner
