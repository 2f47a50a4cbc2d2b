#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "environments/live_run.h"
#include "os/descriptor.h"

namespace paperclip::environments {

/// The one background thread that follows all runs.
class RunLoop {
 public:
  static Result<std::unique_ptr<RunLoop>> create();
  ~RunLoop();
  /// Follows no run any more; no observer is called afterwards. Whoever shares the loop may outlive that.
  void end();

  /// Follows the run until it is done. False if it is followed already. `guardian`: our child to reap, or 0.
  bool follow(std::shared_ptr<LiveRun> run, pid_t guardian);
  bool follows(RunId run) const;
  void stop(RunId run, std::chrono::milliseconds grace, runner::StopReason reason);
  void pause(RunId run);
  void resume(RunId run);

 private:
  /// A run and what epoll knows of it.
  struct Followed {
    std::shared_ptr<LiveRun> run;
    pid_t guardian = 0;
    unsigned connection = 0;
    std::uint64_t ticket = 0;  // in tickets_ while epoll watches the connection; 0: it does not
    unsigned events = 0;
  };

  /// What others want done on the thread. Outlives the loop in the hands of links; then nothing is done any more.
  struct Inbox {
    std::mutex mutex;
    std::vector<std::function<void()>> posted;
    bool ending = false;
    os::Descriptor bell;  // an eventfd: something was posted

    void post(std::function<void()> work);
    void ring();
  };
  class Link;

  RunLoop(os::Descriptor poller, std::shared_ptr<Inbox> inbox);

  void loop();
  int wait_ms() const;
  /// False once the loop is to end.
  bool do_posted();
  void work_on_due_runs();
  /// Keeps what epoll and the clock watch in step with the run, and takes leave of it once it is done.
  void settle(Followed& followed);
  void watch(Followed& followed);
  void return_ticket(Followed& followed);
  void reap_guardians();
  Followed* find(RunId run) const;

  os::Descriptor poller_;
  const std::shared_ptr<Inbox> inbox_;

  mutable std::mutex mutex_;  // guards runs_; what a Followed holds is the thread's, but for `run`
  std::unordered_map<RunId, std::unique_ptr<Followed>> runs_;

  // Only the thread's:
  // What epoll says is looked up here. No pointers: a closed connection may still report, as long as a child that is just
  // being born holds a copy of it.
  std::unordered_map<std::uint64_t, RunId> tickets_;
  std::uint64_t last_ticket_ = 0;  // 0 is the bell
  std::unordered_set<RunId> timed_;  // runs that may have work without an event
  std::vector<pid_t> guardians_;     // of runs that are done, not reaped yet
  std::thread thread_;
};

}  // namespace paperclip::environments
