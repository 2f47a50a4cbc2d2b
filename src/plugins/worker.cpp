#include "plugins/worker.h"

#include <errno.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/enum.h"
#include "base/text.h"
#include "plugins/worker_process.h"

namespace paperclip::plugins {

namespace {

constexpr std::size_t most_outgoing = 512u * 1024 * 1024;

std::string exit_text(int code, int signal) {
  const auto name = [&]() -> std::string {
    const char* abbreviation = ::sigabbrev_np(signal);
    return abbreviation != nullptr ? std::string("SIG") + abbreviation : std::to_string(signal);
  };
  return "Worker process exited (code=" + (signal != 0 ? "null" : std::to_string(code)) + ", signal=" + (signal != 0 ? name() : "null") + ")";
}

// What a worker printed must not write our log: control characters become spaces.
std::string printable(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  return out;
}

std::set<std::string, std::less<>> words_at(const json::value& value, std::string_view key) {
  std::set<std::string, std::less<>> words;
  if (const auto* list = member(value, key); list != nullptr && list->is_array())
    for (const auto& item : list->get_array())
      if (item.is_string()) words.emplace(item.get_string());
  return words;
}

}  // namespace

Worker::Worker(WorkerOptions options) : options_(std::move(options)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  thread_ = std::thread([this] { run(); });
}

Worker::~Worker() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
    stop_requested_ = true;
    kill_process(SIGKILL);
  }
  changed_.notify_all();
  wake();
  thread_.join();
}

void Worker::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
}

bool Worker::running() const {
  std::lock_guard lock(mutex_);
  return status_ == WorkerStatus::running;
}

bool Worker::supports(std::string_view method) const {
  std::lock_guard lock(mutex_);
  return status_ == WorkerStatus::running && supported_.contains(method);
}

bool Worker::has_extension(std::string_view name) const {
  std::lock_guard lock(mutex_);
  return status_ == WorkerStatus::running && extensions_.contains(name);
}

WorkerDiagnostics Worker::diagnostics() const {
  std::lock_guard lock(mutex_);
  WorkerDiagnostics now;
  now.status = status_;
  if (pid_ > 0) now.pid = pid_;
  if (status_ == WorkerStatus::running && running_since_) now.uptime_ms = (options_.clock->now() - *running_since_).count();
  now.consecutive_crashes = consecutive_crashes_;
  now.total_crashes = total_crashes_;
  now.pending_requests = pending_.size();
  if (last_crash_at_) now.last_crash_at = last_crash_at_->ms;
  if (next_restart_at_) now.next_restart_at = next_restart_at_->ms;
  return now;
}

Result<> Worker::start() {
  std::unique_lock lock(mutex_);
  if (status_ != WorkerStatus::stopped)
    return conflict("Worker already registered for plugin \"" + options_.plugin_id + "\" (status: " + std::string(to_text(status_)) + ")");
  status_ = WorkerStatus::starting;
  start_requested_ = true;
  first_start_ = true;
  stop_requested_ = false;
  start_error_.reset();
  changed_.notify_all();
  changed_.wait(lock, [&] { return status_ == WorkerStatus::running || start_error_ || status_ == WorkerStatus::stopped; });
  if (start_error_) return Error(ErrorKind::bad_gateway, *start_error_);
  if (status_ != WorkerStatus::running) return Error(ErrorKind::unavailable, "Worker for \"" + options_.plugin_id + "\" was stopped while it started");
  return {};
}

void Worker::stop() {
  std::unique_lock lock(mutex_);
  stop_requested_ = true;
  restart_at_.reset();
  next_restart_at_.reset();
  if (pid_ <= 0 && process_ == nullptr && !start_requested_) {
    status_ = WorkerStatus::stopped;
    changed_.notify_all();
    return;
  }
  const bool was_up = status_ == WorkerStatus::running;
  status_ = WorkerStatus::stopping;
  changed_.notify_all();
  if (was_up) {
    const std::int64_t id = next_id_++;
    auto answered = std::make_shared<bool>(false);
    pending_[id] = [this, answered](RpcAnswer) {
      std::lock_guard guard(mutex_);
      *answered = true;
      changed_.notify_all();
    };
    enqueue(request_frame(id, "shutdown", json::object()));
    changed_.wait_for(lock, options_.timing.shutdown, [&] { return *answered || process_ == nullptr; });
    pending_.erase(id);
  }
  if (!wait_for_exit(lock, was_up ? options_.timing.after_shutdown : std::chrono::milliseconds(0))) {
    kill_process(SIGTERM);
    if (!wait_for_exit(lock, options_.timing.after_term)) {
      kill_process(SIGKILL);
      wait_for_exit(lock, options_.timing.after_kill);
    }
  }
  status_ = WorkerStatus::stopped;
  changed_.notify_all();
}

