#pragma once

#include <concepts>
#include <string>
#include <string_view>

namespace paperclip::runner {

/// Appends a JSON string; bytes that are no UTF-8 become U+FFFD.
void append_json_string(std::string& out, std::string_view text);

/// Writes one flat JSON object. The runner never reads JSON.
class JsonObject {
 public:
  JsonObject& text(std::string_view key, std::string_view value);
  /// Null when empty.
  JsonObject& text_or_null(std::string_view key, std::string_view value);
  JsonObject& boolean(std::string_view key, bool value) { return raw(key, value ? "true" : "false"); }
  JsonObject& null(std::string_view key) { return raw(key, "null"); }
  JsonObject& number(std::string_view key, std::integral auto value) { return raw(key, std::to_string(value)); }
  /// `value` is JSON already.
  JsonObject& raw(std::string_view key, std::string_view value);
  std::string done() && { return std::move(out_ += '}'); }

 private:
  void key(std::string_view name);
  std::string out_ = "{";
};

}  // namespace paperclip::runner
