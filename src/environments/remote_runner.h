#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/deadline.h"
#include "environments/channel.h"
#include "environments/run_loop.h"
#include "environments/runner.h"
#include "os/process.h"

namespace paperclip::environments {

/// How the runner program of a place is called from here. From any thread; `open_frames` also from the thread that follows
/// all runs.
class RunnerAccess {
 public:
  virtual ~RunnerAccess() = default;
  /// A non-blocking stream to `paperclip-runner start|attach <directory of the run>`; ends when what holds it up is gone.
  /// Never waits: `unavailable` when the place is out of reach just now.
  struct FrameStream {
    os::Descriptor socket;
    std::shared_ptr<void> holder;  // dropped: the stream ends
  };
  enum class Verb { start, attach };
  virtual Result<FrameStream> open_frames(Verb verb, const RunId& run) = 0;
  /// Waits for the place to be within reach.
  virtual Result<void> wait_reachable(Deadline deadline) = 0;
  virtual Result<os::CommandOutput> forget(const RunId& run, Deadline deadline) = 0;
  /// How long a run may be out of reach before it is given up.
  virtual std::chrono::milliseconds patience() const = 0;
};

/// Runs in a place that is reached over streams: an SSH host, a sandbox that can stream. The same program as here, at the
/// other end of `access`.
class RemoteRunner : public Runner {
 public:
  /// `base_environment` is the place's own: a run's variables are laid over it.
  RemoteRunner(std::shared_ptr<RunLoop> loop, std::shared_ptr<RunnerAccess> access, os::Environment base_environment);

  Result<void> start(RunId run, const RunCommand& command, std::shared_ptr<RunObserver> observer) override;
  Result<void> reattach(RunId run, std::uint64_t from_offset, std::shared_ptr<RunObserver> observer) override;
  void cancel(RunId run, std::chrono::milliseconds grace) override;
  void finish(RunId run, std::chrono::milliseconds grace) override;
  void pause(RunId run) override;
  void resume(RunId run) override;
  Result<void> forget(RunId run) override;

 private:
  std::shared_ptr<RunLoop> loop_;
  std::shared_ptr<RunnerAccess> access_;
  os::Environment base_environment_;
};

/// `over` laid over `base`; an empty value takes a variable away.
os::Environment laid_over(const os::Environment& base, const os::Environment& over);

}  // namespace paperclip::environments
