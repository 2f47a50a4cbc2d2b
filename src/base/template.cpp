#include "base/template.h"

#include "base/text.h"
#include "base/write_json.h"

namespace paperclip {

namespace {

bool is_path_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// The path of a placeholder that begins at `at` (where the braces are), and where it ends. Empty if it is none.
std::string_view placeholder(std::string_view text, std::size_t at, std::size_t& end) {
  std::size_t i = at + 2;
  while (i < text.size() && is_space(text[i])) ++i;
  const std::size_t start = i;
  while (i < text.size() && is_path_character(text[i])) ++i;
  const std::string_view path = text.substr(start, i - start);
  while (i < text.size() && is_space(text[i])) ++i;
  if (path.empty() || text.substr(i, 2) != "}}") return {};
  end = i + 2;
  return path;
}

// Not find_path: here an empty part (`a..b`, `.a`) names the key that is empty.
const json::value* look_up(const json::value& data, std::string_view path) {
  const json::value* at = &data;
  for (const auto& part : split(path, '.')) {
    at = member(*at, part);
    if (at == nullptr) return nullptr;
  }
  return at;
}

void append_value(std::string& out, const json::value* value) {
  if (value == nullptr || value->is_null()) return;
  if (value->is_string())
    out += std::string_view(value->get_string());
  else
    append_json(out, *value);
}

}  // namespace

std::string render_template(std::string_view text, const json::value& data) {
  std::string out;
  std::size_t copied = 0;
  for (std::size_t at = text.find("{{"); at != std::string_view::npos;) {
    std::size_t end = 0;
    const auto path = placeholder(text, at, end);
    if (path.empty()) {
      at = text.find("{{", at + 1);
      continue;
    }
    out += text.substr(copied, at - copied);
    append_value(out, look_up(data, path));
    copied = end;
    at = text.find("{{", end);
  }
  out += text.substr(copied);
  return out;
}

}  // namespace paperclip
