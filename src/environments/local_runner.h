#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "environments/runner.h"

namespace paperclip::environments {

struct LocalRunnerOptions {
  std::filesystem::path runner;  // the paperclip-runner binary
  std::filesystem::path root;    // where run directories are, made if missing
  std::string boundary = "auto"; // or pid_namespace, user_namespace, subreaper: see runner/README.md
  /// Output that nobody has handled yet, per run, before its agent has to wait.
  std::uint64_t backlog_bytes = 256 * 1024 * 1024;
};

class RunDirectories;
class RunLoop;

/// Starts and watches runs on this machine, each under its own `paperclip-runner`, which outlives us: destroying this, or
/// killing the process, ends no run. One background thread and one connection per live run. All functions may be
/// called from any thread, also from an observer; the destructor not from an observer.
class LocalRunner : public Runner {
 public:
  /// Fails if the runner cannot be executed or the root cannot be made.
  static Result<std::unique_ptr<LocalRunner>> create(LocalRunnerOptions options);
  ~LocalRunner() override;

  Result<void> start(RunId run, const RunCommand& command, std::shared_ptr<RunObserver> observer) override;
  Result<void> reattach(RunId run, std::uint64_t from_offset, std::shared_ptr<RunObserver> observer) override;
  void cancel(RunId run, std::chrono::milliseconds grace) override;
  void finish(RunId run, std::chrono::milliseconds grace) override;
  void pause(RunId run) override;
  void resume(RunId run) override;
  Result<void> forget(RunId run) override;

  std::vector<RunId> known_runs() const override;

 private:
  LocalRunner(LocalRunnerOptions options, std::unique_ptr<RunDirectories> directories, std::unique_ptr<RunLoop> loop);
  std::filesystem::path directory_of(RunId run) const;

  LocalRunnerOptions options_;
  std::unique_ptr<RunDirectories> directories_;
  std::unique_ptr<RunLoop> loop_;
};

}  // namespace paperclip::environments
