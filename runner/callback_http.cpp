#include "runner/callback_http.h"

#include <time.h>

#include <algorithm>

#include "runner/json.h"

namespace paperclip::runner {
namespace {

constexpr std::size_t longest_method = 32;
constexpr std::size_t most_fields = 100;

bool is_alphanumeric(unsigned char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_token(char c) {
  return is_alphanumeric(static_cast<unsigned char>(c)) || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}
bool is_target(char c) { return c > 0x20 && c < 0x7f && c != '#'; }
// Text of fields is ASCII here: whatever else would have to be guessed at.
bool is_value(char c) { return c == '\t' || (c >= 0x20 && c < 0x7f); }
bool is_host(char c) {
  return is_alphanumeric(static_cast<unsigned char>(c)) || std::string_view("-._~:[]%").find(c) != std::string_view::npos;
}
template <class Belongs>
bool all(std::string_view text, Belongs belongs) {
  return std::all_of(text.begin(), text.end(), belongs);
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = lower(c);
  return out;
}
bool equals_ignoring_case(std::string_view a, std::string_view b) { return lower(a) == lower(b); }

std::string_view without_blanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::string_view take_line(std::string_view& text) {
  const auto end = text.find("\r\n");
  const auto line = text.substr(0, end);
  text.remove_prefix(end + 2);
  return line;
}

struct Framing {
  int hosts = 0, lengths = 0, encodings = 0, expectations = 0, authorizations = 0, types = 0;
  bool close = false, keep_alive = false;
  std::string_view encoding, expectation;
};

std::optional<HttpRefusal> parse_request_line(std::string_view line, HttpHead& head, bool& http_1_0) {
  const auto first = line.find(' ');
  const auto last = first == std::string_view::npos ? first : line.find(' ', first + 1);
  if (last == std::string_view::npos) return HttpRefusal{400, "Malformed request line"};
  const auto method = line.substr(0, first), target = line.substr(first + 1, last - first - 1), version = line.substr(last + 1);
  if (method.empty() || method.size() > longest_method || !all(method, is_token)) return HttpRefusal{400, "Malformed method"};
  if (target.empty() || target.front() != '/' || !all(target, is_target)) return HttpRefusal{400, "Malformed request target"};
  if (version == "HTTP/1.0") http_1_0 = true;
  else if (version != "HTTP/1.1") return HttpRefusal{400, "Malformed request line"};
  head.method = method;
  const auto question = target.find('?');
  head.path = target.substr(0, question);
  if (question != std::string_view::npos) head.query = target.substr(question + 1);
  return std::nullopt;
}

std::optional<HttpRefusal> read_length(std::string_view value, std::uint64_t& length) {
  if (value.empty() || value.size() > 15 || !all(value, [](char c) { return c >= '0' && c <= '9'; }))
    return HttpRefusal{400, "Malformed Content-Length"};
  length = 0;
  for (const char c : value) length = length * 10 + static_cast<std::uint64_t>(c - '0');
  return std::nullopt;
}

void read_connection(std::string_view value, Framing& framing) {
  while (!value.empty()) {
    const auto end = value.find(',');
    const auto option = without_blanks(value.substr(0, end));
    value.remove_prefix(end == std::string_view::npos ? value.size() : end + 1);
    if (equals_ignoring_case(option, "close")) framing.close = true;
    if (equals_ignoring_case(option, "keep-alive")) framing.keep_alive = true;
  }
}

void forward(std::string_view name, std::string_view value, HttpHead& head) {
  for (auto& field : head.forwarded)
    if (field.name == name) {
      field.value.append(", ").append(value);
      return;
    }
  head.forwarded.push_back({std::string(name), std::string(value)});
}

std::optional<HttpRefusal> note_field(const std::string& name, std::string_view value, HttpHead& head, Framing& framing) {
  if (name == "host") {
    if (++framing.hosts > 1) return HttpRefusal{400, "More than one Host"};
    if (!all(value, is_host)) return HttpRefusal{400, "Malformed Host"};
  } else if (name == "content-length") {
    if (++framing.lengths > 1) return HttpRefusal{400, "More than one Content-Length"};
    return read_length(value, head.content_length);
  } else if (name == "transfer-encoding") {
    if (++framing.encodings > 1) return HttpRefusal{400, "More than one Transfer-Encoding"};
    framing.encoding = value;
  } else if (name == "authorization") {
    if (++framing.authorizations > 1) return HttpRefusal{400, "More than one Authorization"};
    head.authorization = value;
  } else if (name == "expect") {
    if (++framing.expectations > 1) return HttpRefusal{400, "More than one Expect"};
    framing.expectation = value;
  } else if (name == "connection") {
    read_connection(value, framing);
  } else if (name == "content-type") {
    if (++framing.types > 1) return HttpRefusal{400, "More than one Content-Type"};
    head.content_type = value;
    forward(name, value, head);
  } else if (name == "accept" || name == "if-match" || name == "if-none-match") {
    forward(name, value, head);
  }
  return std::nullopt;
}

std::optional<HttpRefusal> settle(const Framing& framing, bool http_1_0, HttpHead& head) {
  if (framing.hosts == 0 && !http_1_0) return HttpRefusal{400, "Missing Host"};
  if (framing.encodings != 0) {
    if (http_1_0) return HttpRefusal{400, "Transfer-Encoding in HTTP/1.0"};
    if (framing.lengths != 0) return HttpRefusal{400, "Transfer-Encoding together with Content-Length"};
    if (framing.encoding != "chunked") return HttpRefusal{400, "Transfer-Encoding other than chunked"};
    head.chunked = true;
  }
  if (framing.expectations != 0) {
    if (!equals_ignoring_case(framing.expectation, "100-continue")) return HttpRefusal{417, "Unknown expectation"};
    head.expects_continue = !http_1_0;
  }
  head.keep_alive = !framing.close && (!http_1_0 || framing.keep_alive);
  return std::nullopt;
}

std::string_view reason(int status) {
  struct Known {
    int status;
    std::string_view text;
  };
  static constexpr Known known[] = {{200, "OK"}, {201, "Created"}, {202, "Accepted"}, {204, "No Content"}, {304, "Not Modified"},
      {400, "Bad Request"}, {401, "Unauthorized"}, {402, "Payment Required"}, {403, "Forbidden"}, {404, "Not Found"},
      {405, "Method Not Allowed"}, {409, "Conflict"}, {410, "Gone"}, {412, "Precondition Failed"}, {413, "Payload Too Large"},
      {415, "Unsupported Media Type"}, {417, "Expectation Failed"}, {422, "Unprocessable Entity"}, {423, "Locked"},
      {429, "Too Many Requests"}, {431, "Request Header Fields Too Large"}, {500, "Internal Server Error"},
      {501, "Not Implemented"}, {502, "Bad Gateway"}, {503, "Service Unavailable"}, {504, "Gateway Timeout"}};
  for (const auto& each : known)
    if (each.status == status) return each.text;
  return "Unknown";
}

std::string http_date() {
  const time_t now = time(nullptr);
  tm parts{};
  gmtime_r(&now, &parts);
  char text[40];
  strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return text;
}

}  // namespace

HeadEnd find_head_end(std::string_view input, std::size_t& size, HttpRefusal& refusal) {
  if (!input.empty() && !is_token(input.front())) {  // a TLS greeting, say, would otherwise wait for its time-out
    refusal = {400, "Malformed request line"};
    return HeadEnd::refused;
  }
  std::size_t line = 0;
  const auto visible = input.substr(0, http_head_limit);
  for (;;) {
    const auto end = visible.find('\n', line);
    if (end == std::string_view::npos) break;
    if (end == 0 || visible[end - 1] != '\r') {
      refusal = {400, "Bare line feed"};
      return HeadEnd::refused;
    }
    if (end - 1 == line) {
      size = end + 1;
      return HeadEnd::found;
    }
    line = end + 1;
  }
  if (input.size() < http_head_limit) return HeadEnd::not_yet;
  refusal = {431, "Request header fields too large"};
  return HeadEnd::refused;
}

std::optional<HttpRefusal> parse_head(std::string_view text, HttpHead& head) {
  Framing framing;
  bool http_1_0 = false;
  if (auto refusal = parse_request_line(take_line(text), head, http_1_0)) return refusal;
  for (std::size_t fields = 0;; ++fields) {
    const auto line = take_line(text);
    if (line.empty()) break;
    if (line.front() == ' ' || line.front() == '\t') return HttpRefusal{400, "Folded header line"};
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) return HttpRefusal{400, "Malformed header line"};
    const auto name = line.substr(0, colon), value = without_blanks(line.substr(colon + 1));
    if (!all(name, is_token)) return HttpRefusal{400, "Malformed header name"};
    if (!all(value, is_value)) return HttpRefusal{400, "Malformed header value"};
    if (fields == most_fields) return HttpRefusal{431, "Too many header fields"};
    if (auto refusal = note_field(lower(name), value, head, framing)) return refusal;
  }
  return settle(framing, http_1_0, head);
}

std::string write_answer(int status, const std::vector<HeaderField>& headers, std::string_view body, bool head_only,
                         bool keep_alive) {
  std::string out = "HTTP/1.1 " + std::to_string(status);
  out.append(" ").append(reason(status)).append("\r\n");
  for (const auto& field : headers) out.append(field.name).append(": ").append(field.value).append("\r\n");
  out.append("Date: ").append(http_date()).append("\r\n");
  out += keep_alive ? "Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n" : "Connection: close\r\n";
  const bool bodyless = status == 204 || status == 304;
  if (!bodyless) out.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n");
  out += "\r\n";
  if (!head_only && !bodyless) out.append(body);
  return out;
}

CallbackAnswer bridge_error(std::uint64_t id, int status, std::string_view message) {
  CallbackAnswer answer;
  answer.id = id;
  answer.status = static_cast<std::uint16_t>(status);
  answer.headers.push_back({"content-type", "application/json"});
  if (status == 503) answer.headers.push_back({"retry-after", "1"});
  answer.body = std::move(JsonObject().text("error", message)).done();
  return answer;
}

}  // namespace paperclip::runner
