#include "runner/callback_listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "base/chunked_body.h"

namespace paperclip::runner {
namespace {

constexpr std::size_t connection_limit = 256;
constexpr std::int64_t first_request_ms = 60'000, next_request_ms = 6'000, receive_ms = 30'000, write_ms = 30'000;
/// After a refusal the rest of what the client sends is read and thrown away for so long, or the answer would be lost
/// with a connection that is torn down under unread bytes.
constexpr std::int64_t linger_ms = 2'000;
constexpr std::int64_t accept_pause_ms = 100;

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned char difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) difference = static_cast<unsigned char>(difference | (a[i] ^ b[i]));
  return difference == 0;
}

bool is_authorized(const HttpHead& head, std::string_view token) {
  constexpr std::string_view prefix = "Bearer ";
  const std::string_view given = head.authorization;
  return given.substr(0, prefix.size()) == prefix && equal_in_constant_time(given.substr(prefix.size()), token);
}

bool names_json(std::string_view type) {
  constexpr std::string_view json = "json";
  return std::search(type.begin(), type.end(), json.begin(), json.end(),
                     [](char a, char b) { return (a | 0x20) == b; }) != type.end();
}

}  // namespace

struct CallbackListener::Connection {
  enum class State { head, body, waiting, writing, lingering };

  Descriptor socket;
  State state = State::head;
  std::string in, out, body;
  HttpHead head;
  ChunkedBody chunks;
  std::uint64_t id = 0;
  std::int64_t accepted_at = 0;
  std::int64_t deadline = 0;
  bool keep_alive = true;
  bool ended = false;  // the client sends nothing more
};

CallbackListener::CallbackListener(ListenerSettings settings, CallbackBackend& backend)
    : settings_(std::move(settings)), backend_(backend) {}

CallbackListener::~CallbackListener() { explicit_bzero(settings_.token.data(), settings_.token.size()); }

