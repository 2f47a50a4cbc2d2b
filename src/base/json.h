#pragma once

#include <boost/json/value.hpp>
#include <concepts>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace paperclip {

namespace json = boost::json;

/// JSON text that is known to be valid: a JSON column, spliced into answers without being parsed.
/// An empty text means `null`.
struct RawJson {
  std::string text;

  RawJson() = default;
  explicit RawJson(std::string valid_text) : text(std::move(valid_text)) {}
  template <std::same_as<json::value> Value>
  explicit RawJson(const Value& value) : text(serialised(value)) {}
  /// Parses; null for an empty text.
  json::value parse() const;
  bool is_null() const { return text.empty() || text == "null"; }
  bool operator==(const RawJson&) const = default;

 private:
  static std::string serialised(const json::value& value);
};

struct JsonLimits {
  std::size_t max_depth = 64;
};

/// Parses one JSON document. Refuses invalid UTF-8, trailing text, nesting beyond the limit and U+0000 in strings
/// (neither database can hold it); the message says which.
Result<json::value> parse_json(std::string_view text, JsonLimits limits = {});
std::string to_string(const json::value& value);

/// Looks up `a.b.c` through objects; nullptr if any part is missing.
const json::value* find_path(const json::value& value, std::string_view dotted);
/// The string at an object's key, if it is a string; otherwise nullopt.
std::optional<std::string> string_at(const json::value& object, std::string_view key);
/// `string_at`, trimmed, and nullopt when nothing is left.
std::optional<std::string> text_at(const json::value& object, std::string_view key);
/// The member if `value` is an object that has it; else nullptr.
const json::value* member(const json::value& value, std::string_view key);

}  // namespace paperclip
