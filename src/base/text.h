#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace paperclip {

/// Without leading and trailing white space, as JavaScript's trim sees it (ASCII white space, NBSP, BOM, line separators).
std::string_view trim(std::string_view text);
/// ASCII only.
std::string lower(std::string_view text);
std::string upper(std::string_view text);
bool equals_ignoring_case(std::string_view a, std::string_view b);
bool valid_utf8(std::string_view text);
/// Length in UTF-16 code units: what the reference's length limits count.
std::size_t utf16_length(std::string_view text);
/// The longest prefix of at most `units` UTF-16 code units that does not cut a character.
std::string_view utf16_prefix(std::string_view text, std::size_t units);
/// The longest suffix of at most `bytes` bytes that does not begin inside a character.
std::string_view utf8_tail(std::string_view text, std::size_t bytes);
std::vector<std::string> split(std::string_view text, char separator);
std::string replace_all(std::string text, std::string_view from, std::string_view to);
/// `some_name` to `someName`.
std::string camel_case(std::string_view snake);
/// %XX decoding; `plus_is_space` for query strings. nullopt for a malformed escape.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space = false);
std::string percent_encode(std::string_view text);

}  // namespace paperclip
