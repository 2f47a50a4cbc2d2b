#pragma once

#include <memory>
#include <string>
#include <vector>

#include "environments/remote_runner.h"
#include "environments/sandbox/sandbox.h"

/// How bytes reach a runner in a sandbox. Either way the runs' thread sees one stream socket.
namespace paperclip::environments::sandbox {

/// A command whose stdin and stdout stay open: a provider that streams. The socket ends with the command, and the command
/// with the holder.
class StreamPump {
 public:
  static Result<std::shared_ptr<StreamPump>> start(std::shared_ptr<const Sandbox> sandbox, std::vector<std::string> argv, os::Environment environment);
  ~StreamPump();
  os::Descriptor take_socket();
  /// Waits for the command's end; stdout is empty.
  Result<os::CommandOutput> wait(Deadline deadline);

 private:
  struct Shared;
  explicit StreamPump(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}
  std::shared_ptr<Shared> shared_;
};

/// A provider with one-shot commands only: frames go out with one command and come back with another that waits for them
/// (`paperclip-runner exchange`). No command runs while nobody has anything to say for `long_poll`.
class ExchangePump {
 public:
  static Result<std::shared_ptr<ExchangePump>> start(std::shared_ptr<const Sandbox> sandbox, std::string runner, std::string directory,
                                                     RunnerAccess::Verb verb);
  ~ExchangePump();
  os::Descriptor take_socket();

 private:
  struct Shared;
  explicit ExchangePump(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}
  std::shared_ptr<Shared> shared_;
};

/// The same for any command whose stdin and stdout shall stay open (`paperclip-runner hold`): for workspaces on their way. What it says
/// waits over there until it is fetched, so a command that has not been asked for two minutes ends.
class CarryPump {
 public:
  static Result<std::shared_ptr<CarryPump>> start(std::shared_ptr<const Sandbox> sandbox, std::string runner, std::vector<std::string> argv,
                                                  os::Environment environment, std::string cwd);
  ~CarryPump();
  os::Descriptor take_socket();
  /// Waits for the command's end; stdout is empty.
  Result<os::CommandOutput> wait(Deadline deadline);

 private:
  struct Shared;
  explicit CarryPump(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}
  std::shared_ptr<Shared> shared_;
};

}  // namespace paperclip::environments::sandbox
