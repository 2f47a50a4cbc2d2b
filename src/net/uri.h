#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace paperclip::net {

/// Query parameters in order, decoded; a name may come more than once.
using QueryItems = std::vector<std::pair<std::string, std::string>>;

/// `a=1&b=x+y`: `+` is a space; a name without `=` has an empty value; a malformed escape stands for itself, as the
/// reference's parser has it.
QueryItems parse_query(std::string_view raw);

struct PathSegment {
  std::string_view raw;  // into the path that was split
  std::string decoded;
};

/// The segments of `/a/b/` or `/a/b`; none for `/`. nullopt for a path that does not begin with a slash, has a doubled
/// slash, or has a segment that does not decode to UTF-8 without NUL (spec/platform.md 1.1).
std::optional<std::vector<PathSegment>> split_path(std::string_view path);

}  // namespace paperclip::net
