#include "runner/egress_request.h"

#include <algorithm>

namespace paperclip::runner {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool equals(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}
bool is_name_char(char c) { return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z') || c == '-' || c == '.' || c == '_'; }
bool is_address_char(char c) { return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'f') || c == ':' || c == '.'; }
bool is_token_char(char c) { return c > 0x20 && c < 0x7f && std::string_view("()<>@,;:\\\"/[]?={}").find(c) == std::string_view::npos; }

/// Fields for the next proxy, or about this connection.
bool is_between_hops(std::string_view name) {
  for (const std::string_view known : {"connection", "proxy-connection", "proxy-authorization", "proxy-authenticate", "keep-alive", "te", "upgrade", "host"})
    if (equals(name, known)) return true;
  return false;
}

}  // namespace

std::optional<EgressTarget> read_authority(std::string_view text, std::uint16_t otherwise) {
  EgressTarget target;
  std::string_view port;
  bool has_port = false;
  if (!text.empty() && text.front() == '[') {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    target.host = text.substr(1, end - 1);
    if (!std::all_of(target.host.begin(), target.host.end(), is_address_char)) return std::nullopt;
    text.remove_prefix(end + 1);
    if (!text.empty() && text.front() != ':') return std::nullopt;
    has_port = !text.empty();
    if (has_port) port = text.substr(1);
  } else {
    const std::size_t colon = text.find(':');
    target.host = text.substr(0, colon);
    if (!std::all_of(target.host.begin(), target.host.end(), is_name_char)) return std::nullopt;
    has_port = colon != std::string_view::npos;
    if (has_port) port = text.substr(colon + 1);
  }
  if (target.host.empty() || target.host.size() > 253) return std::nullopt;
  if (!has_port) {
    if (otherwise == 0) return std::nullopt;
    target.port = otherwise;
    return target;
  }
  if (port.empty() || port.size() > 5) return std::nullopt;
  unsigned number = 0;
  for (const char c : port) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + static_cast<unsigned>(c - '0');
  }
  if (number == 0 || number > 65535) return std::nullopt;
  target.port = static_cast<std::uint16_t>(number);
  return target;
}

ProxyHead read_proxy_request(std::string_view bytes, ProxyRequest& request, std::size_t& size, std::string& refusal) {
  const std::size_t end = bytes.substr(0, proxy_head_limit).find("\r\n\r\n");
  const auto refuse = [&](const char* why) {
    refusal = why;
    return ProxyHead::refused;
  };
  if (end == std::string_view::npos) {
    if (bytes.size() >= proxy_head_limit) return refuse("The request's head is too long");
    return ProxyHead::incomplete;
  }
  size = end + 4;
  std::string_view head = bytes.substr(0, end + 2);
  const auto next_line = [&head] {
    const std::size_t at = head.find("\r\n");
    const std::string_view line = head.substr(0, at);
    head.remove_prefix(at + 2);
    return line;
  };

  const std::string_view first = next_line();
  const std::size_t space = first.find(' '), second = space == std::string_view::npos ? space : first.find(' ', space + 1);
  if (second == std::string_view::npos) return refuse("The request line makes no sense");
  const std::string_view method = first.substr(0, space), target = first.substr(space + 1, second - space - 1), version = first.substr(second + 1);
  if (method.empty() || !std::all_of(method.begin(), method.end(), is_token_char) || (version != "HTTP/1.1" && version != "HTTP/1.0"))
    return refuse("The request line makes no sense");
  if (!std::all_of(target.begin(), target.end(), [](char c) { return c > 0x20 && c < 0x7f; })) return refuse("The request's target makes no sense");

  request.connect = method == "CONNECT";
  std::string_view authority = target, path;
  if (!request.connect) {
    constexpr std::string_view scheme = "http://";
    if (target.size() < scheme.size() || !equals(target.substr(0, scheme.size()), scheme))
      return refuse("This is a proxy: it takes CONNECT, and requests whose target begins with http://");
    const std::string_view rest = target.substr(scheme.size());
    const std::size_t slash = std::min(rest.find_first_of("/?#"), rest.size());
    authority = rest.substr(0, slash);
    path = rest.substr(slash);
  }
  const auto found = read_authority(authority, request.connect ? 0 : 80);
  if (!found) return refuse("The request names no host and port");
  request.target = *found;
  if (!request.connect)
    request.first_bytes.append(method).append(path.empty() || path.front() != '/' ? " /" : " ").append(path).append(" HTTP/1.1\r\nHost: ").append(authority).append("\r\n");

  while (!head.empty()) {
    const std::string_view line = next_line();
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0 || !std::all_of(line.begin(), line.begin() + static_cast<std::ptrdiff_t>(colon), is_token_char) ||
        line.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos)
      return refuse("A header line makes no sense");
    if (!request.connect && !is_between_hops(line.substr(0, colon))) request.first_bytes.append(line).append("\r\n");
  }
  // One request for each connection, so that none goes on to a host that nobody has looked at.
  if (!request.connect) request.first_bytes.append("Connection: close\r\n\r\n");
  return ProxyHead::complete;
}

}  // namespace paperclip::runner
