#include "base/write_json.h"

#include <boost/json/serialize.hpp>
#include <cmath>

namespace paperclip {

void append_json_string(std::string& out, std::string_view text) {
  static constexpr char digits[] = "0123456789abcdef";
  out += '"';
  std::size_t plain = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    out.append(text.substr(plain, i - plain));
    plain = i + 1;
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      case '\b': out += "\\b"; break;
      case '\f': out += "\\f"; break;
      default:
        out += "\\u00";
        out += digits[c >> 4];
        out += digits[c & 15];
    }
  }
  out.append(text.substr(plain));
  out += '"';
}

void append_json(std::string& out, double value) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  // A whole number is written without a fraction, as JavaScript does.
  if (value == std::floor(value) && std::abs(value) < 1e15) return append_json(out, static_cast<std::int64_t>(value));
  char text[40];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  out.append(text, end);
}

void append_json(std::string& out, const json::value& value) {
  // Boost.JSON writes doubles as 1E0; JavaScript's form is wanted, so numbers and containers are walked here.
  switch (value.kind()) {
    case json::kind::object: append_json(out, value.get_object()); break;
    case json::kind::array: {
      out += '[';
      bool first = true;
      for (const auto& item : value.get_array()) {
        if (!first) out += ',';
        first = false;
        append_json(out, item);
      }
      out += ']';
      break;
    }
    case json::kind::string: append_json_string(out, {value.get_string().data(), value.get_string().size()}); break;
    case json::kind::double_: append_json(out, value.get_double()); break;
    case json::kind::int64: append_json(out, value.get_int64()); break;
    case json::kind::uint64: append_json(out, value.get_uint64()); break;
    case json::kind::bool_: append_json(out, value.get_bool()); break;
    case json::kind::null: out += "null"; break;
  }
}

void append_json(std::string& out, const json::object& object) {
  out += '{';
  bool first = true;
  for (const auto& item : object) {
    if (!first) out += ',';
    first = false;
    append_json_string(out, item.key());
    out += ':';
    append_json(out, item.value());
  }
  out += '}';
}

}  // namespace paperclip
