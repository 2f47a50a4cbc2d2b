#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "base/text.h"
#include "net/http.h"

/// A client that sends exactly the bytes it is given: for tests of what a proper client would never send.
namespace paperclip::net {

inline std::chrono::seconds patience() { return std::chrono::seconds(20); }

struct RawResponse {
  int status = 0;
  std::string head;  // as received, with the empty line
  Headers headers;
  std::string body;
};

class RawClient {
 public:
  explicit RawClient(std::uint16_t port, int receive_buffer = 0)
      : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_buffer != 0) ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) std::abort();
  }
  ~RawClient() { ::close(socket_); }
  RawClient(const RawClient&) = delete;

  /// False once the peer does not take it any more.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  void finish_sending() { ::shutdown(socket_, SHUT_WR); }

  /// More bytes into `received`; false at the end of the stream or when patience runs out.
  bool receive(Deadline deadline = Deadline::in(patience())) {
    pollfd waiting{socket_, POLLIN, 0};
    if (::poll(&waiting, 1, static_cast<int>(deadline.left().count())) != 1) return false;
    char buffer[65536];
    const auto size = ::recv(socket_, buffer, sizeof buffer, 0);
    if (size <= 0) {
      ended_ = true;
      return false;
    }
    received.append(buffer, static_cast<std::size_t>(size));
    return true;
  }

  /// The next response off the stream. `to_head`: it answers a HEAD, so no body follows.
  std::optional<RawResponse> response(bool to_head = false) {
    std::size_t end;
    while ((end = received.find("\r\n\r\n")) == std::string::npos)
      if (!receive()) return std::nullopt;
    RawResponse out;
    out.head = received.substr(0, end + 4);
    received.erase(0, end + 4);
    out.status = std::atoi(out.head.substr(9, 3).c_str());
    for (const auto& line : split(out.head, '\n')) {
      const auto colon = line.find(':');
      if (colon != std::string::npos)
        out.headers.add(line.substr(0, colon), trim(std::string_view(line).substr(colon + 1)));
    }
    if (to_head || out.status < 200) return out;
    const std::size_t size =
        std::strtoul(std::string(out.headers.find("content-length").value_or("0")).c_str(), nullptr, 10);
    while (received.size() < size)
      if (!receive()) return std::nullopt;
    out.body = received.substr(0, size);
    received.erase(0, size);
    return out;
  }

  /// True if the server closes the connection without sending anything more.
  bool is_closed_by_server() {
    while (receive()) {}
    return ended_ && received.empty();
  }

  std::string received;

 private:
  int socket_;
  bool ended_ = false;
};

}  // namespace paperclip::net
