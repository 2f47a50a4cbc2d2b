#include "base/json.h"

#include <boost/json/parse.hpp>
#include "base/text.h"
#include "base/write_json.h"

namespace paperclip {

namespace {

bool has_nul(const json::value& value) {
  switch (value.kind()) {
    case json::kind::string: return value.get_string().find('\0') != json::string::npos;
    case json::kind::array:
      for (const auto& item : value.get_array())
        if (has_nul(item)) return true;
      return false;
    case json::kind::object:
      for (const auto& item : value.get_object())
        if (item.key().find('\0') != std::string_view::npos || has_nul(item.value())) return true;
      return false;
    default: return false;
  }
}

}  // namespace

std::string RawJson::serialised(const json::value& value) { return to_string(value); }

json::value RawJson::parse() const {
  if (text.empty()) return nullptr;
  json::parse_options options;
  options.max_depth = 1024;
  return json::parse(text, {}, options);
}

Result<json::value> parse_json(std::string_view text, JsonLimits limits) {
  json::parse_options options;
  options.max_depth = limits.max_depth;
  json::error_code ec;
  json::value value = json::parse(text, ec, {}, options);
  if (ec == json::error::extra_data) return bad_request("Invalid JSON: text follows the value");
  if (ec == json::error::too_deep) return bad_request("Invalid JSON: nested deeper than " + std::to_string(limits.max_depth) + " levels");
  if (ec) return bad_request("Invalid JSON: " + ec.message());
  // An escaped U+0000 is legal JSON, but text that holds it cannot be stored.
  if (text.find("\\u0000") != std::string_view::npos && has_nul(value)) return bad_request("Invalid JSON: strings must not contain U+0000");
  return value;
}

std::string to_string(const json::value& value) {
  std::string text;
  append_json(text, value);
  return text;
}

const json::value* member(const json::value& value, std::string_view key) {
  return value.is_object() ? value.get_object().if_contains(key) : nullptr;
}

const json::value* find_path(const json::value& value, std::string_view dotted) {
  const json::value* at = &value;
  while (at != nullptr && !dotted.empty()) {
    const auto dot = dotted.find('.');
    at = member(*at, dotted.substr(0, dot));
    dotted = dot == std::string_view::npos ? std::string_view{} : dotted.substr(dot + 1);
  }
  return at;
}

std::optional<std::string> string_at(const json::value& object, std::string_view key) {
  const json::value* found = member(object, key);
  if (found == nullptr || !found->is_string()) return std::nullopt;
  return std::string(found->get_string());
}

std::optional<std::string> text_at(const json::value& object, std::string_view key) {
  auto text = string_at(object, key);
  if (!text) return std::nullopt;
  std::string trimmed(trim(*text));
  if (trimmed.empty()) return std::nullopt;
  return trimmed;
}

}  // namespace paperclip
