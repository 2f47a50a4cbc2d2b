#pragma once

#include <sys/types.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "config.h"
#include "control_group.h"
#include "init/protocol.h"
#include "lease_directory.h"
#include "paperclip/sdk/attend.h"

namespace paperclip::providers {

/// How the inside looks.
namespace inside {
inline constexpr const char* workspace = "/workspace";
inline constexpr const char* home = "/home/agent";
}  // namespace inside

/// One sandbox at work: a bwrap whose first process takes commands from us. All commands of a lease share its processes,
/// network and files. It ends with this object, and when this process is killed. From any thread.
class Sandbox {
 public:
  /// Starts it. Throws with what bwrap said if it does not come up.
  static std::unique_ptr<Sandbox> start(const LeaseDirectories& directories, const LeaseRecord& lease, const BubblewrapConfig& config);
  ~Sandbox();
  Sandbox(const Sandbox&) = delete;

  /// Starts a command in it.
  std::unique_ptr<sdk::RunningCommand> run(const sandbox::Request& request);
  /// Moves bytes into or out of a file, as the sandbox's user sees it.
  void put_file(const sandbox::Request& request, std::string_view bytes);
  sdk::FilePiece get_file(const sandbox::Request& request);
  /// False once it has ended.
  bool alive() const;
  /// Whether memory and processes are limited for the sandbox as a whole.
  bool has_control_group() const { return group_ != nullptr; }
  /// Ends every process in it and waits for that. Commands that somebody still attends fail.
  void end();

 private:
  Sandbox(pid_t bwrap, sdk::Descriptor control, std::unique_ptr<ControlGroup> group);

  std::unique_ptr<ControlGroup> group_;  // may be none
  const pid_t bwrap_;
  sdk::Descriptor handle_;   // a pidfd
  sdk::Descriptor control_;
  std::atomic<std::uint64_t> last_number_{0};
  std::mutex ending_;
  bool reaped_ = false;
};

/// The arguments that make the sandbox what it is.
std::vector<std::string> bwrap_arguments(const LeaseDirectories& directories, const LeaseRecord& lease, const BubblewrapConfig& config);

}  // namespace paperclip::providers
