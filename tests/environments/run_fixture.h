#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "environments/local_runner.h"
#include "os/files.h"
#include "os/process.h"

namespace paperclip::environments {

/// Waits until the condition holds, looking every few milliseconds; false after the deadline.
bool eventually(const std::function<bool()>& condition, std::chrono::seconds limit = std::chrono::seconds(20));

/// Pids of all processes whose command line holds the text, ourselves excepted.
std::vector<int> processes_with(const std::string& text);

std::filesystem::path program(const char* name);

/// Keeps everything a run says.
class Recorder : public RunObserver {
 public:
  void on_started(int pid, int process_group, Timestamp started) override;
  void on_output(const OutputChunk& chunk) override;
  void on_exit(const ExitStatus& status) override;

  /// Each fails the test if it does not come in time.
  int wait_started();
  void wait_output(const std::string& text);
  ExitStatus wait_exit();

  std::string out() const;
  std::string err() const;
  std::uint64_t next_offset() const;
  std::vector<OutputChunk> chunks() const;  // without their bytes
  std::optional<ExitStatus> exit() const;

  /// Called in on_output, after the chunk was recorded.
  std::function<void()> after_chunk;

 private:
  template <class Condition>
  bool wait(Condition condition);

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  int pid_ = 0, group_ = 0;
  std::string out_, err_;
  std::vector<OutputChunk> chunks_;
  std::optional<ExitStatus> exit_;
};

/// A LocalRunner over a directory of its own. Its parameter is the boundary, so that each scenario is played in all.
class RunFixture : public ::testing::Test {
 protected:
  RunFixture();
  void use_boundary(const std::string& boundary);
  /// As after a restart of the server: a new LocalRunner over the same directory.
  /// `runner`: the program that runs are started with from now on; those that live are only attached to.
  void restart_server(const char* runner = "paperclip-runner");

  /// A command with a PATH and nothing else in its environment.
  static RunCommand command(std::vector<std::string> argv);
  static RunCommand shell(const std::string& script) { return command({"sh", "-c", script}); }
  /// Starts it and returns who records it.
  std::shared_ptr<Recorder> start(const RunCommand& command);
  /// Starts it and waits for its end.
  std::shared_ptr<Recorder> finish(const RunCommand& command);
  std::filesystem::path run_directory() const { return root_.path() / "runs" / run_.view(); }
  /// A pid from runner.pid.
  int written_pid(const std::string& key) const;
  void kill_written(const std::string& key, int signal) const;

  os::TemporaryDirectory root_;
  std::string boundary_ = "auto";
  std::unique_ptr<LocalRunner> runner_;
  RunId run_ = Random::system().id<RunId>();
};

}  // namespace paperclip::environments
