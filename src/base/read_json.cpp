#include "base/read_json.h"

#include <algorithm>

namespace paperclip {

namespace {

std::string_view kind_word(const json::value* value) {
  if (value == nullptr) return "undefined";
  switch (value->kind()) {
    case json::kind::null: return "null";
    case json::kind::bool_: return "boolean";
    case json::kind::string: return "string";
    case json::kind::array: return "array";
    case json::kind::object: return "object";
    default: return "number";
  }
}

bool looks_like_url(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  for (char c : text.substr(0, colon))
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.')) return false;
  for (char c : text)
    if (static_cast<unsigned char>(c) <= 0x20) return false;
  const auto scheme = lower(text.substr(0, colon));
  if (scheme != "http" && scheme != "https" && scheme != "ws" && scheme != "wss" && scheme != "ftp") return text.size() > colon + 1;
  const auto rest = text.substr(colon + 1);
  if (!rest.starts_with("//")) return false;
  const auto host = rest.substr(2, rest.find_first_of("/?#", 2) - 2);
  return !host.empty() && host != ":";
}

}  // namespace

std::string normalise_escaped_newlines(std::string text) {
  if (text.find('\\') == std::string::npos) return text;
  text = replace_all(std::move(text), "\\r\\n", "\n");
  text = replace_all(std::move(text), "\\n", "\n");
  return replace_all(std::move(text), "\\r", "\n");
}

void SchemaIssues::add(std::string_view code, std::string message, json::object extra) {
  json::object issue = std::move(extra);
  issue["code"] = code;
  issue["path"] = path_;
  issue["message"] = message;
  issues_.emplace_back(std::move(issue));
}

void SchemaIssues::invalid_type(std::string_view expected, const json::value* received) {
  const auto word = kind_word(received);
  add("invalid_type", received == nullptr ? "Required" : "Expected " + std::string(expected) + ", received " + std::string(word),
      {{"expected", expected}, {"received", word}});
}

Error SchemaIssues::error() && { return {ErrorKind::validation, "Validation error", std::move(issues_)}; }

void read_json(const json::value* value, bool& out, SchemaIssues& issues) {
  if (value == nullptr || !value->is_bool()) return issues.invalid_type("boolean", value);
  out = value->get_bool();
}

void read_json(const json::value* value, double& out, SchemaIssues& issues) {
  if (value == nullptr || !value->is_number()) return issues.invalid_type("number", value);
  out = value->to_number<double>();
}

void read_json(const json::value* value, std::string& out, SchemaIssues& issues) { detail::read_text(value, out, issues); }

void read_json(const json::value* value, Timestamp& out, SchemaIssues& issues) {
  std::string text;
  if (!detail::read_text(value, text, issues)) return;
  const auto time = text.ends_with('Z') ? parse_iso(text) : std::nullopt;
  if (time) out = *time;
  else issues.add("invalid_string", "Invalid datetime", {{"validation", "datetime"}});
}

void read_json(const json::value* value, RawJson& out, SchemaIssues& issues) {
  if (value == nullptr) return issues.add("invalid_type", "Required", {{"expected", "unknown"}, {"received", "undefined"}});
  out = RawJson(*value);
}

void read_json(const json::value* value, json::value& out, SchemaIssues&) {
  if (value != nullptr) out = *value;
}

void read_json(const json::value* value, JsonObject& out, SchemaIssues& issues) {
  if (value == nullptr || !value->is_object()) return issues.invalid_type("object", value);
  out.value = value->get_object();
}

void read_json(const json::value* value, Url& out, SchemaIssues& issues) {
  if (!detail::read_text(value, out, issues)) return;
  if (!looks_like_url(out)) issues.add("invalid_string", "Invalid url", {{"validation", "url"}});
}

namespace detail {

bool read_text(const json::value* value, std::string& out, SchemaIssues& issues) {
  if (value == nullptr || !value->is_string()) {
    issues.invalid_type("string", value);
    return false;
  }
  out.assign(value->get_string().data(), value->get_string().size());
  return true;
}

void check_length(std::string_view text, std::size_t min, std::size_t max, SchemaIssues& issues) {
  if (min == 0 && max == unlimited) return;
  const auto length = utf16_length(text);
  if (length < min)
    issues.add("too_small", "String must contain at least " + std::to_string(min) + " character(s)",
               {{"minimum", min}, {"type", "string"}, {"inclusive", true}, {"exact", false}});
  else if (length > max)
    issues.add("too_big", "String must contain at most " + std::to_string(max) + " character(s)",
               {{"maximum", max}, {"type", "string"}, {"inclusive", true}, {"exact", false}});
}

void check_count(std::size_t count, std::size_t min, std::size_t max, SchemaIssues& issues) {
  if (count < min)
    issues.add("too_small", "Array must contain at least " + std::to_string(min) + " element(s)",
               {{"minimum", min}, {"type", "array"}, {"inclusive", true}, {"exact", false}});
  else if (count > max)
    issues.add("too_big", "Array must contain at most " + std::to_string(max) + " element(s)",
               {{"maximum", max}, {"type", "array"}, {"inclusive", true}, {"exact", false}});
}

void read_int(const json::value* value, std::int64_t& out, std::int64_t min, std::int64_t max, SchemaIssues& issues) {
  if (value == nullptr || !value->is_number()) return issues.invalid_type("number", value);
  if (value->is_double()) {
    const double number = value->get_double();
    if (number != std::floor(number))
      return issues.add("invalid_type", "Expected integer, received float", {{"expected", "integer"}, {"received", "float"}});
    if (number >= 9.2e18 || number <= -9.2e18)
      return issues.add("too_big", "Number must be less than or equal to " + std::to_string(max),
                        {{"maximum", max}, {"type", "number"}, {"inclusive", true}, {"exact", false}});
    out = static_cast<std::int64_t>(number);
  } else if (value->is_uint64() && value->get_uint64() > static_cast<std::uint64_t>(INT64_MAX)) {
    return issues.add("too_big", "Number must be less than or equal to " + std::to_string(max),
                      {{"maximum", max}, {"type", "number"}, {"inclusive", true}, {"exact", false}});
  } else {
    out = value->is_uint64() ? static_cast<std::int64_t>(value->get_uint64()) : value->get_int64();
  }
  if (out < min)
    issues.add("too_small", "Number must be greater than or equal to " + std::to_string(min),
               {{"minimum", min}, {"type", "number"}, {"inclusive", true}, {"exact", false}});
  else if (out > max)
    issues.add("too_big", "Number must be less than or equal to " + std::to_string(max),
               {{"maximum", max}, {"type", "number"}, {"inclusive", true}, {"exact", false}});
}

void unknown_keys(const json::object& object, const std::vector<std::string>& known, SchemaIssues& issues) {
  json::array unknown;
  std::string names;
  for (const auto& item : object) {
    if (std::find(known.begin(), known.end(), std::string_view(item.key())) != known.end()) continue;
    unknown.emplace_back(item.key());
    (names += names.empty() ? "'" : ", '").append(std::string_view(item.key())) += "'";
  }
  if (!unknown.empty()) issues.add("unrecognized_keys", "Unrecognized key(s) in object: " + names, {{"keys", std::move(unknown)}});
}

void bad_enum(const json::value& value, const std::vector<std::string_view>& words, SchemaIssues& issues) {
  std::string choices;
  json::array options;
  for (auto word : words) {
    (choices += choices.empty() ? "'" : " | '").append(word) += "'";
    options.emplace_back(word);
  }
  issues.add("invalid_enum_value", "Invalid enum value. Expected " + choices + ", received '" + std::string(value.get_string()) + "'",
             {{"received", value}, {"options", std::move(options)}});
}

}  // namespace detail

}  // namespace paperclip
