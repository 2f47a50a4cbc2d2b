#include "net/response_head.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace paperclip::net {

namespace {

void append_number(std::string& out, std::uint64_t number) {
  char text[24];
  out.append(text, std::to_chars(text, text + sizeof text, number).ptr);
}

bool is_ours(std::string_view name) {
  switch (name.size()) {
    case 4: return equals_ignoring_case(name, "date");
    case 10: return equals_ignoring_case(name, "connection");
    case 14: return equals_ignoring_case(name, "content-length");
    case 17: return equals_ignoring_case(name, "transfer-encoding");
    default: return false;
  }
}

bool is_clean(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; });
}

}  // namespace

std::uint64_t body_size(const Response& response) {
  if (response.file_body) return response.file_body->length;
  return response.body.empty() ? response.static_body.size() : response.body.size();
}

bool may_have_body(int status) { return status >= 200 && status != 204 && status != 304; }

bool are_clean(const Headers& headers) {
  return std::all_of(headers.begin(), headers.end(), [](const Headers::Field& field) {
    return !field.name.empty() && field.name.find_first_of(": \t") == std::string_view::npos && is_clean(field.name) &&
           is_clean(field.value);
  });
}

bool is_sendable(const Response& response) {
  return response.status >= 200 && response.status <= 999 && are_clean(response.headers);
}

void append_head(std::string& out, const Response& response, const HeadContext& context) {
  out += "HTTP/1.1 ";
  append_number(out, static_cast<std::uint64_t>(response.status));
  out += ' ';
  out += reason_phrase(response.status);
  out += "\r\n";
  for (const auto& [name, value] : response.headers)
    if (!is_ours(name)) out.append(name).append(": ").append(value).append("\r\n");
  out.append("Date: ").append(context.date).append("\r\n");
  if (may_have_body(response.status)) {
    out += "Content-Length: ";
    append_number(out, body_size(response));
    out += "\r\n";
  }
  if (!context.keep_alive)
    out += "Connection: close\r\n";
  else if (context.http_1_0)
    out += "Connection: keep-alive\r\n";
  out += "\r\n";
}

}  // namespace paperclip::net
