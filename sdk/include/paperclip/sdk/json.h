#pragma once

#include <boost/json.hpp>
#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "paperclip/sdk/error.h"

/// Reading members of JSON objects that somebody else wrote: what has the wrong type counts as absent.
namespace paperclip::sdk {

namespace json = boost::json;

inline const json::value* member(const json::object& object, std::string_view key) {
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &found->value();
}
inline std::optional<std::string> text_at(const json::object& object, std::string_view key) {
  const json::value* value = member(object, key);
  if (!value || !value->is_string()) return std::nullopt;
  return std::string(value->get_string());
}
/// Throws an Error that names the key.
inline std::string required_text(const json::object& object, std::string_view key) {
  auto text = text_at(object, key);
  if (!text) throw Error(std::string(key) + " is required and must be a string");
  return std::move(*text);
}
/// An integer, or a number without a fraction that fits.
inline std::optional<std::int64_t> integer_at(const json::object& object, std::string_view key) {
  const json::value* value = member(object, key);
  if (!value) return std::nullopt;
  if (value->is_int64()) return value->get_int64();
  if (value->is_uint64() && value->get_uint64() <= INT64_MAX) return static_cast<std::int64_t>(value->get_uint64());
  if (value->is_double() && std::trunc(value->get_double()) == value->get_double() && std::abs(value->get_double()) < 9e15)
    return static_cast<std::int64_t>(value->get_double());
  return std::nullopt;
}
inline bool is_true(const json::object& object, std::string_view key) {
  const json::value* value = member(object, key);
  return value && value->is_bool() && value->get_bool();
}
inline json::object object_at(const json::object& object, std::string_view key) {
  const json::value* value = member(object, key);
  return value && value->is_object() ? value->get_object() : json::object();
}
inline std::vector<std::string> texts_at(const json::object& object, std::string_view key) {
  std::vector<std::string> texts;
  if (const json::value* value = member(object, key); value && value->is_array())
    for (const json::value& item : value->get_array())
      if (item.is_string()) texts.emplace_back(item.get_string());
  return texts;
}
inline std::map<std::string, std::string> text_map_at(const json::object& object, std::string_view key) {
  std::map<std::string, std::string> texts;
  if (const json::value* value = member(object, key); value && value->is_object())
    for (const auto& item : value->get_object())
      if (item.value().is_string()) texts.emplace(item.key(), item.value().get_string());
  return texts;
}
inline json::array to_array(const std::vector<std::string>& texts) {
  json::array array;
  for (const std::string& text : texts) array.emplace_back(text);
  return array;
}
/// Without the white space at both ends.
inline std::string trimmed(std::string_view text) {
  constexpr std::string_view space = " \t\r\n\f\v";
  const auto begin = text.find_first_not_of(space);
  if (begin == std::string_view::npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(space) - begin + 1));
}

}  // namespace paperclip::sdk
