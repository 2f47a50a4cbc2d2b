#include "cli/output.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <ostream>

#include "base/text.h"
#include "base/write_json.h"

namespace paperclip::cli {

namespace {

constexpr std::array naming_keys = {"identifier", "id", "name", "status", "priority", "title", "action"};

void append_pretty(std::string& out, const json::value& value, std::size_t depth) {
  const auto begin_line = [&](std::size_t level) { out += '\n', out.append(level * 2, ' '); };
  if (const auto* object = value.if_object(); object != nullptr && !object->empty()) {
    out += '{';
    bool first = true;
    for (const auto& member : *object) {
      if (!first) out += ',';
      first = false;
      begin_line(depth + 1);
      append_json_string(out, member.key());
      out += ": ";
      append_pretty(out, member.value(), depth + 1);
    }
    begin_line(depth);
    out += '}';
  } else if (const auto* list = value.if_array(); list != nullptr && !list->empty()) {
    out += '[';
    bool first = true;
    for (const auto& item : *list) {
      if (!first) out += ',';
      first = false;
      begin_line(depth + 1);
      append_pretty(out, item, depth + 1);
    }
    begin_line(depth);
    out += ']';
  } else {
    append_json(out, value);
  }
}

bool is_scalar(const json::value& value) { return !value.is_object() && !value.is_array(); }

std::string shown(const json::value& value) {
  if (value.is_null()) return "-";
  if (value.is_string()) return compact(value.get_string());
  return write_json(value);
}

void append_pair(std::string& line, std::string_view key, const json::value& value) {
  if (!line.empty()) line += ' ';
  line.append(key) += '=';
  line += shown(value);
}

bool printed_as_whole(std::ostream& out, const json::value& list, bool as_json) {
  if (as_json || !list.is_array()) {
    if (!as_json && list.is_null())
      out << "(null)\n";
    else
      out << pretty_json(list) << '\n';
    return true;
  }
  if (!list.get_array().empty()) return false;
  out << "(empty)\n";
  return true;
}

}  // namespace

std::string pretty_json(const json::value& value) {
  std::string out;
  append_pretty(out, value, 0);
  return out;
}

std::string compact(std::string_view text, std::size_t limit) {
  std::string out;
  for (char c : trim(text)) {
    const bool space = c == ' ' || c == '\n' || c == '\r' || c == '\t';
    if (!space)
      out += c;
    else if (!out.empty() && out.back() != ' ')
      out += ' ';
  }
  if (utf16_length(out) <= limit) return out;
  return std::string(utf16_prefix(out, limit - 3)) + "...";
}

std::string inline_record(const json::value& record) {
  if (!record.is_object()) return shown(record);
  std::string line;
  for (const char* key : naming_keys)
    if (const auto* value = member(record, key); value != nullptr && is_scalar(*value)) append_pair(line, key, *value);
  for (const auto& item : record.get_object())
    if (is_scalar(item.value()) && std::find(naming_keys.begin(), naming_keys.end(), item.key()) == naming_keys.end())
      append_pair(line, item.key(), item.value());
  return line;
}

void print_value(std::ostream& out, const json::value& value, bool as_json) {
  if (printed_as_whole(out, value, as_json)) return;
  for (const auto& item : value.get_array()) out << inline_record(item) << '\n';
}

void print_list(std::ostream& out, const json::value& list, bool as_json,
                std::initializer_list<std::string_view> columns) {
  if (printed_as_whole(out, list, as_json)) return;
  for (const auto& item : list.get_array()) {
    std::string line;
    for (auto column : columns) {
      const auto* value = member(item, column);
      append_pair(line, column, value != nullptr && is_scalar(*value) ? *value : json::value(nullptr));
    }
    out << line << '\n';
  }
}

std::string dollars(std::int64_t cents) {
  return fmt::format("{}${}.{:02}", cents < 0 ? "-" : "", std::abs(cents) / 100, std::abs(cents) % 100);
}

}  // namespace paperclip::cli
