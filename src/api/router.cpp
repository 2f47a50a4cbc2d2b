#include "api/router.h"

#include <algorithm>

#include "base/text.h"
#include "net/uri.h"

namespace paperclip::api {

Query::Query(std::string_view raw) : items_(net::parse_query(raw)) {}

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
    const auto segments = net::split_path(route->path);  // a name of its own: a range-for would let it go
    for (const auto& segment : *segments) {
      const std::string_view part = segment.raw;
      const bool param = part.starts_with('{');
      entry.segments.push_back({param ? std::string(part.substr(1, part.size() - 2)) : lower(part), param});
    }
    if (entry.segments.back().text.starts_with('*')) {
      entry.segments.back().text.erase(0, 1);
      open_ended_[route->method].push_back(std::move(entry));
      continue;
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
  auto parts = net::split_path(path);
  if (!parts) return {};
  if (method == net::Method::head) method = net::Method::get;
  const auto fits = [&](const Entry& entry, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i)
      if (!entry.segments[i].is_param && !equals_ignoring_case(entry.segments[i].text, (*parts)[i].raw)) return false;
    return true;
  };
  const auto matched = [&](const Entry& entry, std::size_t count) {
    Match match{entry.route, {}};
    for (std::size_t i = 0; i < count; ++i)
      if (entry.segments[i].is_param) match.params.emplace(entry.segments[i].text, std::move((*parts)[i].decoded));
    return match;
  };
  if (const auto at = entries_.find({method, parts->size()}); at != entries_.end())
    for (const auto& entry : at->second)
      if (fits(entry, parts->size())) return matched(entry, parts->size());
  if (const auto at = open_ended_.find(method); at != open_ended_.end())
    for (const auto& entry : at->second) {
      const std::size_t fixed = entry.segments.size() - 1;
      if (parts->size() <= fixed || !fits(entry, fixed)) continue;
      const char* const rest = (*parts)[fixed].raw.data();
      Match match = matched(entry, fixed);
      match.params.emplace(entry.segments.back().text, std::string(rest, static_cast<std::size_t>(path.data() + path.size() - rest)));
      return match;
    }
  return {};
}

}  // namespace paperclip::api
