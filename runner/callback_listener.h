#pragma once

#include <poll.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "runner/callback_http.h"
#include "runner/system.h"

namespace paperclip::runner {

/// Where the listener's requests go: over frames to a server, or through files.
class CallbackBackend {
 public:
  virtual ~CallbackBackend() = default;
  /// Takes the request over; `CallbackListener::answer` with its id ends it.
  virtual void submit(CallbackRequest request) = 0;
  /// Nobody waits for that answer any more.
  virtual void abandon(std::uint64_t id) = 0;
};

/// What of a CallbackSetup the listener itself goes by.
struct ListenerSettings {
  std::string token;
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
  std::size_t queue_depth = 64;
  std::size_t max_body_bytes = 256 * 1024;
  std::int64_t response_timeout_ms = 30'000;
};

/// The loopback HTTP server that the agent takes for the control plane (spec/callback-bridge.md 2). Checks in this order:
/// token, queue depth, content type, body size. What is asked for is checked by the server.
///
/// Not a thread: its owner polls. One request at a time per connection; what a client sends ahead waits.
class CallbackListener {
 public:
  CallbackListener(ListenerSettings settings, CallbackBackend& backend);
  ~CallbackListener();

  /// False, with errno, if the address cannot be had.
  bool listen();
  std::uint16_t port() const { return port_; }

  /// Adds what is to be polled; `handle` gets the same entries back.
  void add_to(std::vector<pollfd>& polled) const;
  void handle(const pollfd* entries, std::size_t count);
  /// When `advance` is due; monotonic_ms.
  std::int64_t next_deadline() const;
  /// Does what time has made due, and tidies up.
  void advance();

  /// Answers the request. False if nobody waits for it.
  bool answer(const CallbackAnswer& answer);
  /// Requests without answer.
  std::size_t pending() const { return pending_; }
  /// Nothing new: neither connections nor requests.
  void close_door();
  /// Answers that are not yet with their client.
  bool writing() const;

 private:
  struct Connection;
  void accept_connection();
  void receive(Connection& connection);
  void proceed(Connection& connection);
  /// False if the connection has to be read further first.
  bool begin_request(Connection& connection);
  bool read_body(Connection& connection);
  void submit(Connection& connection);
  void refuse(Connection& connection, int status, std::string_view message);
  void respond(Connection& connection, const CallbackAnswer& answer);
  void flush(Connection& connection);
  void expire(Connection& connection);
  void drop(Connection& connection);

  ListenerSettings settings_;
  CallbackBackend& backend_;
  Descriptor socket_;
  std::uint16_t port_ = 0;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::size_t pending_ = 0;
  std::uint64_t last_id_ = 0;
  std::int64_t accept_again_at_ = 0;
};

}  // namespace paperclip::runner
