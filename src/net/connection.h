#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "net/io_loop.h"
#include "net/outgoing.h"
#include "net/request_parser.h"

/// Private to this room.
namespace paperclip::net {

/// One HTTP connection. It reads a request, hands it on, writes the answer, and only then looks at the next request: so
/// pipelined answers come in order, and a client that sends faster than it is served is held back by TCP.
///
///   reading_head ──► reading_body ──► handling ──► (answer written) ──► reading_head …
///        │                │               └──► upgraded: the socket leaves for a WebSocket
///        └──── refusal, `close`, winding down ────► leaving ──► lingering ──► closed
///
/// All functions run on the loop's thread. An idle connection holds no buffer.
class Connection final : public LoopMember, public std::enable_shared_from_this<Connection> {
 public:
  Connection(IoLoop& loop, TcpSocket socket);

  void start();
  /// The answer to the request that is being handled; ignored if there is none.
  void answer(Response response);
  bool in_handler() const { return in_handler_; }
  void refuse_upgrade(Response response);
  void drop_upgrade();
  void accept_upgrade(WebSocketHandlers handlers);

  void sweep(SteadyTime now) override;
  void wind_down() override;
  void say_goodbye() override {}
  void abort() override;

 private:
  enum class State { reading_head, reading_body, handling, leaving, lingering, closed };

  void wait_readable();
  void wait_writable();
  void on_readable();
  // Works through what arrived, after what was left over, and keeps what is left over then.
  void feed(std::string_view arrived);
  void consume(std::string_view& input);
  bool take_head(std::string_view& input);
  bool take_body(std::string_view& input);
  std::optional<Refusal> begin_body(bool body_has_begun);
  std::optional<Refusal> inflate_body();
  void hand_on();
  void hand_on_upgrade();
  void take_answer(Response response);
  void refuse(const Refusal& refusal);
  // The end of every turn: writes, then waits for what comes next.
  void settle();
  void leave();
  void close();
  void expect_within(std::chrono::milliseconds time) { deadline_ = std::chrono::steady_clock::now() + time; }
  const ServerOptions& options() const { return loop_.shared().options; }
  ServerCounters& counters() const { return loop_.shared().counters; }

  IoLoop& loop_;
  TcpSocket socket_;
  std::optional<IoLoop::Members::iterator> place_;
  std::string remote_address_;
  State state_ = State::reading_head;
  bool waiting_readable_ = false, waiting_writable_ = false;
  bool in_handler_ = false;
  bool again_ = false;  // there may be more to consume once what is outgoing is out
  bool head_begun_ = false;
  bool linger_ = false;  // the peer may still be sending
  bool is_upgrade_ = false;
  bool keep_alive_ = true, http_1_0_ = false, head_only_ = false;  // of the request being handled
  SteadyTime deadline_ = SteadyTime::max();
  std::string input_;
  HeadScanner scanner_;
  std::optional<RequestHead> head_;  // from its head until it is handed on; an upgrade's until it is decided
  std::size_t body_limit_ = 0;
  ChunkedBody chunks_;
  std::optional<Response> early_answer_;  // came while it could not be written yet
  Outgoing outgoing_;
};

}  // namespace paperclip::net