bool CallbackListener::listen() {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(settings_.port);
  if (inet_pton(AF_INET, settings_.host.c_str(), &address.sin_addr) != 1 || (ntohl(address.sin_addr.s_addr) >> 24) != 127) {
    errno = EINVAL;  // loopback only, whoever asks
    return false;
  }
  socket_.reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  if (socket_) setsockopt(socket_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  socklen_t size = sizeof address;
  if (!socket_ || bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(socket_.get(), 64) != 0 || getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    return false;
  port_ = ntohs(address.sin_port);
  return true;
}

void CallbackListener::add_to(std::vector<pollfd>& polled) const {
  const bool accepting = socket_ && connections_.size() < connection_limit && monotonic_ms() >= accept_again_at_;
  polled.push_back({accepting ? socket_.get() : -1, POLLIN, 0});
  for (const auto& connection : connections_) {
    short events = 0;
    const bool reading = connection->state == Connection::State::head || connection->state == Connection::State::body ||
                         connection->state == Connection::State::lingering;
    if (reading) events |= POLLIN;
    if (!connection->out.empty()) events |= POLLOUT;
    polled.push_back({connection->socket.get(), events, 0});
  }
}

void CallbackListener::handle(const pollfd* entries, std::size_t count) {
  for (std::size_t i = 1; i < count && i <= connections_.size(); ++i) {
    Connection& connection = *connections_[i - 1];
    const short events = entries[i].revents;
    if (events == 0 || !connection.socket) continue;
    if (events & POLLOUT) flush(connection);
    if (connection.socket && (events & POLLIN)) receive(connection);
    if (connection.socket && (events & (POLLERR | POLLHUP)) && !(events & POLLIN)) drop(connection);
  }
  if (count > 0 && entries[0].revents) accept_connection();
}

void CallbackListener::accept_connection() {
  while (socket_ && connections_.size() < connection_limit) {
    const int fd = accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
      if (errno != EAGAIN && errno != EINTR) accept_again_at_ = monotonic_ms() + accept_pause_ms;  // out of descriptors
      return;
    }
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    auto connection = std::make_unique<Connection>();
    connection->socket.reset(fd);
    connection->deadline = monotonic_ms() + first_request_ms;
    connections_.push_back(std::move(connection));
    receive(*connections_.back());  // what it asks has usually come along
  }
}

void CallbackListener::receive(Connection& connection) {
  char buffer[16 * 1024];
  const ssize_t got = recv(connection.socket.get(), buffer, sizeof buffer, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got < 0) return drop(connection);
  if (connection.state == Connection::State::lingering) {
    if (got == 0) drop(connection);
    return;
  }
  if (got == 0) {
    // Nothing can become of a request that is not whole.
    return drop(connection);
  }
  if (connection.state == Connection::State::head && connection.in.empty()) connection.deadline = monotonic_ms() + receive_ms;
  connection.in.append(buffer, static_cast<std::size_t>(got));
  proceed(connection);
}

void CallbackListener::proceed(Connection& connection) {
  if (connection.state == Connection::State::head && !begin_request(connection)) return;
  if (connection.state == Connection::State::body && read_body(connection)) submit(connection);
}

bool CallbackListener::begin_request(Connection& connection) {
  HttpHead& head = connection.head = {};
  HttpRefusal refusal{};
  std::size_t size = 0;
  switch (find_head_end(connection.in, size, refusal)) {
    case HeadEnd::not_yet: return false;
    case HeadEnd::refused: refuse(connection, refusal.status, refusal.message); return false;
    case HeadEnd::found: break;
  }
  const auto problem = parse_head(std::string_view(connection.in).substr(0, size), head);
  explicit_bzero(connection.in.data(), size);  // it held the token
  connection.in.erase(0, size);
  connection.keep_alive = !problem && head.keep_alive;
  if (problem) {
    refuse(connection, problem->status, problem->message);
    return false;
  }
  const bool authorized = is_authorized(head, settings_.token);
  explicit_bzero(head.authorization.data(), head.authorization.size());
  head.authorization.clear();
  const bool reading = head.method == "GET" || head.method == "HEAD";
  if (!authorized) {
    refuse(connection, 401, "Invalid bridge token.");
  } else if (!socket_) {
    refuse(connection, 503, "Bridge worker stopped before request could be handled.");
  } else if (pending_ >= settings_.queue_depth) {
    refuse(connection, 503, "Bridge request queue is full.");
  } else if (!reading && !names_json(head.content_type)) {
    refuse(connection, 415, "Bridge only accepts JSON request bodies.");
  } else if (head.content_length > settings_.max_body_bytes) {
    refuse(connection, 502, "Bridge request body exceeded the configured size limit.");
  } else {
    connection.state = Connection::State::body;
    connection.body.clear();
    connection.chunks = {};
    if (head.expects_continue && connection.in.empty() && (head.chunked || head.content_length > 0)) {
      connection.out += "HTTP/1.1 100 Continue\r\n\r\n";
      flush(connection);
    }
    return static_cast<bool>(connection.socket);
  }
  return false;
}

bool CallbackListener::read_body(Connection& connection) {
  std::string_view input = connection.in;
  bool whole = false;
  if (connection.head.chunked) {
    const auto progress = connection.chunks.take(input, connection.body, settings_.max_body_bytes);
    if (progress == ChunkedBody::Progress::malformed) refuse(connection, 400, "Malformed chunked body");
    if (progress == ChunkedBody::Progress::too_large) refuse(connection, 502, "Bridge request body exceeded the configured size limit.");
    whole = progress == ChunkedBody::Progress::done;
  } else {
    const std::size_t piece = std::min<std::size_t>(connection.head.content_length - connection.body.size(), input.size());
    connection.body.append(input.substr(0, piece));
    input.remove_prefix(piece);
    whole = connection.body.size() == connection.head.content_length;
  }
  if (connection.state != Connection::State::body) return false;
  connection.in.erase(0, connection.in.size() - input.size());
  return whole;
}

void CallbackListener::submit(Connection& connection) {
  if (pending_ >= settings_.queue_depth) return refuse(connection, 503, "Bridge request queue is full.");
  CallbackRequest request;
  request.id = connection.id = ++last_id_;
  request.method = connection.head.method;
  request.path = connection.head.path;
  request.query = connection.head.query;
  request.headers = std::move(connection.head.forwarded);
  request.body = std::move(connection.body);
  connection.state = Connection::State::waiting;
  connection.accepted_at = monotonic_ms();
  connection.deadline = connection.accepted_at + settings_.response_timeout_ms;
  ++pending_;
  backend_.submit(std::move(request));
}

bool CallbackListener::answer(const CallbackAnswer& answer) {
  for (auto& connection : connections_) {
    if (connection->state != Connection::State::waiting || connection->id != answer.id || !connection->socket) continue;
    --pending_;
    respond(*connection, answer);
    return true;
  }
  return false;
}

void CallbackListener::refuse(Connection& connection, int status, std::string_view message) {
  // Unless the request has been read to its end, nobody can say where the next one begins.
  const bool whole = connection.keep_alive && !connection.head.chunked && connection.head.content_length == 0 && status != 400;
  connection.keep_alive = whole;
  respond(connection, bridge_error(0, status, message));
}

void CallbackListener::respond(Connection& connection, const CallbackAnswer& answer) {
  if (!socket_) connection.keep_alive = false;
  connection.out += write_answer(answer.status, answer.headers, answer.body, connection.head.method == "HEAD", connection.keep_alive);
  connection.state = Connection::State::writing;
  connection.deadline = monotonic_ms() + write_ms;
  flush(connection);
}

void CallbackListener::flush(Connection& connection) {
  std::size_t done = 0;
  while (done < connection.out.size()) {
    const ssize_t sent = send(connection.socket.get(), connection.out.data() + done, connection.out.size() - done, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) break;
    if (sent < 0) return drop(connection);
    done += static_cast<std::size_t>(sent);
  }
  connection.out.erase(0, done);
  if (!connection.out.empty() || connection.state != Connection::State::writing) return;
  connection.out = {};
  if (!connection.keep_alive) {
    shutdown(connection.socket.get(), SHUT_WR);
    connection.state = Connection::State::lingering;
    connection.deadline = monotonic_ms() + linger_ms;
    connection.in = {};
    return;
  }
  connection.state = Connection::State::head;
  connection.deadline = monotonic_ms() + next_request_ms;
  // What was sent ahead is looked at when time is next looked at, so that nothing here calls itself.
}

std::int64_t CallbackListener::next_deadline() const {
  std::int64_t next = INT64_MAX;
  if (socket_ && accept_again_at_ > monotonic_ms()) next = accept_again_at_;
  for (const auto& connection : connections_) {
    const bool sent_ahead = connection->state == Connection::State::head && !connection->in.empty();
    std::size_t size = 0;
    HttpRefusal refusal{};
    next = std::min(next, sent_ahead && find_head_end(connection->in, size, refusal) != HeadEnd::not_yet ? 0 : connection->deadline);
  }
  return next;
}

void CallbackListener::advance() {
  const std::int64_t now = monotonic_ms();
  for (std::size_t i = 0; i < connections_.size(); ++i) {
    Connection& connection = *connections_[i];
    if (connection.socket && connection.state == Connection::State::head && !connection.in.empty()) proceed(connection);
    if (connection.socket && now >= connection.deadline) expire(connection);
  }
  std::erase_if(connections_, [](const auto& connection) { return !connection->socket; });
}

void CallbackListener::expire(Connection& connection) {
  if (connection.state != Connection::State::waiting) return drop(connection);
  --pending_;
  const std::uint64_t id = connection.id;
  respond(connection, bridge_error(id, 502, "Timed out waiting for host bridge response."));
  backend_.abandon(id);
}

void CallbackListener::drop(Connection& connection) {
  connection.socket.reset();
  if (connection.state != Connection::State::waiting) return;
  connection.state = Connection::State::lingering;
  --pending_;
  backend_.abandon(connection.id);
}

void CallbackListener::close_door() {
  socket_.reset();
  for (auto& connection : connections_)
    if (connection->state == Connection::State::head || connection->state == Connection::State::body) connection->socket.reset();
}

bool CallbackListener::writing() const {
  return std::any_of(connections_.begin(), connections_.end(), [](const auto& connection) { return connection->socket && !connection->out.empty(); });
}

}  // namespace paperclip::runner
