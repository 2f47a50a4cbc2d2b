#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runner/callbacks.h"

/// HTTP/1.1 as the callback listener takes it. As in net's parser, everything that RFC 9112 leaves to a recipient's
/// patience is refused; what is taken goes on as fields, never as the bytes that came.
namespace paperclip::runner {

struct HttpRefusal {
  int status;
  const char* message;
};

struct HttpHead {
  std::string method;
  std::string path;
  std::string query;
  std::vector<HeaderField> forwarded;  // accept, content-type, if-match, if-none-match
  std::string authorization;
  std::string content_type;
  std::uint64_t content_length = 0;
  bool chunked = false;
  bool expects_continue = false;
  bool keep_alive = true;
};

inline constexpr std::size_t http_head_limit = 16 * 1024;

enum class HeadEnd { found, not_yet, refused };
/// Looks for the empty line that ends a head; `size` is then the head's, the line included.
HeadEnd find_head_end(std::string_view input, std::size_t& size, HttpRefusal& refusal);
/// Nullopt if the head was understood.
std::optional<HttpRefusal> parse_head(std::string_view head, HttpHead& out);

/// A whole answer. HEAD gets the fields alone.
std::string write_answer(int status, const std::vector<HeaderField>& headers, std::string_view body, bool head_only,
                         bool keep_alive);
/// `{"error":message}`; a 503 asks to try again in a second.
CallbackAnswer bridge_error(std::uint64_t id, int status, std::string_view message);

}  // namespace paperclip::runner
