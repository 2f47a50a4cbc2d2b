#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "environments/runner.h"
#include "environments/sandbox/sandbox.h"

namespace paperclip::environments::sandbox {

/// Runs in a sandbox where no program of ours can be executed: each is one command of the provider. Its output comes as
/// the provider gives it, streamed or at the end; it ends with the server, and is cancelled where the provider can.
class CommandRunner : public Runner {
 public:
  explicit CommandRunner(std::shared_ptr<const Sandbox> sandbox) : sandbox_(std::move(sandbox)), runs_(std::make_shared<Runs>()) {}

  Result<void> start(RunId run, const RunCommand& command, std::shared_ptr<RunObserver> observer) override;
  /// Nothing is left of it: it was a command of the server that is gone.
  Result<void> reattach(RunId run, std::uint64_t from_offset, std::shared_ptr<RunObserver> observer) override;
  void cancel(RunId run, std::chrono::milliseconds grace) override;
  void finish(RunId run, std::chrono::milliseconds grace) override;
  void pause(RunId run) override;
  void resume(RunId run) override;
  Result<void> forget(RunId run) override;

 private:
  struct Run;
  struct Runs {
    std::mutex mutex;
    std::map<RunId, std::shared_ptr<Run>> live;
  };
  void stop(RunId run, std::chrono::milliseconds grace, bool cancelled);
  static void follow(const std::shared_ptr<const Sandbox>& sandbox, const std::shared_ptr<Run>& run, const RunCommand& command);

  std::shared_ptr<const Sandbox> sandbox_;
  std::shared_ptr<Runs> runs_;
};

}  // namespace paperclip::environments::sandbox
