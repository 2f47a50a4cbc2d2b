#include "environments/sandbox/command_runner.h"

#include <condition_variable>

#include "environments/start_frames.h"
#include "runner/run_directory.h"

namespace paperclip::environments::sandbox {

using namespace std::chrono_literals;

struct CommandRunner::Run {
  RunId id;
  std::shared_ptr<RunObserver> observer;
  std::mutex mutex;
  std::condition_variable changed;
  std::unique_ptr<plugins::Execution> execution;
  bool paused = false, cancelled = false, stopping = false;
  std::uint64_t offset = 0;

  /// As the runner would have cut it, so that offsets mean the same.
  void give(OutputStream stream, std::string_view bytes) {
    while (!bytes.empty()) {
      const std::string_view piece = bytes.substr(0, runner::record_bytes_limit);
      {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return !paused; });
      }
      const std::uint64_t next = offset + runner::record_header_bytes + piece.size();
      observer->on_output({stream, Clock::system().now(), offset, next, piece});
      offset = next;
      bytes.remove_prefix(piece.size());
    }
  }
};

Result<void> CommandRunner::start(RunId id, const RunCommand& command, std::shared_ptr<RunObserver> observer) {
  TRY(check_texts(command));
  auto run = std::make_shared<Run>();
  run->id = id;
  run->observer = std::move(observer);
  {
    const std::lock_guard lock(runs_->mutex);
    if (!runs_->live.emplace(id, run).second) return conflict("Run " + id.str() + " is attached already");
  }
  sandbox_->gate->run([sandbox = sandbox_, runs = runs_, run, command] {
    follow(sandbox, run, command);
    const std::lock_guard lock(runs->mutex);
    runs->live.erase(run->id);
  });
  return success();
}

void CommandRunner::follow(const std::shared_ptr<const Sandbox>& sandbox, const std::shared_ptr<Run>& run, const RunCommand& command) {
  ExitStatus status;
  status.started = Clock::system().now();
  status.boundary = "provider";
  plugins::ExecuteRequest request;
  request.command = command.argv.front();
  request.args.assign(command.argv.begin() + 1, command.argv.end());
  request.cwd = command.cwd.empty() ? sandbox->cwd : command.cwd;
  for (const auto& [name, value] : command.env) request.env[name] = value;
  if (!command.stdin_text.empty()) request.stdin_text = command.stdin_text;
  request.timeout = command.timeout.count() > 0 ? command.timeout : std::chrono::milliseconds(24h);
  auto started = sandbox->provider->start(sandbox->context, sandbox->lease, request, [run](plugins::OutputStream stream, std::string_view bytes) {
    run->give(stream == plugins::OutputStream::stdout_stream ? OutputStream::stdout_ : OutputStream::stderr_, bytes);
  });
  if (!started) {
    status.start_error = started.error().message;
  } else {
    plugins::Execution* execution = started->get();
    bool stop_at_once;
    {
      const std::lock_guard lock(run->mutex);
      run->execution = std::move(*started);
      stop_at_once = run->stopping;
    }
    run->observer->on_started(0, 0, status.started);
    if (stop_at_once) (void)execution->cancel("SIGTERM", Deadline::in(10s));
    Result<plugins::ExecuteResult> result = execution->wait(Deadline::in(request.timeout + 60s));
    if (!result) {
      status.lost_reason = "unreachable";
      status.lost_detail = result.error().message;
    } else {
      run->give(OutputStream::stdout_, result->stdout_text);
      run->give(OutputStream::stderr_, result->stderr_text);
      status.exit_code = result->exit_code;
      status.signal = result->signal.value_or("");
      status.timed_out = result->timed_out;
    }
  }
  {
    const std::lock_guard lock(run->mutex);
    status.cancelled = run->cancelled;
    run->execution.reset();
  }
  status.output_bytes = run->offset;
  status.ended = Clock::system().now();
  run->observer->on_exit(status);
}

Result<void> CommandRunner::reattach(RunId, std::uint64_t, std::shared_ptr<RunObserver> observer) {
  sandbox_->gate->run([observer] {
    ExitStatus status;
    status.lost_reason = "nothing_left";
    status.lost_detail = "the run was a command of the server that is gone: no runner works in this sandbox";
    status.ended = Clock::system().now();
    observer->on_exit(status);
  });
  return success();
}

void CommandRunner::stop(RunId id, std::chrono::milliseconds grace, bool cancelled) {
  std::shared_ptr<Run> run;
  {
    const std::lock_guard lock(runs_->mutex);
    if (const auto found = runs_->live.find(id); found != runs_->live.end()) run = found->second;
  }
  if (!run) return;
  sandbox_->gate->run([run, grace, cancelled] {
    const auto say = [&](const char* signal) {
      const std::lock_guard lock(run->mutex);
      run->cancelled |= cancelled;
      run->stopping = true;
      run->paused = false;
      run->changed.notify_all();
      if (run->execution) (void)run->execution->cancel(signal, Deadline::in(10s));
      return run->execution != nullptr;
    };
    if (!say("SIGTERM")) return;
    std::unique_lock lock(run->mutex);
    if (run->changed.wait_for(lock, grace, [&] { return run->execution == nullptr; })) return;
    lock.unlock();
    (void)say("SIGKILL");
  });
}

void CommandRunner::cancel(RunId run, std::chrono::milliseconds grace) { stop(run, grace, true); }
void CommandRunner::finish(RunId run, std::chrono::milliseconds grace) { stop(run, grace, false); }

void CommandRunner::pause(RunId id) {
  const std::lock_guard lock(runs_->mutex);
  if (const auto found = runs_->live.find(id); found != runs_->live.end()) {
    const std::lock_guard own(found->second->mutex);
    found->second->paused = true;
  }
}

void CommandRunner::resume(RunId id) {
  const std::lock_guard lock(runs_->mutex);
  if (const auto found = runs_->live.find(id); found != runs_->live.end()) {
    const std::lock_guard own(found->second->mutex);
    found->second->paused = false;
    found->second->changed.notify_all();
  }
}

Result<void> CommandRunner::forget(RunId id) {
  const std::lock_guard lock(runs_->mutex);
  if (runs_->live.contains(id)) return conflict("Run " + id.str() + " is still alive");
  return success();
}

}  // namespace paperclip::environments::sandbox
