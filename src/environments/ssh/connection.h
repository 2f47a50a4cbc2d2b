#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/deadline.h"
#include "base/result.h"
#include "environments/place.h"
#include "environments/ssh/mux.h"
#include "environments/ssh/private_directory.h"
#include "environments/ssh/target.h"
#include "os/descriptor.h"
#include "os/process.h"

namespace paperclip::environments::ssh {

/// One supervised connection of the OpenSSH client to one host, on which any number of sessions run at once. When it
/// breaks it is made again, with pauses that grow from 0.1 s to 5 s, until it is closed. The client ends with us: its
/// own session there reads from a pipe that nobody else holds.
///
///     connecting ──> connected ── client ended ──> pausing ──> connecting …          close(): ends from anywhere
class Connection {
 public:
  /// Connects for the first time; what ssh said is the error if that fails.
  static Result<std::shared_ptr<Connection>> open(Target target, Deadline deadline);
  /// Closes.
  ~Connection();
  Connection(const Connection&) = delete;

  const Target& target() const { return target_; }
  /// `unavailable`, with ssh's last words, when there is no connection by the deadline.
  Result<void> wait_connected(Deadline deadline);
  bool connected() const;
  /// Why there is no connection just now; empty while there is one.
  std::string trouble() const;

  /// One session, its stdin and stdout at our end of a socket. Never waits: `unavailable` when there is no connection.
  struct Stream {
    Session session;
    os::Descriptor socket;  // close-on-exec, non-blocking
    os::Descriptor errors;  // a memory file: its stderr
  };
  Result<Stream> start(std::string_view command) const;
  /// Runs a command of the remote shell to its end.
  Result<os::CommandOutput> run(std::string_view command, std::string_view stdin_text, std::size_t output_limit, Deadline deadline);
  /// For `Place::open_stream`; `first` is written before anything else.
  Result<std::unique_ptr<PlaceStream>> open_stream(std::string_view command, std::string_view first, Deadline deadline);

  /// Ends it. Nothing starts afterwards.
  void close();
  /// The client's pid, for tests; 0 while there is none.
  pid_t client() const;

 private:
  Connection(Target target, PrivateDirectory directory);
  void supervise();
  /// Starts the client and waits for the first word from the other side. Its stdin, stdout and stderr are ours.
  Result<void> connect();
  void watch_client();
  void reap_client();
  std::vector<std::string> arguments() const;

  const Target target_;
  const PrivateDirectory directory_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool connected_ = false, closing_ = false, failed_first_ = false;
  std::string trouble_;
  pid_t client_ = 0;

  // Only the thread's:
  os::Descriptor client_in_, client_out_, client_err_;
  os::Descriptor bell_;  // an eventfd: closing
  std::thread thread_;
};

/// Reads what was written to a memory file, at most `limit` bytes.
std::string read_errors(int memory_file, std::size_t limit);

}  // namespace paperclip::environments::ssh
