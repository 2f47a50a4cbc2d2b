#include "adapters/text_signs.h"

#include <cctype>

namespace paperclip::adapters {

namespace {

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool is_space(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }
char fold(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// The end of a match of a pattern without `*` that begins at `at`, or npos. Greedy white space needs no going back,
// because no pattern has two kinds of it side by side.
std::size_t match_here(std::string_view line, std::size_t at, std::string_view pattern) {
  for (char p : pattern) {
    switch (p) {
      case ' ':
        if (at >= line.size() || !is_space(line[at])) return std::string_view::npos;
        while (at < line.size() && is_space(line[at])) ++at;
        break;
      case '~':
        if (at < line.size() && (is_space(line[at]) || line[at] == '-')) ++at;
        break;
      case '#': {
        const bool before = at > 0 && is_word(line[at - 1]);
        const bool after = at < line.size() && is_word(line[at]);
        if (before == after) return std::string_view::npos;
        break;
      }
      default:
        if (at >= line.size() || fold(line[at]) != fold(p)) return std::string_view::npos;
        ++at;
    }
  }
  return at;
}

// The end of the first match at or after `from`.
std::size_t find_match(std::string_view line, std::size_t from, std::string_view pattern) {
  for (std::size_t at = from; at <= line.size(); ++at)
    if (const auto end = match_here(line, at, pattern); end != std::string_view::npos) return end;
  return std::string_view::npos;
}

}  // namespace

bool line_matches(std::string_view line, std::string_view pattern) {
  std::size_t from = 0;
  // The leftmost place for each part leaves the most room for the rest, so no going back is needed.
  for (;;) {
    const auto star = pattern.find('*');
    from = find_match(line, from, pattern.substr(0, star));
    if (from == std::string_view::npos) return false;
    if (star == std::string_view::npos) return true;
    pattern.remove_prefix(star + 1);
  }
}

bool mentions(std::string_view text, std::span<const std::string_view> patterns) {
  while (!text.empty()) {
    const auto newline = text.find('\n');
    const auto line = text.substr(0, newline);
    for (auto pattern : patterns)
      if (line_matches(line, pattern)) return true;
    if (newline == std::string_view::npos) return false;
    text.remove_prefix(newline + 1);
  }
  return false;
}

}  // namespace paperclip::adapters
