#include "net/uri.h"

#include "base/text.h"

namespace paperclip::net {

namespace {

std::string decode_or_keep(std::string_view text) {
  auto decoded = percent_decode(text, true);
  if (decoded) return *std::move(decoded);
  std::string kept(text);
  for (char& c : kept)
    if (c == '+') c = ' ';
  return kept;
}

}  // namespace

QueryItems parse_query(std::string_view raw) {
  QueryItems items;
  while (!raw.empty()) {
    const auto end = raw.find('&');
    const auto item = raw.substr(0, end);
    raw.remove_prefix(end == std::string_view::npos ? raw.size() : end + 1);
    if (item.empty()) continue;
    const auto equals = item.find('=');
    items.emplace_back(decode_or_keep(item.substr(0, equals)),
                       equals == std::string_view::npos ? std::string() : decode_or_keep(item.substr(equals + 1)));
  }
  return items;
}

std::optional<std::vector<PathSegment>> split_path(std::string_view path) {
  if (!path.starts_with('/')) return std::nullopt;
  path.remove_prefix(1);
  std::vector<PathSegment> segments;
  while (!path.empty()) {
    const auto end = path.find('/');
    const auto raw = path.substr(0, end);
    if (raw.empty()) return std::nullopt;
    auto decoded = percent_decode(raw);
    if (!decoded || decoded->find('\0') != std::string::npos || !valid_utf8(*decoded)) return std::nullopt;
    segments.push_back({raw, *std::move(decoded)});
    path.remove_prefix(end == std::string_view::npos ? path.size() : end + 1);
  }
  return segments;
}

}  // namespace paperclip::net
