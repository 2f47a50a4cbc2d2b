#include "net/request_parser.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/text.h"

namespace paperclip::net {

namespace {

constexpr std::size_t longest_method = 32;
constexpr std::size_t most_fields = 200;

using ByteSet = std::array<bool, 256>;

constexpr ByteSet bytes_where(auto belongs) {
  ByteSet set{};
  for (int i = 0; i < 256; ++i) set[static_cast<std::size_t>(i)] = belongs(static_cast<unsigned char>(i));
  return set;
}
constexpr bool is_alphanumeric(unsigned char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
constexpr ByteSet token_bytes = bytes_where([](unsigned char c) {
  return is_alphanumeric(c) || std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos;
});
// Visible ASCII without '#': a fragment never travels.
constexpr ByteSet target_bytes = bytes_where([](unsigned char c) { return c > 0x20 && c < 0x7f && c != '#'; });
constexpr ByteSet value_bytes = bytes_where([](unsigned char c) { return c == '\t' || (c >= 0x20 && c != 0x7f); });
// A name, an address, a port: nothing that any reader could take for a path, user information or a list.
constexpr ByteSet host_bytes = bytes_where([](unsigned char c) {
  return is_alphanumeric(c) || std::string_view("-._~:[]%").find(static_cast<char>(c)) != std::string_view::npos;
});

bool all_in(const ByteSet& set, std::string_view text) {
  return std::all_of(text.begin(), text.end(), [&](char c) { return set[static_cast<unsigned char>(c)]; });
}

std::string_view without_blanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// The line at the front without its CRLF, which HeadScanner has seen to be there.
std::string_view take_line(std::string_view& text) {
  const auto end = text.find('\n');
  const auto line = text.substr(0, end - 1);
  text.remove_prefix(end + 1);
  return line;
}

// What the fields that concern the connection said.
struct Framing {
  int hosts = 0, lengths = 0, encodings = 0, expectations = 0, authorizations = 0;
  bool close = false, keep_alive = false, upgrade = false, websocket = false;
  std::string_view encoding, expectation;
  std::uint64_t length = 0;
};

std::optional<Refusal> read_length(std::string_view value, std::uint64_t& length) {
  if (value.empty() || value.size() > 18 ||
      !std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; }))
    return Refusal{400, "Malformed Content-Length"};
  length = 0;
  for (const char c : value) length = length * 10 + static_cast<std::uint64_t>(c - '0');
  return std::nullopt;
}

std::optional<Refusal> note_field(std::string_view name, std::string_view value, Framing& framing) {
  const auto is = [&](std::string_view known) { return equals_ignoring_case(name, known); };
  switch (name.size()) {
    case 4:
      if (is("host")) {
        if (++framing.hosts > 1) return Refusal{400, "More than one Host"};
        if (!all_in(host_bytes, value)) return Refusal{400, "Malformed Host"};
      }
      break;
    case 6:
      if (is("expect")) {
        if (++framing.expectations > 1) return Refusal{400, "More than one Expect"};
        framing.expectation = value;
      }
      break;
    case 7:
      if (is("upgrade") && equals_ignoring_case(value, "websocket")) framing.websocket = true;
      break;
    case 10:
      if (is("connection")) {
        for (auto rest = value; !rest.empty();) {
          const auto end = rest.find(',');
          const auto option = without_blanks(rest.substr(0, end));
          rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
          if (equals_ignoring_case(option, "close"))
            framing.close = true;
          else if (equals_ignoring_case(option, "keep-alive"))
            framing.keep_alive = true;
          else if (equals_ignoring_case(option, "upgrade"))
            framing.upgrade = true;
        }
      }
      break;
    case 13:
      if (is("authorization") && ++framing.authorizations > 1) return Refusal{400, "More than one Authorization"};
      break;
    case 14:
      if (is("content-length")) {
        if (++framing.lengths > 1) return Refusal{400, "More than one Content-Length"};
        return read_length(value, framing.length);
      }
      break;
    case 17:
      if (is("transfer-encoding")) {
        if (++framing.encodings > 1) return Refusal{400, "More than one Transfer-Encoding"};
        framing.encoding = value;
      }
      break;
    default: break;
  }
  return std::nullopt;
}

std::optional<Refusal> parse_request_line(std::string_view line, RequestHead& head) {
  Request& request = head.request;
  const auto first = line.find(' ');
  const auto last = first == std::string_view::npos ? first : line.find(' ', first + 1);
  if (last == std::string_view::npos) return Refusal{400, "Malformed request line"};
  const auto method = line.substr(0, first), target = line.substr(first + 1, last - first - 1),
             version = line.substr(last + 1);
  if (method.empty() || method.size() > longest_method || !all_in(token_bytes, method))
    return Refusal{400, "Malformed method"};
  if (target.empty() || target.front() != '/' || !all_in(target_bytes, target))
    return Refusal{400, "Malformed request target"};
  if (version == "HTTP/1.0")
    head.http_1_0 = true;
  else if (version.size() == 8 && version.starts_with("HTTP/") && version[6] == '.' && version != "HTTP/1.1")
    return Refusal{505, "HTTP version not supported"};
  else if (version != "HTTP/1.1")
    return Refusal{400, "Malformed request line"};
  request.method = method_of(method);
  request.method_text = method;
  request.target = target;
  const auto question = target.find('?');
  request.path = target.substr(0, question);
  if (question != std::string_view::npos) request.query = target.substr(question + 1);
  return std::nullopt;
}

std::optional<Refusal> settle(const Framing& framing, RequestHead& head) {
  if (framing.hosts == 0 && !head.http_1_0) return Refusal{400, "Missing Host"};
  if (framing.encodings != 0) {
    if (head.http_1_0) return Refusal{400, "Transfer-Encoding in HTTP/1.0"};
    if (framing.lengths != 0) return Refusal{400, "Transfer-Encoding together with Content-Length"};
    if (framing.encoding != "chunked") return Refusal{400, "Transfer-Encoding other than chunked"};
    head.chunked = true;
  }
  head.content_length = framing.length;
  if (framing.expectations != 0) {
    if (!equals_ignoring_case(framing.expectation, "100-continue")) return Refusal{417, "Unknown expectation"};
    head.expects_continue = !head.http_1_0;
  }
  head.request.keep_alive = !framing.close && (!head.http_1_0 || framing.keep_alive);
  head.asks_websocket = framing.upgrade && framing.websocket && !head.http_1_0 && head.request.method == Method::get;
  if (head.asks_websocket && (head.chunked || head.content_length != 0)) return Refusal{400, "An upgrade with a body"};
  return std::nullopt;
}

}  // namespace

