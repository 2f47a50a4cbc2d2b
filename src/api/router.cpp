#include "api/router.h"

#include <algorithm>

#include "base/text.h"

namespace paperclip::api {

namespace {

// The path's segments as they came; false for a doubled slash or a path that does not start with one.
bool split_path(std::string_view path, std::vector<std::string_view>& out) {
  if (path.empty() || path.front() != '/') return false;
  path.remove_prefix(1);
  if (!path.empty() && path.back() == '/') path.remove_suffix(1);
  while (true) {
    const auto slash = path.find('/');
    const auto part = path.substr(0, slash);
    if (part.empty()) return false;
    out.push_back(part);
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
}

}  // namespace

Query::Query(std::string_view raw) {
  while (!raw.empty()) {
    const auto amp = raw.find('&');
    const auto pair = raw.substr(0, amp);
    raw = amp == std::string_view::npos ? std::string_view{} : raw.substr(amp + 1);
    if (pair.empty()) continue;
    const auto equals = pair.find('=');
    const auto plain = [](std::string_view text) { return percent_decode(text, true).value_or(std::string(text)); };
    items_.emplace_back(plain(pair.substr(0, equals)),
                        equals == std::string_view::npos ? std::string() : plain(pair.substr(equals + 1)));
  }
}

std::optional<std::string> Query::find(std::string_view name) const {
  for (const auto& [key, value] : items_)
    if (key == name) return value;
  return std::nullopt;
}

std::optional<std::string> Query::text(std::string_view name) const {
  auto value = find(name);
  if (value && value->empty()) value.reset();
  return value;
}

bool Query::flag(std::string_view name) const {
  const auto value = find(name);
  return value == "true" || value == "1";
}

RouteBuilder Routes::add(net::Method method, std::string path, Handler handler) {
  auto& route = routes_.emplace_back(std::make_unique<Route>());
  route->method = method;
  route->path = std::move(path);
  route->handle = handler;
  return RouteBuilder(*route);
}

Router::Router(const Routes& routes) {
  for (const auto& route : routes.all()) {
    Entry entry{route.get(), {}};
    std::vector<std::string_view> parts;
    split_path(route->path, parts);
    for (auto part : parts) {
      const bool param = part.starts_with('{');
      entry.segments.push_back({param ? std::string(part.substr(1, part.size() - 2)) : lower(part), param});
    }
    entries_[{route->method, entry.segments.size()}].push_back(std::move(entry));
  }
  for (auto& [key, list] : entries_)
    std::stable_sort(list.begin(), list.end(), [](const Entry& a, const Entry& b) {
      for (std::size_t i = 0; i < a.segments.size(); ++i)
        if (a.segments[i].is_param != b.segments[i].is_param) return !a.segments[i].is_param;
      return false;
    });
}

Router::Match Router::find(net::Method method, std::string_view path) const {
  std::vector<std::string_view> parts;
  parts.reserve(10);
  if (!split_path(path, parts)) return {};
  const auto at = entries_.find({method == net::Method::head ? net::Method::get : method, parts.size()});
  if (at == entries_.end()) return {};
  for (const auto& entry : at->second) {
    bool fits = true;
    for (std::size_t i = 0; fits && i < parts.size(); ++i)
      fits = entry.segments[i].is_param || equals_ignoring_case(entry.segments[i].text, parts[i]);
    if (!fits) continue;
    Match match{entry.route, {}};
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (!entry.segments[i].is_param) continue;
      auto decoded = percent_decode(parts[i]);
      if (!decoded || !valid_utf8(*decoded) || decoded->find('\0') != std::string::npos) return {};
      match.params.emplace(entry.segments[i].text, std::move(*decoded));
    }
    return match;
  }
  return {};
}

}  // namespace paperclip::api
