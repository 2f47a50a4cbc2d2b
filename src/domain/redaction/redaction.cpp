#include "domain/redaction/redaction.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <regex>
#include <vector>

#include "base/text.h"

namespace paperclip::domain {

namespace {

// A key's words run together: `access_token`, `access-token` and `accessToken` are one.
std::string squeezed(std::string_view text) {
  std::string out;
  for (char c : lower(text))
    if (c != '-' && c != '_') out += c;
  return out;
}

bool is_secret_flag(std::string_view element) {
  if (!element.starts_with('-')) return false;
  element.remove_prefix(element.starts_with("--") ? 2 : 1);
  static constexpr std::array flags = {"apikey", "token",  "accesstoken", "authtoken",  "authorization",    "bearer", "secret",
                                       "passwd", "password", "credential", "jwt",        "privatekey",       "cookie", "connectionstring"};
  const std::string name = squeezed(element);
  return std::find(flags.begin(), flags.end(), name) != flags.end();
}

bool is_argument_list_key(std::string_view key) {
  const std::string name = lower(key);
  return name == "commandargs" || name == "commandarg" || name == "command_args" || name == "command_arg" || name == "argv";
}

bool is_command_key(std::string_view key) {
  const std::string name = squeezed(key);
  const std::string exact = lower(key);
  return exact == "command" || exact == "cmd" || name.find("commandline") != std::string::npos ||
         name.find("resolvedcommand") != std::string::npos;
}

// `seg.seg.seg[.seg]` of URL-safe base64 characters.
bool looks_like_token(std::string_view text) {
  int dots = 0;
  bool empty = true;
  for (char c : text) {
    if (c == '.') {
      if (empty) return false;
      ++dots;
      empty = true;
    } else if (std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-') {
      empty = false;
    } else {
      return false;
    }
  }
  return !empty && (dots == 2 || dots == 3);
}

bool is_binding(const json::value& value, std::string_view type) {
  const auto* found = member(value, "type");
  return found != nullptr && found->is_string() && std::string_view(found->get_string()) == type;
}

json::value redact_value(std::string_view key, const json::value& value) {
  if (value.is_array() && is_argument_list_key(key)) {
    json::array out;
    bool secret_follows = false;
    for (const auto& item : value.get_array()) {
      if (!item.is_string()) {
        out.push_back(item);
      } else if (secret_follows) {
        out.emplace_back(redacted_marker);
      } else {
        out.emplace_back(redact_text(item.get_string()));
      }
      secret_follows = item.is_string() && !secret_follows && is_secret_flag(item.get_string());
    }
    return out;
  }
  if (value.is_string() && is_command_key(key)) return json::value(redact_text(value.get_string()));
  if (is_sensitive_key(key)) {
    if (is_binding(value, "secret_ref")) return value;
    if (is_binding(value, "plain")) return {{"type", "plain"}, {"value", redacted_marker}};
    if (value.is_null()) return value;
    return json::value(redacted_marker);
  }
  if (value.is_string()) return looks_like_token(value.get_string()) ? json::value(redacted_marker) : value;
  if (is_binding(value, "plain") && member(value, "value") != nullptr) {
    json::object out = value.get_object();
    out["value"] = redact_value(key, *member(value, "value"));
    return out;
  }
  return redact(value);
}

}  // namespace

bool is_sensitive_key(std::string_view key) {
  static constexpr std::array words = {"apikey", "accesstoken", "auth",      "bearer", "secret", "passwd",
                                       "password", "credential", "jwt",       "privatekey", "cookie", "connectionstring"};
  // `auth` alone covers authToken and authorization.
  const std::string name = squeezed(key);
  return std::any_of(words.begin(), words.end(), [&](const char* word) { return name.find(word) != std::string::npos; });
}

json::value redact(const json::value& record) {
  if (record.is_object()) {
    json::object out;
    for (const auto& item : record.get_object()) out[item.key()] = redact_value(item.key(), item.value());
    return out;
  }
  if (record.is_array()) {
    json::array out;
    for (const auto& item : record.get_array()) out.push_back(item.is_string() ? item : redact(item));
    return out;
  }
  return record;
}

std::string redact_text(std::string_view text) {
  // The regular expressions cost tens of microseconds; most text has none of their anchors.
  static constexpr std::string_view anchors[] = {"key", "token", "secret", "passw", "auth", "bearer", "jwt", "cookie", "credential", "connectionstring", "sk-", "gh"};
  const std::string folded = lower(text);
  const bool may_hold_token = std::count(text.begin(), text.end(), '.') >= 2;
  if (!may_hold_token && std::none_of(std::begin(anchors), std::end(anchors), [&](auto anchor) { return folded.find(anchor) != std::string::npos; }))
    return std::string(text);
  using std::regex;
  constexpr auto flags = regex::icase | regex::ECMAScript | regex::optimize;
  static const std::string words = "(?:api[-_]?key|access[-_]?token|auth(?:_?token)?|authorization|bearer|secret|passwd|password|credential|jwt|private[-_]?key|cookie|connectionstring)";
  static const std::vector<std::pair<regex, std::string>> rules = {
      {regex("(\\\\?\"[^\"\\\\]*" + words + "[^\"\\\\]*\\\\?\"\\s*:\\s*\\\\?\")[^\"\\\\]*", flags), "$1***REDACTED***"},
      {regex("(authorization\\s*:\\s*bearer\\s+)[^\\s\"']+", flags), "$1***REDACTED***"},
      {regex("(--?(?:api[-_]?key|(?:access[-_]?|auth[-_]?)?token|authorization|bearer|secret|passwd|password|credential|jwt|private[-_]?key|cookie|connectionstring)(?:\\s+|=))[^\\s\"']+", flags), "$1***REDACTED***"},
      {regex("\\b([A-Za-z0-9_]*(?:TOKEN|KEY|SECRET|PASSWORD|PASSWD|AUTHORIZATION|JWT)[A-Za-z0-9_]*=)[^\\s\"']+", regex::ECMAScript | regex::optimize), "$1***REDACTED***"},
      {regex("\\bsk-[A-Za-z0-9_-]{12,}", regex::ECMAScript | regex::optimize), "***REDACTED***"},
      {regex("\\bgh[pousr]_[A-Za-z0-9_]{20,}", regex::ECMAScript | regex::optimize), "***REDACTED***"},
      {regex("\\b[A-Za-z0-9_-]{8,}\\.[A-Za-z0-9_-]{8,}\\.[A-Za-z0-9_-]{8,}(?:\\.[A-Za-z0-9_-]{8,})?\\b", regex::ECMAScript | regex::optimize), "***REDACTED***"},
  };
  // std::regex recurses per character, so very long text is taken line by line.
  std::string out;
  std::size_t start = 0;
  while (start <= text.size()) {
    const auto newline = text.find('\n', start);
    std::string line(text.substr(start, newline == std::string_view::npos ? std::string_view::npos : newline - start));
    for (std::size_t at = 0; at < line.size() || at == 0; at += 8192) {
      std::string part = line.substr(at, 8192);
      for (const auto& [pattern, replacement] : rules) part = std::regex_replace(part, pattern, replacement);
      out += part;
      if (line.empty()) break;
    }
    if (newline == std::string_view::npos) break;
    out += '\n';
    start = newline + 1;
  }
  return out;
}

}  // namespace paperclip::domain
