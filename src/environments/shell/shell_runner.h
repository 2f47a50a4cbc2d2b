#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "environments/runner.h"
#include "environments/shell/access.h"
#include "environments/shell/machine.h"

namespace paperclip::environments::shell {

/// Runs where no program of ours can be executed but a POSIX shell works: the agent outlives the command that starts it, its
/// output and exit are files there, and commands that wait there bring them.
///
///     <root>/shell-runs/<run>/  out, err      what it said; offsets count the bytes of both
///                               journal       which bytes came in which order: how an offset is found again
///                               exit          status and time, once it is over; pid, supervisor, started, limit
///                               queue/        callbacks (queue_bridge.h)
///
/// What it cannot do that `paperclip-runner` can: hold a whole tree (the agent's process group and whoever carries the run's
/// name in his environment are ended), tell a signal from an exit code over 128, or hold an agent back that says too much.
class ShellRunner : public Runner {
 public:
  ShellRunner(std::shared_ptr<ShellAccess> access, ShellMachine machine);
  /// Follows no run any more.
  ~ShellRunner() override;

  Result<void> start(RunId run, const RunCommand& command, std::shared_ptr<RunObserver> observer) override;
  Result<void> reattach(RunId run, std::uint64_t from_offset, std::shared_ptr<RunObserver> observer) override;
  void cancel(RunId run, std::chrono::milliseconds grace) override;
  void finish(RunId run, std::chrono::milliseconds grace) override;
  void pause(RunId run) override;
  void resume(RunId run) override;
  Result<void> forget(RunId run) override;

 private:
  class Followed;
  struct Runs {
    std::mutex mutex;
    std::map<RunId, std::shared_ptr<Followed>> live;
  };
  std::shared_ptr<Followed> find(RunId run) const;
  Result<void> follow(std::shared_ptr<Followed> followed);

  std::shared_ptr<ShellAccess> access_;
  ShellMachine machine_;
  std::shared_ptr<Runs> runs_;
};

}  // namespace paperclip::environments::shell