bool Worker::wait_for_exit(std::unique_lock<std::mutex>& lock, std::chrono::milliseconds limit) {
  return changed_.wait_for(lock, limit, [&] { return process_ == nullptr && !start_requested_; });
}

void Worker::kill_process(int signal) {
  if (pid_ <= 0) return;
  if (signal == SIGKILL) ::kill(-pid_, SIGKILL);
  ::kill(pid_, signal);
}

std::optional<std::string> Worker::not_callable(std::string_view method) const {
  const std::string call = "Cannot call \"" + std::string(method) + "\" — worker for \"" + options_.plugin_id + "\" is ";
  if (status_ != WorkerStatus::running && status_ != WorkerStatus::starting)
    return call + (status_ == WorkerStatus::stopped ? std::string("not running") : std::string(to_text(status_)));
  if (process_ == nullptr) return call + "not running";
  return std::nullopt;
}

bool Worker::enqueue(std::string frame) {
  if (process_ == nullptr || outgoing_bytes_ + frame.size() > most_outgoing) return false;
  outgoing_bytes_ += frame.size();
  outgoing_.push_back(std::move(frame));
  wake();
  return true;
}

std::int64_t Worker::send(std::string_view method, const json::value& params, Done done) {
  {
    std::lock_guard lock(mutex_);
    const auto reason = not_callable(method);
    if (!reason) {
      const std::int64_t id = next_id_++;
      if (enqueue(request_frame(id, method, params))) {
        pending_[id] = std::move(done);
        return id;
      }
      // Falls through to the answer below.
    }
  }
  std::string reason = "Cannot call \"" + std::string(method) + "\" — worker for \"" + options_.plugin_id + "\" takes no more";
  {
    std::lock_guard lock(mutex_);
    if (auto now = not_callable(method)) reason = *std::move(now);
  }
  done(RpcAnswer::failed(rpc_code::worker_unavailable, std::move(reason)));
  return 0;
}

void Worker::forget(std::int64_t request) {
  std::lock_guard lock(mutex_);
  pending_.erase(request);
}

RpcAnswer Worker::call(std::string_view method, const json::value& params, std::chrono::milliseconds timeout, bool unlimited) {
  if (timeout.count() <= 0) timeout = options_.timing.call;
  if (!unlimited) timeout = std::min(timeout, options_.timing.longest_call);
  struct Waiting {
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<RpcAnswer> answer;
  };
  auto waiting = std::make_shared<Waiting>();
  const auto id = send(method, params, [waiting](RpcAnswer answer) {
    std::lock_guard lock(waiting->mutex);
    waiting->answer = std::move(answer);
    waiting->changed.notify_all();
  });
  std::unique_lock lock(waiting->mutex);
  if (!waiting->changed.wait_for(lock, timeout, [&] { return waiting->answer.has_value(); })) {
    lock.unlock();
    forget(id);
    lock.lock();
    if (!waiting->answer)
      return RpcAnswer::failed(rpc_code::timeout, "RPC call \"" + std::string(method) + "\" timed out after " + std::to_string(timeout.count()) + "ms");
  }
  return *std::move(waiting->answer);
}

void Worker::notify(std::string_view method, const json::value& params) {
  std::lock_guard lock(mutex_);
  if (status_ == WorkerStatus::running) enqueue(notification_frame(method, params));
}

std::string Worker::with_stderr(std::string message) const {
  const auto excerpt = trim(stderr_tail_);
  if (excerpt.empty() || message.find(excerpt) != std::string::npos) return message;
  return message + "\n\nWorker stderr:\n" + std::string(excerpt);
}

