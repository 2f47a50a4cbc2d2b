#include "api/guard.h"

#include <algorithm>

#include "api/services.h"
#include "base/text.h"

namespace paperclip::api {

namespace {

std::string first_item(std::string_view list) { return std::string(trim(list.substr(0, list.find(',')))); }

// The host a client believes it talks to, with its port.
std::string claimed_host(const net::Request& request) {
  if (const auto forwarded = request.headers.find("x-forwarded-host"); forwarded && !trim(*forwarded).empty())
    return lower(first_item(*forwarded));
  const auto host = request.headers.find("host");
  return host ? lower(trim(*host)) : std::string();
}

std::string without_port(std::string_view host) {
  if (host.starts_with('[')) return std::string(host.substr(1, host.find(']') - 1));
  const auto colon = host.rfind(':');
  if (colon != std::string_view::npos && host.find(':') == colon) return std::string(host.substr(0, colon));
  return std::string(host);
}

bool is_loopback_name(std::string_view name) { return name == "localhost" || name == "127.0.0.1" || name == "::1"; }

bool host_allowed(const ApiSettings& settings, const std::string& name) {
  if (is_loopback_name(name)) return true;
  if (std::find(settings.allowed_hostnames.begin(), settings.allowed_hostnames.end(), name) != settings.allowed_hostnames.end())
    return true;
  return settings.bind_host != "0.0.0.0" && settings.bind_host != "::" && name == lower(settings.bind_host);
}

// `scheme://host[:port]` of a URL, lower case; empty if it is none.
std::string origin_of(std::string_view url) {
  const auto scheme = url.find("://");
  if (scheme == std::string_view::npos) return {};
  const auto end = url.find_first_of("/?#", scheme + 3);
  return lower(url.substr(0, end));
}

}  // namespace

Result<> guard_request(const ApiSettings& settings, const net::Request& request) {
  if (settings.exposure != "private") return {};
  const std::string host = claimed_host(request);
  if (host.empty())
    return forbidden("Missing Host header. If you want to allow a hostname, run pnpm paperclipai allowed-hostname <host>.");
  const std::string name = without_port(host);
  if (!host_allowed(settings, name))
    return forbidden("Hostname '" + name + "' is not allowed for this Paperclip instance. If you want to allow this hostname, "
                     "please run pnpm paperclipai allowed-hostname " + name);
  if (settings.local_trusted) {
    const auto origin = request.headers.find("origin");
    if (origin) {
      const auto from = origin_of(*origin);
      const auto separator = from.find("://");
      const bool trusted = separator != std::string::npos && host_allowed(settings, without_port(from.substr(separator + 3)));
      if (!trusted) return forbidden("Requests from origin '" + std::string(*origin) + "' are not allowed for this Paperclip instance.");
    }
  }
  return {};
}

Result<> guard_mutation(const ApiSettings& settings, const net::Request& request, const domain::Actor& actor) {
  const bool read = request.method == net::Method::get || request.method == net::Method::head || request.method == net::Method::options;
  if (read || actor.source != domain::ActorSource::session) return {};
  auto from = request.headers.find("origin");
  if (!from) from = request.headers.find("referer");
  const std::string origin = from ? origin_of(*from) : std::string();
  const std::string host = claimed_host(request);
  for (const std::string& trusted : {std::string("http://localhost:3100"), std::string("http://127.0.0.1:3100"), "http://" + host,
                                     "https://" + host, origin_of(settings.public_url)})
    if (!origin.empty() && origin == trusted) return {};
  return forbidden("Board mutation requires trusted browser origin");
}

}  // namespace paperclip::api
