#include "environments/bridge_policy.h"

#include <algorithm>

#include "base/text.h"

namespace paperclip::environments {
namespace {

struct Allowed {
  std::string_view method;
  std::string_view path;  // `*` stands for one segment
  BridgeAllowList from = BridgeAllowList::strict;
};

constexpr auto extended = BridgeAllowList::extended;
constexpr Allowed allowed[] = {
    {"GET", "/api/agents/me"},
    {"GET", "/api/issues/*/heartbeat-context"},
    {"GET", "/api/issues/*/comments"},
    {"GET", "/api/issues/*/comments/*"},
    {"GET", "/api/issues/*/documents"},
    {"GET", "/api/issues/*/documents/*"},
    {"POST", "/api/issues/*/checkout"},
    {"POST", "/api/issues/*/comments"},
    {"POST", "/api/issues/*/interactions"},
    {"POST", "/api/issues/*/interactions/*"},
    {"PATCH", "/api/issues/*"},
    // What the agent skill teaches besides (OURS).
    {"GET", "/api/agents/me/inbox-lite", extended},
    {"GET", "/api/issues/*", extended},
    {"GET", "/api/companies/*/issues", extended},
    {"POST", "/api/companies/*/issues", extended},
    {"PUT", "/api/issues/*/documents/*", extended},
    {"POST", "/api/issues/*/release", extended},
    {"POST", "/api/issues/*/interactions/*/accept", extended},
    {"POST", "/api/issues/*/interactions/*/reject", extended},
    {"POST", "/api/issues/*/interactions/*/respond", extended},
    {"GET", "/api/companies/*/agents", extended},
    {"GET", "/api/companies/*/approvals", extended},
    {"GET", "/api/approvals/*", extended},
    {"GET", "/api/approvals/*/issues", extended},
    {"GET", "/api/approvals/*/comments", extended},
    {"GET", "/api/issues/*/approvals", extended},
};

bool fits(std::string_view pattern, const std::vector<std::string>& segments) {
  std::size_t at = 0;
  while (!pattern.empty()) {
    pattern.remove_prefix(1);  // the slash
    const auto end = std::min(pattern.find('/'), pattern.size());
    const auto wanted = pattern.substr(0, end);
    pattern.remove_prefix(end);
    if (at == segments.size() || (wanted != "*" && wanted != segments[at])) return false;
    ++at;
  }
  return at == segments.size();
}

constexpr std::size_t longest_path = 2048;

bool is_visible_ascii(char c) { return c > 0x20 && c < 0x7f; }
bool is_printable_ascii(char c) { return c >= 0x20 && c < 0x7f; }

/// A decoded segment that means nothing but itself.
bool is_plain(std::string_view segment) {
  return !segment.empty() && segment != "." && segment != ".." && segment.find_first_of("/\\%?#") == std::string_view::npos &&
         std::all_of(segment.begin(), segment.end(), is_printable_ascii);
}

}  // namespace

BridgePolicy bridge_policy(const json::value& metadata) {
  BridgePolicy policy;
  const json::value* wanted = find_path(metadata, "callbackBridge");
  if (wanted == nullptr || !wanted->is_object()) return policy;
  if (const auto* local = member(*wanted, "local")) policy.enabled = local->is_bool() && local->get_bool();
  if (const auto* list = member(*wanted, "allowList"))
    policy.allow_list = list->is_string() && list->get_string() == "extended" ? BridgeAllowList::extended : BridgeAllowList::strict;
  if (const auto* bytes = member(*wanted, "maxBodyBytes"); bytes && bytes->is_int64() && bytes->get_int64() > 0)
    policy.max_body_bytes = static_cast<std::size_t>(std::min<std::int64_t>(bytes->get_int64(), 8 * 1024 * 1024));
  return policy;
}

std::optional<std::vector<std::string>> canonical_segments(std::string_view path) {
  if (path.size() < 2 || path.size() > longest_path || path.front() != '/') return std::nullopt;
  if (!std::all_of(path.begin(), path.end(), is_visible_ascii) || path.find_first_of("\\?#") != std::string_view::npos)
    return std::nullopt;
  std::vector<std::string> segments;
  for (const std::string& raw : split(path.substr(1), '/')) {
    auto decoded = percent_decode(raw);
    if (!decoded || !is_plain(*decoded)) return std::nullopt;
    segments.push_back(*std::move(decoded));
  }
  return segments;
}

std::string path_of(const std::vector<std::string>& segments) {
  std::string path;
  for (const std::string& segment : segments) path.append("/").append(percent_encode(segment));
  return path;
}

bool allows(BridgeAllowList list, std::string_view method, const std::vector<std::string>& segments) {
  return std::any_of(std::begin(allowed), std::end(allowed), [&](const Allowed& route) {
    if (list == BridgeAllowList::strict && route.from == extended) return false;
    return route.method == method && fits(route.path, segments);
  });
}

}  // namespace paperclip::environments
