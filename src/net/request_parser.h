#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "base/chunked_body.h"
#include "net/http.h"

/// Private to this room. The guard and the parser in one: there is no second reader of the same bytes that could see
/// something else in them (docs/decisions/0005-http-parser.md). Everything RFC 9112 leaves to a recipient's patience is
/// refused.
namespace paperclip::net {

/// Why the server layer itself answers, with which status; the connection ends after it.
struct Refusal {
  int status;
  std::string_view reason;
};

struct RequestHead {
  Request request;  // without body and remote address
  std::uint64_t content_length = 0;
  bool chunked = false;
  bool http_1_0 = false;
  bool expects_continue = false;
  bool asks_websocket = false;  // GET, HTTP/1.1, `Connection: upgrade`, `Upgrade: websocket`
};

/// Looks for the empty line that ends a head, piece by piece.
class HeadScanner {
 public:
  struct NotYet {};
  /// The size of the head, its empty line included; NotYet; or a Refusal as soon as the bytes cannot become a head.
  /// `input` begins with the same bytes at each call until `reset`.
  std::variant<std::size_t, NotYet, Refusal> find_end(std::string_view input, std::size_t limit);
  void reset() { scanned_ = line_at_ = 0; }

 private:
  std::size_t scanned_ = 0;  // everything before holds no line end that was not looked at
  std::size_t line_at_ = 0;  // where the current line begins
};

/// Parses a whole head as HeadScanner found it.
std::variant<RequestHead, Refusal> parse_head(std::string_view head);

}  // namespace paperclip::net
