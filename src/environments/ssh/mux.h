#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "base/result.h"
#include "os/descriptor.h"

/// Sessions on a connection that an OpenSSH client holds as control master, opened by speaking to its control socket
/// directly (PROTOCOL.mux of OpenSSH, version 4): no process for each session.
namespace paperclip::environments::ssh {

class Session {
 public:
  Session() = default;
  /// Asks for a session that runs `command`; the master gets copies of the three descriptors. Does not wait: a session
  /// that cannot be opened closes them. `unavailable` if there is no master.
  static Result<Session> start(const std::filesystem::path& control_socket, std::string_view command, int in, int out, int err);

  /// Waits until the command's end. Its exit code; 255 with `unavailable` texts when the connection was lost or the
  /// session refused.
  Result<int> wait_exit(Deadline deadline);
  /// Gives the session up: the command there loses its stdin and stdout.
  void close() { control_.reset(); }
  explicit operator bool() const { return static_cast<bool>(control_); }

 private:
  os::Descriptor control_;
};

/// Tells a master to end at once; nothing if there is none.
void end_master(const std::filesystem::path& control_socket);

}  // namespace paperclip::environments::ssh
