#include "environments/egress_policy.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>

#include "net/address.h"
#include "runner/egress.h"

namespace paperclip::environments {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

/// As inet_ntop writes it; nullopt for a name.
std::optional<std::string> canonical_address(const std::string& text) {
  unsigned char bytes[sizeof(in6_addr)];
  char out[INET6_ADDRSTRLEN];
  for (const int family : {AF_INET, AF_INET6})
    if (::inet_pton(family, text.c_str(), bytes) == 1 && ::inet_ntop(family, bytes, out, sizeof out)) return std::string(out);
  return std::nullopt;
}

/// What resolvers and programs take for an address though inet_pton does not: 127.1, 0x7f000001, 2130706433.
bool looks_like_an_address(std::string_view name) {
  const auto last = name.substr(name.rfind('.') == std::string_view::npos ? 0 : name.rfind('.') + 1);
  if (last.empty()) return true;
  if (last.size() > 1 && last[0] == '0' && (last[1] == 'x' || last[1] == 'X')) return true;
  return std::all_of(last.begin(), last.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_name(std::string_view name) {
  if (name.empty() || name.size() > 253 || name.front() == '.' || name.back() == '.' || name.find("..") != std::string_view::npos) return false;
  return std::all_of(name.begin(), name.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_'; });
}

bool read_ports(std::string_view text, std::vector<std::uint16_t>& ports) {
  for (;;) {
    const auto end = std::min(text.find(','), text.size());
    const std::string_view port = text.substr(0, end);
    if (port.empty() || port.size() > 5 || port.find_first_not_of("0123456789") != std::string_view::npos) return false;
    const int number = std::stoi(std::string(port));
    if (number < 1 || number > 65535) return false;
    ports.push_back(static_cast<std::uint16_t>(number));
    if (end == text.size()) return true;
    text.remove_prefix(end + 1);
  }
}

std::string place(std::string_view host, std::uint16_t port) { return std::string(host) + ":" + std::to_string(port); }

}  // namespace

Result<EgressPolicy> EgressPolicy::parse(const std::vector<std::string>& entries) {
  EgressPolicy policy;
  for (const std::string& text : entries) {
    const Error bad = unprocessable("\"" + text + "\" is no host to allow; write api.example.com, *.example.org or host:8443");
    Entry entry;
    std::string name = lower(text), ports;
    if (name.starts_with('[')) {
      const auto end = name.find(']');
      if (end == std::string::npos || (end + 1 < name.size() && name[end + 1] != ':')) return bad;
      if (end + 1 < name.size()) ports = name.substr(end + 2);
      if (end + 1 < name.size() && ports.empty()) return bad;
      name = name.substr(1, end - 1);
    } else if (const auto colon = name.find(':'); colon != std::string::npos) {
      ports = name.substr(colon + 1);
      if (ports.empty()) return bad;
      name.resize(colon);
    }
    if (const auto address = canonical_address(name)) {
      entry.address = true;
      entry.name = *address;
    } else {
      entry.suffix = name.starts_with("*.");
      if (entry.suffix) name.erase(0, 1);
      if (!is_name(entry.suffix ? std::string_view(name).substr(1) : std::string_view(name)) || looks_like_an_address(name)) return bad;
      entry.name = name;
    }
    if (ports.empty()) entry.ports = {80, 443};
    if (!ports.empty() && !read_ports(ports, entry.ports)) return bad;
    policy.entries_.push_back(std::move(entry));
  }
  return policy;
}

bool EgressPolicy::names(const Entry& entry, std::string_view name, std::uint16_t port) const {
  const bool fits = entry.suffix ? name.size() > entry.name.size() && name.ends_with(entry.name) : name == entry.name;
  return fits && std::find(entry.ports.begin(), entry.ports.end(), port) != entry.ports.end();
}

std::optional<std::string> EgressPolicy::refusal(std::string_view host, std::uint16_t port) const {
  std::string name = lower(host);
  if (name.ends_with('.')) name.pop_back();
  const auto address = canonical_address(name);
  if (!address && (!is_name(name) || looks_like_an_address(name))) return place(host, port) + " is no host name";
  for (const Entry& entry : entries_)
    if (entry.address == address.has_value() && names(entry, address ? *address : name, port)) return std::nullopt;
  return place(host, port) + " is not on this environment's list of allowed hosts";
}

std::optional<std::string> EgressPolicy::refusal(std::string_view host, const sockaddr& address, std::uint16_t port) const {
  if (net::is_public_address(address)) return std::nullopt;
  char text[INET6_ADDRSTRLEN] = "";
  if (address.sa_family == AF_INET) ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, text, sizeof text);
  if (address.sa_family == AF_INET6) ::inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, text, sizeof text);
  for (const Entry& entry : entries_)
    if (entry.address && names(entry, text, port)) return std::nullopt;
  // Whoever names `localhost` means this machine.
  if (net::is_loopback_name(text) && lower(host) == "localhost") return std::nullopt;
  return place(host, port) + " leads to " + text + ", which is not a public address and not on this environment's list";
}

EgressTerms egress_terms(const json::object& lease_metadata) {
  EgressTerms terms;
  const auto found = lease_metadata.find("egress");
  if (found == lease_metadata.end() || !found->value().is_object()) return terms;
  const auto mode = string_at(found->value(), "mode");
  // Whoever speaks of egress in words we do not know gets none through us.
  terms.mode = mode == "full" ? EgressTerms::Mode::full : mode == runner::egress_by_proxy ? EgressTerms::Mode::allow_list : EgressTerms::Mode::none;
  if (const json::value* allow = member(found->value(), "allow"); allow && allow->is_array())
    for (const json::value& entry : allow->get_array())
      if (entry.is_string()) terms.allow.emplace_back(entry.get_string());
  return terms;
}

}  // namespace paperclip::environments
