#include "runner/egress_proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include <algorithm>

#include "runner/system.h"

namespace paperclip::runner {
namespace {

constexpr std::int64_t head_patience_ms = 30'000;
constexpr std::int64_t open_patience_ms = 60'000;   // for a server to be there and to answer
constexpr std::int64_t closing_patience_ms = 10'000;
/// So much of the agent's bytes is kept before it has to wait.
constexpr std::size_t kept_bytes = 64 * 1024;

bool asks_for_proxy(const StartMessage& message) {
  for (const std::string_view entry : message.environment)
    if (entry.size() == egress_variable.size() + 1 + egress_by_proxy.size() && entry.substr(0, egress_variable.size()) == egress_variable &&
        entry[egress_variable.size()] == '=' && entry.substr(egress_variable.size() + 1) == egress_by_proxy)
      return true;
  return false;
}

}  // namespace

std::string EgressProxy::prepare(const StartMessage& message, std::vector<std::string>& environment) {
  if (!asks_for_proxy(message)) return {};
  listener_.reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (!listener_ || bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(listener_.get(), 64) != 0 ||
      getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    listener_.reset();
    return std::string("The proxy for the network cannot listen on 127.0.0.1: ") + strerror(errno);
  }
  const std::string proxy = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  for (const char* name : {"HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"}) environment.push_back(std::string(name) + "=" + proxy);
  for (const char* name : {"NO_PROXY", "no_proxy"}) environment.push_back(std::string(name) + "=127.0.0.1,localhost,::1");
  environment.push_back("NODE_USE_ENV_PROXY=1");  // without it, Node's own fetch knows no proxy
  return {};
}

void EgressProxy::watch(std::vector<pollfd>& polls) {
  watched_.clear();
  if (!listener_) return;
  polls.push_back({tunnels_.size() < egress_tunnels_limit ? listener_.get() : -1, POLLIN, 0});
  for (const auto& [stream, tunnel] : tunnels_) {
    short events = 0;
    if (!tunnel.agent_ended && tunnel.state != State::closing && tunnel.in.size() < kept_bytes) events |= POLLIN;
    if (!tunnel.out.empty()) events |= POLLOUT;
    polls.push_back({events ? tunnel.socket.get() : -1, events, 0});
    watched_.push_back(stream);
  }
}

void EgressProxy::on_ready(const pollfd* polls, std::size_t count) {
  for (std::size_t i = 1; i < count && i - 1 < watched_.size(); ++i) {
    const auto found = tunnels_.find(watched_[i - 1]);
    if (found == tunnels_.end() || polls[i].revents == 0) continue;
    if (polls[i].revents & POLLOUT) write_to(found->second);
    if (polls[i].revents & (POLLIN | POLLHUP | POLLERR)) read_from(found->first, found->second);
  }
  if (count > 0 && polls[0].revents) accept_one();
}

void EgressProxy::accept_one() {
  Descriptor socket(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket) return;
  const int yes = 1;
  setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  do ++last_stream_;
  while (last_stream_ == 0 || tunnels_.count(last_stream_) != 0);
  Tunnel& tunnel = tunnels_[last_stream_];
  tunnel.socket = std::move(socket);
  tunnel.deadline = monotonic_ms() + head_patience_ms;
}

void EgressProxy::read_from(std::uint16_t stream, Tunnel& tunnel) {
  char piece[16 * 1024];
  const ssize_t got = recv(tunnel.socket.get(), piece, sizeof piece, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got < 0) return drop(stream);
  if (got == 0) {
    tunnel.agent_ended = true;
    if (tunnel.state == State::head) drop(stream);
    return;
  }
  tunnel.in.append(piece, static_cast<std::size_t>(got));
  if (tunnel.state == State::head) read_head(tunnel);
}

void EgressProxy::read_head(Tunnel& tunnel) {
  std::size_t size = 0;
  std::string refusal;
  switch (read_proxy_request(tunnel.in, tunnel.request, size, refusal)) {
    case ProxyHead::incomplete: return;
    case ProxyHead::refused: return refuse(tunnel, 400, "Bad Request", refusal);
    case ProxyHead::complete: break;
  }
  tunnel.in.replace(0, size, tunnel.request.first_bytes);
  tunnel.state = State::opening;
  tunnel.deadline = monotonic_ms() + open_patience_ms;
}

void EgressProxy::refuse(Tunnel& tunnel, int status, const char* reason, const std::string& text) {
  const std::string body = text + "\n";
  tunnel.out = "HTTP/1.1 " + std::to_string(status) + " " + reason + "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: " +
               std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" + body;
  tunnel.in.clear();
  tunnel.state = State::closing;
  tunnel.server_ended = true;
  tunnel.deadline = monotonic_ms() + closing_patience_ms;
}

void EgressProxy::write_to(Tunnel& tunnel) {
  const ssize_t put = send(tunnel.socket.get(), tunnel.out.data(), tunnel.out.size(), MSG_NOSIGNAL);
  if (put < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (put < 0) {
    tunnel.out.clear();  // its reader is gone; reading from it says so, too
    tunnel.server_ended = tunnel.shut = true;
    return;
  }
  tunnel.out.erase(0, static_cast<std::size_t>(put));
  if (tunnel.state == State::open) tunnel.delivered += static_cast<std::uint32_t>(put);
}

/// Sends what credit allows, gives credit for what the agent took, and says each end once.
void EgressProxy::pass_on(std::uint16_t stream, Tunnel& tunnel) {
  std::string& outbox = server_->outbox(FrameClass::callbacks);
  if (tunnel.state == State::opening && !tunnel.asked) {
    append_egress_open(outbox, stream, tunnel.request.target);
    tunnel.asked = true;
  }
  if (tunnel.state != State::open) return;
  while (!tunnel.in.empty() && tunnel.credit > 0) {
    const std::size_t size = std::min({tunnel.in.size(), static_cast<std::size_t>(tunnel.credit), frame_payload_limit});
    append_egress_data(outbox, stream, std::string_view(tunnel.in).substr(0, size));
    tunnel.in.erase(0, size);
    tunnel.credit -= static_cast<std::uint32_t>(size);
  }
  if (tunnel.delivered >= egress_window / 4) {
    append_egress_credit(outbox, stream, tunnel.delivered);
    tunnel.delivered = 0;
  }
  if (tunnel.agent_ended && tunnel.in.empty() && !tunnel.told_end) {
    append_egress_mark(outbox, egress_frame::end, stream);
    tunnel.told_end = true;
  }
}

void EgressProxy::advance() {
  if (!listener_) return;
  const std::int64_t now = monotonic_ms();
  std::vector<std::uint16_t> done;
  for (auto& [stream, tunnel] : tunnels_) {
    if (now >= tunnel.deadline) {
      if (tunnel.state != State::opening) {
        done.push_back(stream);
        continue;
      }
      if (tunnel.asked && server_) append_egress_mark(server_->outbox(FrameClass::callbacks), egress_frame::reset, stream);
      refuse(tunnel, 504, "Gateway Timeout", "Nobody answered for " + tunnel.request.target.host);
    }
    if (server_ && !server_->gone()) pass_on(stream, tunnel);
    if (tunnel.server_ended && tunnel.out.empty() && !tunnel.shut) {
      shutdown(tunnel.socket.get(), SHUT_WR);
      tunnel.shut = true;
    }
    if (finished(tunnel)) done.push_back(stream);
  }
  for (const std::uint16_t stream : done) drop(stream);
}

bool EgressProxy::finished(const Tunnel& tunnel) const {
  if (tunnel.state == State::closing) return tunnel.shut;
  return tunnel.state == State::open && tunnel.told_end && tunnel.shut;
}

void EgressProxy::drop(std::uint16_t stream) {
  const auto found = tunnels_.find(stream);
  if (found == tunnels_.end()) return;
  const Tunnel& tunnel = found->second;
  const bool known = tunnel.state == State::open || (tunnel.state == State::opening && tunnel.asked);
  if (known && !finished(tunnel) && server_ && !server_->gone()) append_egress_mark(server_->outbox(FrameClass::callbacks), egress_frame::reset, stream);
  tunnels_.erase(found);
}

std::int64_t EgressProxy::deadline() const {
  std::int64_t next = INT64_MAX;
  for (const auto& [stream, tunnel] : tunnels_) next = std::min(next, tunnel.deadline);
  return next;
}

bool EgressProxy::handle(Client& client, const Frame& frame) {
  if (!is_egress(frame.type)) return false;
  if (frame.type == egress_frame::serve) {
    if (server_ && server_ != &client) client_gone(*server_);
    server_ = &client;
    return true;
  }
  const auto found = &client == server_ ? tunnels_.find(frame.stream) : tunnels_.end();
  if (found == tunnels_.end()) return true;  // it has gone meanwhile
  Tunnel& tunnel = found->second;
  if (frame.type == egress_frame::answer) {
    take_answer(tunnel, frame);
  } else if (frame.type == egress_frame::data && tunnel.state == State::open) {
    if (tunnel.out.size() + frame.payload.size() > 2 * egress_window) {
      client.close();  // it does not keep to its credit
    } else if (!tunnel.shut) {
      tunnel.out.append(frame.payload);
    }
  } else if (frame.type == egress_frame::credit) {
    tunnel.credit += ByteReader(frame.payload).number<std::uint32_t>();
    tunnel.credit = std::min(tunnel.credit, egress_window);
  } else if (frame.type == egress_frame::end) {
    tunnel.server_ended = true;
  } else if (frame.type == egress_frame::reset) {
    if (tunnel.state == State::opening) {
      refuse(tunnel, 502, "Bad Gateway", "The connection to " + tunnel.request.target.host + " was lost");
    } else {
      // The agent shall see that something was cut: no orderly end.
      const linger hard{1, 0};
      setsockopt(tunnel.socket.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
      tunnels_.erase(found);
    }
  }
  return true;
}

void EgressProxy::take_answer(Tunnel& tunnel, const Frame& frame) {
  if (tunnel.state != State::opening) return;
  ByteReader reader(frame.payload);
  const auto status = reader.number<std::uint16_t>();
  const std::string text(reader.text());
  if (status == 200) {
    if (tunnel.request.connect) tunnel.out = "HTTP/1.1 200 Connection established\r\n\r\n";
    tunnel.state = State::open;
    tunnel.deadline = INT64_MAX;
    // The reply to CONNECT was no byte of the server's.
    tunnel.delivered = 0;
    if (!tunnel.out.empty()) {
      const ssize_t put = send(tunnel.socket.get(), tunnel.out.data(), tunnel.out.size(), MSG_NOSIGNAL);
      if (put > 0) tunnel.out.erase(0, static_cast<std::size_t>(put));
    }
  } else {
    refuse(tunnel, status, status == 403 ? "Forbidden" : status == 504 ? "Gateway Timeout" : "Bad Gateway", text);
  }
}

/// What was under way is lost; what was only asked for is asked again from the next server.
void EgressProxy::client_gone(Client& client) {
  if (&client != server_) return;
  server_ = nullptr;
  const linger hard{1, 0};
  for (auto it = tunnels_.begin(); it != tunnels_.end();) {
    it->second.asked = false;
    if (it->second.state == State::open) {
      setsockopt(it->second.socket.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
      it = tunnels_.erase(it);
    } else {
      ++it;
    }
  }
}

void EgressProxy::agent_ended() {
  for (const auto& [stream, tunnel] : tunnels_)
    if (tunnel.state == State::open && server_ && !server_->gone()) append_egress_mark(server_->outbox(FrameClass::callbacks), egress_frame::reset, stream);
  tunnels_.clear();
  listener_.reset();
}

}  // namespace paperclip::runner
