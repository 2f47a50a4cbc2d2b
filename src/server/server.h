#pragma once

#include <chrono>
#include <memory>

#include "base/result.h"
#include "server/config.h"

namespace paperclip::server {

/// The whole program behind one port: built in order, stopped in reverse.
class Server {
 public:
  /// Opens the data directory (refusing a second server), the database and the keys, then listens; recovery of runs
  /// goes on behind the open port.
  static Result<std::unique_ptr<Server>> start(Config config);
  /// As `stop`, with a short deadline.
  ~Server();

  std::uint16_t port() const;
  const Config& config() const;
  /// Takes no new work, lets requests in flight end, leaves agents running for the next server.
  void stop(std::chrono::milliseconds patience);

 private:
  struct Parts;
  explicit Server(std::unique_ptr<Parts> parts);
  static Result<> start_heartbeat(Parts& parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace paperclip::server