std::variant<std::size_t, HeadScanner::NotYet, Refusal> HeadScanner::find_end(std::string_view input,
                                                                              std::size_t limit) {
  // Whatever cannot be a method is told at once: a TLS greeting on the plain port would otherwise wait for its
  // time-out.
  if (!input.empty() && !token_bytes[static_cast<unsigned char>(input.front())])
    return Refusal{400, "Malformed request line"};
  const auto visible = input.substr(0, limit);
  while (true) {
    const auto end = visible.find('\n', scanned_);
    if (end == std::string_view::npos) {
      scanned_ = visible.size();
      if (input.size() >= limit) return Refusal{431, "Request header fields too large"};
      return NotYet{};
    }
    if (end == 0 || visible[end - 1] != '\r') return Refusal{400, "Bare line feed"};
    if (end - 1 == line_at_) return end + 1;
    scanned_ = line_at_ = end + 1;
  }
}

std::variant<RequestHead, Refusal> parse_head(std::string_view text) {
  RequestHead head;
  Framing framing;
  head.request.headers.reserve(16, text.size());
  if (auto refusal = parse_request_line(take_line(text), head)) return *refusal;
  while (true) {
    const auto line = take_line(text);
    if (line.empty()) break;
    if (line.front() == ' ' || line.front() == '\t') return Refusal{400, "Folded header line"};
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) return Refusal{400, "Malformed header line"};
    const auto name = line.substr(0, colon), value = without_blanks(line.substr(colon + 1));
    if (!all_in(token_bytes, name)) return Refusal{400, "Malformed header name"};
    if (!all_in(value_bytes, value)) return Refusal{400, "Malformed header value"};
    if (head.request.headers.size() == most_fields) return Refusal{431, "Too many header fields"};
    if (auto refusal = note_field(name, value, framing)) return *refusal;
    head.request.headers.add(name, value);
  }
  if (auto refusal = settle(framing, head)) return *refusal;
  return head;
}

}  // namespace paperclip::net
