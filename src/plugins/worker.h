#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <boost/describe/enum.hpp>

#include "base/deadline.h"
#include "base/random.h"
#include "base/result.h"
#include "base/time.h"
#include "net/worker_pool.h"
#include "os/descriptor.h"
#include "os/process.h"
#include "plugins/rpc.h"

namespace paperclip::plugins {

enum class WorkerStatus { stopped, starting, running, stopping, crashed, backoff };
BOOST_DESCRIBE_ENUM(WorkerStatus, stopped, starting, running, stopping, crashed, backoff)

/// How long things may take (spec/plugins.md 6); tests shorten it.
struct WorkerTiming {
  std::chrono::milliseconds initialize{15'000}, shutdown{10'000}, after_shutdown{500}, after_term{5'000}, after_kill{2'000};
  std::chrono::milliseconds call{30'000}, longest_call{300'000};
  std::chrono::milliseconds first_backoff{1'000}, longest_backoff{300'000};
  std::chrono::milliseconds forget_crashes_after{600'000};
  int restarts = 10;  // in a row
};

/// What to start, made afresh for each start so that configuration is never stale.
struct WorkerLaunch {
  std::string executable;
  std::vector<std::string> argv;
  os::Environment environment;  // all of it
  json::object initialize;      // params
};

struct WorkerDiagnostics {
  WorkerStatus status = WorkerStatus::stopped;
  std::optional<int> pid;
  std::optional<std::int64_t> uptime_ms;  // only while running
  int consecutive_crashes = 0, total_crashes = 0;
  std::size_t pending_requests = 0;
  std::optional<std::int64_t> last_crash_at, next_restart_at;  // ms since 1970
};

struct WorkerOptions {
  std::string plugin_id;
  std::function<Result<WorkerLaunch>()> launch;
  /// A request of the worker; runs on the pool, several at once.
  std::function<RpcAnswer(const std::string& method, const json::value& params)> on_request;
  /// A notification, in order, on the worker's thread: must not block.
  std::function<void(const std::string& method, const json::value& params)> on_notification;
  /// The process went, wanted or not; before it is started again.
  std::function<void()> on_gone;
  /// The handshake is done; also after a restart. On the worker's thread.
  std::function<void()> on_running = [] {};
  net::WorkerPool* pool = nullptr;
  WorkerTiming timing;
  std::size_t max_frame = 512u * 1024 * 1024;
  Random* random = &Random::system();
  Clock* clock = &Clock::system();
};

/// One plugin's process over its lifetimes: handshake, calls both ways, crash, backoff, stop (spec/plugins.md 6).
/// Its thread starts the process and outlives it, because the kernel kills the process when that thread ends; so no
/// worker outlives the server, however the server ends.
class Worker {
 public:
  explicit Worker(WorkerOptions options);
  /// Stops it at once (SIGKILL) if it still runs.
  ~Worker();
  Worker(const Worker&) = delete;

  /// Starts the process and waits for the handshake. Fails with the text that `lastError` shows; it is then not
  /// started again.
  Result<> start();
  /// The graceful sequence of spec/plugins.md 6.7; returns when the process is gone.
  void stop();

  /// Blocks until the answer, the process's end or the timeout; zero is the default timeout. Beyond `longest_call` only
  /// with `unlimited`.
  RpcAnswer call(std::string_view method, const json::value& params, std::chrono::milliseconds timeout = {}, bool unlimited = false);
  /// A call that somebody waits for elsewhere. `done` is called exactly once, on the worker's thread or, when there is
  /// no worker, on this one; it must not block. Returns the request's number for `forget`, 0 when there is no worker.
  using Done = std::function<void(RpcAnswer)>;
  std::int64_t send(std::string_view method, const json::value& params, Done done);
  /// The answer is no longer of interest; `done` is not called after this returns.
  void forget(std::int64_t request);
  /// Dropped unless the worker is running.
  void notify(std::string_view method, const json::value& params);

  bool running() const;
  bool supports(std::string_view method) const;
  bool has_extension(std::string_view name) const;
  WorkerDiagnostics diagnostics() const;

 private:
  class Process;
  void run();
  void launch_process(std::unique_lock<std::mutex>& lock);
  void serve(std::unique_lock<std::mutex>& lock);
  void handle_line(std::string_view line);
  void handle_stderr(std::string_view bytes);
  void handle_initialized(const RpcAnswer& answer);
  void fail_start(std::string message);
  void process_ended(std::unique_lock<std::mutex>& lock, int code, int signal);
  bool enqueue(std::string frame);
  void wake();
  std::string with_stderr(std::string message) const;
  bool wait_for_exit(std::unique_lock<std::mutex>& lock, std::chrono::milliseconds limit);
  void kill_process(int signal);
  std::optional<std::string> not_callable(std::string_view method) const;

  WorkerOptions options_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  WorkerStatus status_ = WorkerStatus::stopped;
  bool start_requested_ = false, first_start_ = false, stop_requested_ = false, ending_ = false;
  std::optional<std::string> start_error_;
  std::unique_ptr<Process> process_;
  pid_t pid_ = -1;
  std::deque<std::string> outgoing_;
  std::size_t outgoing_bytes_ = 0;
  std::map<std::int64_t, Done> pending_;
  std::int64_t next_id_ = 1;
  int process_requests_ = 0;  // of the worker, being handled on the pool
  std::optional<Deadline> handshake_until_;
  std::set<std::string, std::less<>> supported_, extensions_, offered_;
  std::string stderr_tail_;
  int consecutive_crashes_ = 0, total_crashes_ = 0;
  std::optional<Timestamp> last_crash_at_, next_restart_at_, running_since_;
  std::optional<Deadline> restart_at_;
  os::Descriptor wake_;
  std::thread thread_;
};

}  // namespace paperclip::plugins