void Worker::run() {
  // A worker that went must be an error of write, not our end.
  sigset_t pipe;
  ::sigemptyset(&pipe);
  ::sigaddset(&pipe, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  std::unique_lock lock(mutex_);
  while (!ending_) {
    if (start_requested_ && stop_requested_) {
      start_requested_ = false;
      changed_.notify_all();
    }
    const bool due = restart_at_ && restart_at_->passed() && !stop_requested_;
    if (start_requested_ || due) {
      if (due) first_start_ = false;
      launch_process(lock);
      if (process_ != nullptr) serve(lock);
      continue;
    }
    if (restart_at_) changed_.wait_until(lock, restart_at_->at());
    else changed_.wait(lock);
  }
}

void Worker::launch_process(std::unique_lock<std::mutex>& lock) {
  restart_at_.reset();
  next_restart_at_.reset();
  status_ = WorkerStatus::starting;
  stderr_tail_.clear();
  supported_.clear();
  extensions_.clear();
  lock.unlock();
  auto launch = options_.launch();
  Result<std::unique_ptr<Process>> started = launch ? Process::start(*launch, options_.max_frame) : Result<std::unique_ptr<Process>>(launch.error());
  lock.lock();
  start_requested_ = false;
  changed_.notify_all();
  if (!started) {
    fail_start("Worker initialize failed for \"" + options_.plugin_id + "\": " + started.error().message);
    return;
  }
  process_ = *std::move(started);
  pid_ = process_->pid();
  if (stop_requested_ || ending_) {
    kill_process(SIGKILL);
    return;
  }
  offered_ = words_at(launch->initialize, "extensions");
  const std::int64_t id = next_id_++;
  enqueue(request_frame(id, "initialize", launch->initialize));
  pending_[id] = [this](RpcAnswer answer) { handle_initialized(answer); };
  handshake_until_ = Deadline::in(options_.timing.initialize);
}

// A first start that fails is reported and not tried again.
void Worker::fail_start(std::string message) {
  if (stop_requested_) return;
  status_ = WorkerStatus::crashed;
  if (first_start_) start_error_ = std::move(message);
  else spdlog::error("plugin.restart_failed plugin={} error={}", options_.plugin_id, message);
  changed_.notify_all();
}

void Worker::handle_initialized(const RpcAnswer& answer) {
  std::function<void()> announce;
  {
    std::lock_guard lock(mutex_);
    handshake_until_.reset();
    if (process_ == nullptr || status_ != WorkerStatus::starting) return;
    const auto* ok = answer.ok() ? member(answer.result, "ok") : nullptr;
    if (ok != nullptr && ok->is_bool() && ok->get_bool()) {
      supported_ = words_at(answer.result, "supportedMethods");
      for (const auto& name : words_at(answer.result, "extensions"))
        if (offered_.contains(name)) extensions_.insert(name);
      consecutive_crashes_ = 0;
      status_ = WorkerStatus::running;
      running_since_ = options_.clock->now();
      announce = options_.on_running;
    } else {
      process_->start_failure = answer.ok() ? "Worker did not accept the initialization" : answer.failure->message;
      kill_process(SIGKILL);
    }
    changed_.notify_all();
  }
  if (announce) announce();
}

void Worker::handle_line(std::string_view line) {
  line = trim(line);
  if (line.empty()) return;
  auto message = parse_message(line);
  if (!message) {
    spdlog::warn("plugin.noise plugin={} line={}", options_.plugin_id, printable(utf16_prefix(line, 200)));
    return;
  }
  switch (message->kind) {
    case RpcMessage::Kind::response: {
      Done done;
      {
        std::lock_guard lock(mutex_);
        const auto at = message->id.is_int64() ? pending_.find(message->id.get_int64()) : pending_.end();
        if (at != pending_.end()) {
          done = std::move(at->second);
          pending_.erase(at);
        }
      }
      if (done) done(std::move(message->answer));
      else spdlog::warn("plugin.late_answer plugin={} id={}", options_.plugin_id, to_string(message->id));
      return;
    }
    case RpcMessage::Kind::request: {
      // The worker may be gone and started again when the answer is ready; its number says which process asked.
      const pid_t asked_by = pid_;
      auto shared = std::make_shared<RpcMessage>(*std::move(message));
      const bool posted = options_.pool->post([this, shared, asked_by] {
        RpcAnswer answer;
        try {
          answer = options_.on_request(shared->method, shared->params);
        } catch (const std::exception& problem) {
          answer = RpcAnswer::failed(rpc_code::internal_error, problem.what());
        }
        std::lock_guard lock(mutex_);
        if (pid_ == asked_by) enqueue(answer_frame(shared->id, answer));
        if (--process_requests_ == 0) changed_.notify_all();
      });
      std::lock_guard lock(mutex_);
      if (posted) ++process_requests_;
      else enqueue(answer_frame(shared->id, RpcAnswer::failed(rpc_code::internal_error, "The host is stopping")));
      return;
    }
    case RpcMessage::Kind::notification: options_.on_notification(message->method, message->params); return;
    case RpcMessage::Kind::unknown: spdlog::warn("plugin.unknown_message plugin={} line={}", options_.plugin_id, printable(utf16_prefix(line, 200))); return;
  }
}

void Worker::handle_stderr(std::string_view line) {
  spdlog::warn("plugin.stderr plugin={} line={}", options_.plugin_id, printable(line));
  std::lock_guard lock(mutex_);
  if (!stderr_tail_.empty()) stderr_tail_ += '\n';
  stderr_tail_ += line;
  if (stderr_tail_.size() > 8000) stderr_tail_ = std::string(utf8_tail(stderr_tail_, 8000));
}

void Worker::serve(std::unique_lock<std::mutex>& lock) {
  Process& process = *process_;
  while (true) {
    const bool has_output = !outgoing_.empty();
    const auto until = handshake_until_;
    lock.unlock();
    const auto seen = process.wait(wake_.get(), has_output, until.value_or(Deadline::never()));
    process.read([this](std::string_view line) { handle_line(line); }, [this](std::string_view line) { handle_stderr(line); });
    lock.lock();
    if (handshake_until_ && handshake_until_->passed() && status_ == WorkerStatus::starting) {
      handshake_until_.reset();
      process.start_failure = "RPC call \"initialize\" timed out after " + std::to_string(options_.timing.initialize.count()) + "ms";
      kill_process(SIGKILL);
    }
    while (!outgoing_.empty()) {
      const std::size_t before = outgoing_.front().size();
      const bool whole = process.write(outgoing_.front());
      outgoing_bytes_ -= before - outgoing_.front().size();
      if (!whole) break;
      outgoing_.pop_front();
    }
    if (!seen.exited) continue;
    lock.unlock();
    process.drain([this](std::string_view line) { handle_line(line); }, [this](std::string_view line) { handle_stderr(line); });
    lock.lock();
    const auto [code, signal] = process.reap();
    process_ended(lock, code, signal);
    return;
  }
}

void Worker::process_ended(std::unique_lock<std::mutex>& lock, int code, int signal) {
  const std::string start_failure = process_->start_failure;
  const std::string text = with_stderr(start_failure.empty() ? exit_text(code, signal) : start_failure);
  const bool was_starting = status_ == WorkerStatus::starting;
  const bool wanted = stop_requested_ || ending_;
  pid_ = -1;
  handshake_until_.reset();
  outgoing_.clear();
  outgoing_bytes_ = 0;
  running_since_.reset();
  auto pending = std::move(pending_);
  pending_.clear();
  if (!wanted) status_ = WorkerStatus::crashed;
  // Nothing of the old process may act after `on_gone`: requests that it made are waited for.
  lock.unlock();
  for (auto& [id, done] : pending) done(RpcAnswer::failed(rpc_code::worker_unavailable, text));
  lock.lock();
  changed_.wait(lock, [&] { return process_requests_ == 0; });
  lock.unlock();
  options_.on_gone();
  lock.lock();
  if (!wanted && !stop_requested_) {
    const Timestamp now = options_.clock->now();
    ++total_crashes_;
    if (last_crash_at_ && now - *last_crash_at_ > options_.timing.forget_crashes_after) consecutive_crashes_ = 0;
    ++consecutive_crashes_;
    last_crash_at_ = now;
    spdlog::error("plugin.crashed plugin={} consecutive={} reason={}", options_.plugin_id, consecutive_crashes_, text);
    if (was_starting && first_start_) {
      fail_start("Worker initialize failed for \"" + options_.plugin_id + "\": " + text);
    } else if (consecutive_crashes_ <= options_.timing.restarts) {
      const double base = static_cast<double>(options_.timing.first_backoff.count()) * static_cast<double>(1u << (consecutive_crashes_ - 1));
      const double jitter = 0.75 + 0.5 * static_cast<double>(options_.random->next() % 1000) / 1000.0;
      const auto delay = std::min(std::chrono::milliseconds(static_cast<std::int64_t>(base * jitter)), options_.timing.longest_backoff);
      restart_at_ = Deadline::in(delay);
      next_restart_at_ = now + delay;
      status_ = WorkerStatus::backoff;
    }
  }
  process_.reset();
  changed_.notify_all();
}

}  // namespace paperclip::plugins
