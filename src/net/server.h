#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/deadline.h"
#include "base/result.h"
#include "net/http.h"
#include "net/websocket.h"

/// The HTTP/1.1 server: reads and guards requests, hands them on, writes answers in order.
namespace paperclip::net {

class Connection;
class IoLoop;

/// Answers one request, once, from any thread. Dropped unanswered, it answers 500. Outlives the server without harm.
class Responder {
 public:
  Responder(Responder&&) noexcept;
  Responder& operator=(Responder&&) noexcept;
  ~Responder();
  /// A second answer is ignored.
  void operator()(Response response);

 private:
  friend class Connection;
  Responder(std::shared_ptr<IoLoop> loop, std::weak_ptr<Connection> connection);
  std::shared_ptr<IoLoop> loop_;
  std::weak_ptr<Connection> connection_;
};

/// Decides on one WebSocket upgrade, once, from any thread. Dropped undecided, it answers 500 `upgrade failed`.
class Upgrade {
 public:
  Upgrade(Upgrade&&) noexcept;
  Upgrade& operator=(Upgrade&&) noexcept;
  ~Upgrade();
  /// Answers like a plain request and closes the connection.
  void refuse(Response response);
  /// Closes the connection without a word (spec/platform.md 9.1: other paths).
  void drop();
  /// Completes the handshake; `handlers.on_open` receives the socket.
  void accept(WebSocketHandlers handlers);

 private:
  friend class Connection;
  Upgrade(std::shared_ptr<IoLoop> loop, std::weak_ptr<Connection> connection);
  std::shared_ptr<IoLoop> loop_;
  std::weak_ptr<Connection> connection_;
};

/// Called on an I/O thread and must not block: whoever needs time hands the work to a pool.
using Handler = std::function<void(Request, Responder)>;
using UpgradeHandler = std::function<void(const Request&, Upgrade)>;

struct ServerLimits {
  std::size_t header_bytes = 32 * 1024;        // beyond: 431
  std::size_t body_bytes = 10 * 1024 * 1024;   // beyond: 413; measured after inflation as well
  std::size_t connections = 8192;              // beyond: 503
  std::chrono::milliseconds idle{185'000};     // a connection that waits for its next request (spec/platform.md 1.1)
  std::chrono::milliseconds header{30'000};    // from the first byte of a request to the end of its headers
  std::chrono::milliseconds progress{60'000};  // a body that does not arrive, an answer that is not taken
};

struct ServerOptions {
  /// An address or a name; a name is bound at its first address.
  std::string host = "127.0.0.1";
  /// 0: any free port.
  std::uint16_t port = 0;
  int io_threads = 2;
  ServerLimits limits;
  WebSocketLimits websocket_limits;
  Handler handler;
  /// Empty: upgrades are answered like plain requests.
  UpgradeHandler upgrade_handler;
  /// A body limit in bytes of its own for some requests (uploads), asked when the headers are known. Empty:
  /// `limits.body_bytes`.
  std::function<std::size_t(const Request&)> body_limit;
};

/// What happened since the start.
struct ServerCounters {
  std::atomic<std::uint64_t> accepted{0};
  std::atomic<std::uint64_t> requests{0};  // handed to a handler
  std::atomic<std::uint64_t> refused{0};   // answered by the server layer itself: 400, 413, 431 …
  std::atomic<std::uint64_t> timed_out{0};
  std::atomic<std::uint64_t> slow_readers_dropped{0};
  std::atomic<std::int64_t> connections{0};  // open now, WebSockets included
  std::atomic<std::int64_t> websockets{0};   // open now
};

class Server {
 public:
  /// Binds and starts its threads. Fails with conflict when the port is taken, with bad_request for a host that cannot
  /// be bound; the message says which address.
  static Result<std::unique_ptr<Server>> listen(ServerOptions options);
  /// Stops at once.
  ~Server();

  std::uint16_t port() const;
  /// `http://127.0.0.1:3100`, with the address that was bound.
  std::string url() const;
  const ServerCounters& counters() const;

  /// Accepts nothing new, closes idle connections, waits for the answers in flight, then closes the rest: WebSockets
  /// with 1001. Returns false if the deadline cut answers off. May be called once or more; not from an I/O thread.
  bool stop(Deadline deadline);

 private:
  struct State;
  explicit Server(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace paperclip::net
