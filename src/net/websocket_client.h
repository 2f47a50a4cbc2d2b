#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "base/result.h"
#include "net/http.h"

namespace paperclip::net {

/// The client's end of a WebSocket, for one thread: each call waits until it is done or its deadline has passed. Pings
/// are answered while a call waits.
class WebSocketClient {
 public:
  /// `ws://` or `wss://`; certificates are checked against the system's. Errors: bad_request (no usable URL),
  /// bad_gateway (no connection, or the server answered with something else: its status is `details.status`), timeout.
  static Result<std::unique_ptr<WebSocketClient>> connect(std::string_view url, const Headers& headers,
                                                          Deadline deadline,
                                                          std::size_t max_message_bytes = 16 * 1024 * 1024);
  virtual ~WebSocketClient() = default;

  /// The next message; nullopt once the peer has closed. Errors: timeout (call again, nothing is lost), unavailable
  /// (interrupted), bad_gateway (the connection broke, or a message was too large).
  virtual Result<std::optional<std::string>> read(Deadline deadline) = 0;
  /// Sends one text message. Errors as above; after a timeout the connection is of no use.
  virtual Result<> send_text(std::string_view text, Deadline deadline) = 0;
  /// Says goodbye and waits for the answer.
  virtual void close(Deadline deadline) = 0;
  /// The code the peer closed with; 0 if it has not, or gave none.
  virtual std::uint16_t close_code() const = 0;
  /// The one call that any thread may make: every read, now and later, ends with unavailable.
  virtual void interrupt() = 0;
};

}  // namespace paperclip::net
