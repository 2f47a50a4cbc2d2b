#include "net/connection.h"

#include <spdlog/spdlog.h>

#include <exception>

#include "base/text.h"
#include "net/inflate.h"
#include "net/websocket_session.h"

namespace paperclip::net {

namespace asio = boost::asio;

namespace {

constexpr int requests_per_turn = 32;  // of one connection, before others have theirs
constexpr std::chrono::milliseconds linger_time{2'000};
constexpr std::size_t most_reserved = 256 * 1024;  // a length is believed only so far before the bytes are there

std::string address_text(const TcpSocket& socket) {
  boost::system::error_code failed;
  const auto endpoint = socket.remote_endpoint(failed);
  if (failed) return {};
  auto address = endpoint.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  return address.to_string();
}

}  // namespace

Connection::Connection(IoLoop& loop, TcpSocket socket) : loop_(loop), socket_(std::move(socket)) {}

void Connection::start() {
  place_ = loop_.add(shared_from_this(), true);
  boost::system::error_code ignored;
  socket_.non_blocking(true, ignored);
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  remote_address_ = address_text(socket_);
  expect_within(options().limits.idle);
  wait_readable();
}

void Connection::wait_readable() {
  if (waiting_readable_) return;
  waiting_readable_ = true;
  socket_.async_wait(TcpSocket::wait_read, [self = shared_from_this()](boost::system::error_code failed) {
    self->waiting_readable_ = false;
    if (!failed) self->on_readable();
  });
}

void Connection::wait_writable() {
  if (waiting_writable_) return;
  waiting_writable_ = true;
  socket_.async_wait(TcpSocket::wait_write, [self = shared_from_this()](boost::system::error_code failed) {
    self->waiting_writable_ = false;
    if (!failed && self->state_ != State::closed) self->settle();
  });
}

void Connection::on_readable() {
  if (state_ == State::closed) return;
  boost::system::error_code failed;
  const auto size = socket_.read_some(asio::buffer(loop_.read_buffer(), IoLoop::read_buffer_size), failed);
  if (failed == asio::error::would_block) return wait_readable();
  if (failed) return close();  // the end, or a reset: whoever sends half a request and leaves needs no answer
  if (state_ == State::lingering) return wait_readable();
  // Bytes that came while an answer was being written (after a time-out, say) wait their turn.
  feed({loop_.read_buffer(), size});
}

void Connection::feed(std::string_view arrived) {
  std::string joined;
  std::string_view input = arrived;
  if (!input_.empty()) {
    joined.swap(input_);
    joined.append(arrived);
    input = joined;
  }
  outgoing_.lend(loop_.write_buffer());
  consume(input);
  if (state_ == State::closed) return;
  if (!input.empty()) input_.assign(input);
  settle();
}

void Connection::consume(std::string_view& input) {
  again_ = false;
  for (int handled = 0; state_ == State::reading_head || state_ == State::reading_body;) {
    if (outgoing_.is_full() || handled == requests_per_turn) {
      again_ = true;
      return;
    }
    if (state_ == State::reading_head && !take_head(input)) return;
    if (state_ == State::reading_body && !take_body(input)) return;
    if (state_ == State::handling) {
      ++handled;
      hand_on();
    }
  }
}

// Each of these two returns false when it needs more bytes, or refused.
bool Connection::take_head(std::string_view& input) {
  if (input.empty()) return false;
  const auto found = scanner_.find_end(input, options().limits.header_bytes);
  if (const auto* refusal = std::get_if<Refusal>(&found)) return refuse(*refusal), false;
  const auto* size = std::get_if<std::size_t>(&found);
  if (size == nullptr) return false;
  const auto text = input.substr(0, *size);
  scanner_.reset();
  head_begun_ = false;
  auto parsed = parse_head(text);
  if (const auto* refusal = std::get_if<Refusal>(&parsed)) return refuse(*refusal), false;
  head_ = std::get<RequestHead>(std::move(parsed));
  input.remove_prefix(*size);
  keep_alive_ = head_->request.keep_alive;
  http_1_0_ = head_->http_1_0;
  head_only_ = head_->request.method == Method::head;
  head_->request.remote_address = remote_address_;
  if (!head_->chunked && head_->content_length == 0) {
    state_ = State::handling;
    return true;
  }
  if (const auto refusal = begin_body(!input.empty())) return refuse(*refusal), false;
  return true;
}

std::optional<Refusal> Connection::begin_body(bool body_has_begun) {
  body_limit_ = options().body_limit ? options().body_limit(head_->request) : options().limits.body_bytes;
  if (head_->content_length > body_limit_) return Refusal{413, "Request body too large"};
  if (!head_->chunked) head_->request.body.reserve(std::min<std::size_t>(head_->content_length, most_reserved));
  if (head_->expects_continue && !body_has_begun) outgoing_.add_text("HTTP/1.1 100 Continue\r\n\r\n");
  chunks_ = ChunkedBody();
  state_ = State::reading_body;
  return std::nullopt;
}

bool Connection::take_body(std::string_view& input) {
  std::string& body = head_->request.body;
  if (head_->chunked) {
    switch (chunks_.take(input, body, body_limit_)) {
      case ChunkedBody::Progress::more: return false;
      case ChunkedBody::Progress::malformed: return refuse({400, "Malformed chunked body"}), false;
      case ChunkedBody::Progress::too_large: return refuse({413, "Request body too large"}), false;
      case ChunkedBody::Progress::done: break;
    }
  } else {
    const auto piece = input.substr(0, head_->content_length - body.size());
    body.append(piece);
    input.remove_prefix(piece.size());
    if (body.size() < head_->content_length) return false;
  }
  if (const auto refusal = inflate_body()) return refuse(*refusal), false;
  state_ = State::handling;
  return true;
}

std::optional<Refusal> Connection::inflate_body() {
  Request& request = head_->request;
  const auto encoding = request.headers.find("content-encoding");
  if (!encoding || request.body.empty() || equals_ignoring_case(*encoding, "identity")) return std::nullopt;
  if (!equals_ignoring_case(*encoding, "gzip") && !equals_ignoring_case(*encoding, "x-gzip") &&
      !equals_ignoring_case(*encoding, "deflate"))
    return Refusal{415, "Unsupported Content-Encoding"};
  auto inflated = inflate(request.body, body_limit_);
  if (!inflated) {
    if (inflated.error().kind == ErrorKind::too_large) return Refusal{413, "Request body too large"};
    return Refusal{400, "Malformed compressed body"};
  }
  request.body = *std::move(inflated);
  request.headers.remove("content-encoding");
  return std::nullopt;
}

void Connection::hand_on() {
  deadline_ = SteadyTime::max();
  if (head_->asks_websocket && options().upgrade_handler) return hand_on_upgrade();
  Request request = std::move(head_->request);
  head_.reset();
  counters().requests.fetch_add(1, std::memory_order_relaxed);
  in_handler_ = true;
  try {
    options().handler(std::move(request), Responder(loop_.shared_from_this(), weak_from_this()));
  } catch (const std::exception& problem) {  // the responder fell with the handler, and answered
    spdlog::error("net.handler_threw error={}", problem.what());
  }
  in_handler_ = false;
  if (early_answer_) {
    Response response = *std::move(early_answer_);
    early_answer_.reset();
    take_answer(std::move(response));
  }
}

void Connection::hand_on_upgrade() {
  const Request& request = head_->request;
  keep_alive_ = false;
  const auto key = request.headers.find("sec-websocket-key");
  if (request.headers.find("sec-websocket-version") != "13") {
    Response response = Response::error(426, "Only WebSocket version 13 is spoken here");
    response.headers.add("Sec-WebSocket-Version", "13");
    return take_answer(std::move(response));
  }
  if (!key || key->size() != 24 || request.headers.count("sec-websocket-key") != 1)
    return take_answer(Response::error(400, "Malformed Sec-WebSocket-Key"));
  is_upgrade_ = true;
  counters().requests.fetch_add(1, std::memory_order_relaxed);
  try {
    options().upgrade_handler(request, Upgrade(loop_.shared_from_this(), weak_from_this()));
  } catch (const std::exception& problem) { spdlog::error("net.upgrade_handler_threw error={}", problem.what()); }
}

void Connection::answer(Response response) {
  if (state_ != State::handling || is_upgrade_ || early_answer_) return;
  if (in_handler_ || waiting_writable_) {
    early_answer_ = std::move(response);
    return;
  }
  outgoing_.lend(loop_.write_buffer());
  take_answer(std::move(response));
  feed({});
}

void Connection::take_answer(Response response) {
  if (!is_sendable(response)) {
    spdlog::error("net.unsendable_response status={}", response.status);
    response = Response::error(500, "Internal server error");
  }
  const bool keep = keep_alive_ && !loop_.winding_down();
  outgoing_.add(std::move(response), {keep, http_1_0_, loop_.date()}, head_only_);
  state_ = keep ? State::reading_head : State::leaving;
}

void Connection::refuse(const Refusal& refusal) {
  counters().refused.fetch_add(1, std::memory_order_relaxed);
  spdlog::debug("net.refused status={} reason=\"{}\" remote={}", refusal.status, refusal.reason, remote_address_);
  outgoing_.add(Response::error(refusal.status, refusal.reason), {false, false, loop_.date()}, false);
  head_.reset();
  linger_ = true;
  state_ = State::leaving;
}

void Connection::settle() {
  while (!outgoing_.empty()) {
    const auto progress = outgoing_.write_to(socket_.native_handle());
    if (progress == Outgoing::Progress::failed) return close();
    if (progress == Outgoing::Progress::blocked) {
      expect_within(options().limits.progress);
      return wait_writable();
    }
    if (!early_answer_) break;
    Response response = *std::move(early_answer_);
    early_answer_.reset();
    take_answer(std::move(response));
    again_ = true;
  }
  outgoing_.give_back(loop_.write_buffer());
  switch (state_) {
    case State::leaving: return leave();
    case State::reading_head:
      if (again_) {
        again_ = false;
        return loop_.post([self = shared_from_this()] {
          if (self->state_ != State::closed) self->feed({});
        });
      }
      if (input_.empty() && loop_.winding_down()) return close();
      // The time for a head runs from its first byte, not from its latest.
      if (input_.empty())
        expect_within(options().limits.idle), head_begun_ = false;
      else if (!head_begun_)
        expect_within(options().limits.header), head_begun_ = true;
      return wait_readable();
    case State::reading_body: expect_within(options().limits.progress); return wait_readable();
    case State::handling: deadline_ = SteadyTime::max(); return;
    case State::lingering:
    case State::closed: return;
  }
}

// Closing with unread bytes would reset the connection and could cost the peer our last answer: so take and drop what
// it still sends, for a moment.
void Connection::leave() {
  if (!linger_ && input_.empty()) return close();
  boost::system::error_code ignored;
  socket_.shutdown(TcpSocket::shutdown_send, ignored);
  input_ = std::string();
  state_ = State::lingering;
  expect_within(linger_time);
  wait_readable();
}

void Connection::close() {
  if (state_ == State::closed) return;
  state_ = State::closed;
  boost::system::error_code ignored;
  socket_.close(ignored);
  counters().connections.fetch_sub(1, std::memory_order_relaxed);
  if (place_) loop_.remove(*place_, true);
}

void Connection::sweep(SteadyTime now) {
  if (now < deadline_) return;
  const bool half_a_request = state_ == State::reading_body || (state_ == State::reading_head && !input_.empty());
  if (state_ != State::lingering) counters().timed_out.fetch_add(1, std::memory_order_relaxed);
  if (!half_a_request || waiting_writable_) return close();
  refuse({408, "Request timeout"});
  settle();
}

void Connection::wind_down() {
  if (state_ == State::reading_head && input_.empty() && outgoing_.empty()) close();
}

void Connection::abort() { close(); }

void Connection::refuse_upgrade(Response response) {
  if (state_ != State::handling || !is_upgrade_) return;
  is_upgrade_ = false;
  answer(std::move(response));
}

void Connection::drop_upgrade() {
  if (state_ == State::handling && is_upgrade_) close();
}

void Connection::accept_upgrade(WebSocketHandlers handlers) {
  if (state_ != State::handling || !is_upgrade_) return;
  if (loop_.winding_down()) return refuse_upgrade(Response::error(503, "The server is stopping"));
  // Earlier answers that were never taken, or frames before our word that they are welcome: no client does either.
  if (!outgoing_.empty() || !input_.empty()) return close();
  state_ = State::closed;
  start_websocket(loop_, std::move(socket_), head_->request, std::move(handlers));
  loop_.remove(*place_, true);
}

}  // namespace paperclip::net
