#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace paperclip::net {

/// Close codes of RFC 6455 that we send.
enum class CloseCode : std::uint16_t {
  normal = 1000,
  going_away = 1001,
  too_big = 1009,
  internal_error = 1011,
  try_again_later = 1013
};

struct WebSocketLimits {
  /// A reader with more than this waiting for it is too slow: it is dropped with 1013, and comes back for a fresh
  /// start.
  std::size_t outbox_messages = 1024;
  std::size_t outbox_bytes = 4 * 1024 * 1024;
  /// Messages from clients are read and ignored; a larger one ends the connection with 1009.
  std::size_t incoming_message_bytes = 64 * 1024;
  /// A ping after so much silence; after twice as much the peer is dead (spec/platform.md 9.1).
  std::chrono::milliseconds ping_interval{30'000};
  /// For the handshake, and for a close frame to be taken and answered.
  std::chrono::milliseconds handshake{10'000};
};

/// The server's end of one open WebSocket. Every function may be called from any thread, and after the end.
class WebSocket {
 public:
  virtual ~WebSocket() = default;
  /// Queues one text frame; the text is shared, not copied. Returns false once the socket is closing,
  /// which a full outbox makes it do.
  virtual bool send_text(std::shared_ptr<const std::string> text) = 0;
  bool send_text(std::string text) { return send_text(std::make_shared<const std::string>(std::move(text))); }
  /// Sends what is queued, then the close frame. At most 123 bytes of reason.
  virtual void close(CloseCode code = CloseCode::normal, std::string reason = {}) = 0;
};

/// Called on the connection's I/O thread; must not block.
struct WebSocketHandlers {
  std::function<void(std::shared_ptr<WebSocket>)> on_open;
  /// Once, after `on_open`, however it ended.
  std::function<void()> on_close;
};

}  // namespace paperclip::net
