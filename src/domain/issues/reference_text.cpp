#include "domain/issues/reference_text.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"

namespace paperclip::domain {

namespace {

bool is_letter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) { return is_letter(c) || is_digit(c) || c == '_'; }
bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

bool starts_ignoring_case(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && equals_ignoring_case(text.substr(0, prefix.size()), prefix);
}

void add_once(std::vector<std::string>& list, std::string text) {
  if (std::find(list.begin(), list.end(), text) == list.end()) list.push_back(std::move(text));
}

// The run of fence characters that opens a code block on this line; empty if none does.
std::string_view fence_of(std::string_view line) {
  std::size_t start = 0;
  while (start < line.size() && start < 3 && line[start] == ' ') ++start;
  if (start >= line.size() || (line[start] != '`' && line[start] != '~')) return {};
  std::size_t end = start;
  while (end < line.size() && line[end] == line[start]) ++end;
  return end - start >= 3 ? line.substr(start, end - start) : std::string_view{};
}

std::string without_fenced_code(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  std::string_view fence;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size() - 1) + 1;
    const auto line = text.substr(0, end);
    text.remove_prefix(end);
    const auto opened = fence_of(line);
    if (fence.empty()) {
      if (opened.empty())
        out += line;
      else
        fence = opened;
    } else if (opened == fence) {
      fence = {};
    }
  }
  return out;
}

std::string without_inline_code(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] != '`') {
      out += text[at++];
      continue;
    }
    std::size_t ticks = at;
    while (ticks < text.size() && text[ticks] == '`') ++ticks;
    const auto mark = text.substr(at, ticks - at);
    // The span ends at a run of exactly as many ticks.
    std::size_t close = text.find(mark, ticks);
    while (close != std::string_view::npos) {
      std::size_t after = close;
      while (after < text.size() && text[after] == '`') ++after;
      if (after - close == mark.size()) break;
      close = text.find(mark, after);
    }
    if (close == std::string_view::npos) {
      out += mark;
      at = ticks;
    } else {
      out += ' ';
      at = close + mark.size();
    }
  }
  return out;
}

// The length of `[A-Z]+-\d+` at the start of the text, 0 if it does not start so.
std::size_t identifier_length(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size() && is_letter(text[i])) ++i;
  if (i == 0 || i >= text.size() || text[i] != '-') return 0;
  const std::size_t dash = i++;
  while (i < text.size() && is_digit(text[i])) ++i;
  return i > dash + 1 ? i : 0;
}

std::string_view without_trailing_punctuation(std::string_view token) {
  while (!token.empty()) {
    const char last = token.back();
    const bool loose =
        (last == ')' && std::count(token.begin(), token.end(), ')') > std::count(token.begin(), token.end(), '(')) ||
        (last == ']' && std::count(token.begin(), token.end(), ']') > std::count(token.begin(), token.end(), '['));
    if (!loose && std::string_view(".,!?;:").find(last) == std::string_view::npos) break;
    token.remove_suffix(1);
  }
  return token;
}

// The identifier that follows an `issues` segment of a path or URL.
std::string_view identifier_in_path(std::string_view token) {
  if (const auto scheme = token.find("://"); scheme != std::string_view::npos && token.front() != '/') {
    const auto slash = token.find('/', scheme + 3);
    if (slash == std::string_view::npos) return {};
    token.remove_prefix(slash);
  }
  token = token.substr(0, token.find_first_of("?#"));
  bool after_issues = false;
  for (const auto& segment : split(token, '/')) {
    if (after_issues && is_issue_identifier(segment)) {
      const auto at = token.find(segment);
      return token.substr(at, segment.size());
    }
    after_issues = equals_ignoring_case(segment, "issues");
  }
  return {};
}

void append_code_point(std::string& out, unsigned code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | (code >> 6));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | (code >> 12));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (code >> 18));
    out += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  }
}

// Numeric entities and the few named ones; what is unknown stays as it is.
std::string decode_entities(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, unsigned>, 10> named{{{"amp", '&'},
                                                                                {"apos", '\''},
                                                                                {"copy", 0xA9},
                                                                                {"gt", '>'},
                                                                                {"lt", '<'},
                                                                                {"nbsp", 0xA0},
                                                                                {"quot", '"'},
                                                                                {"ensp", 0x2002},
                                                                                {"emsp", 0x2003},
                                                                                {"thinsp", 0x2009}}};
  std::string out;
  while (!text.empty()) {
    const auto end = text.front() == '&' ? text.find(';') : std::string_view::npos;
    if (end == std::string_view::npos || end > 12) {
      out += text.front();
      text.remove_prefix(1);
      continue;
    }
    const auto name = text.substr(1, end - 1);
    unsigned code = 0;
    if (name.starts_with('#') && name.size() > 1) {
      const bool hex = name[1] == 'x' || name[1] == 'X';
      for (char c : name.substr(hex ? 2 : 1)) {
        const char low = static_cast<char>(c | 0x20);
        const unsigned digit = is_digit(c)                       ? unsigned(c - '0')
                               : hex && low >= 'a' && low <= 'f' ? unsigned(low - 'a' + 10)
                                                                 : 99;
        if (digit == 99 || code > 0x10FFFF) {
          code = 0;
          break;
        }
        code = code * (hex ? 16 : 10) + digit;
      }
      if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) code = 0;
    } else {
      for (const auto& [word, value] : named)
        if (equals_ignoring_case(word, name)) code = value;
    }
    if (code == 0) {
      out += text.substr(0, end + 1);
    } else {
      append_code_point(out, code);
    }
    text.remove_prefix(end + 1);
  }
  return out;
}

// The targets of markdown links `[text](<scheme>target[?query])`.
std::vector<std::string> link_targets(std::string_view text, std::string_view scheme) {
  std::vector<std::string> targets;
  const std::string open = "](" + std::string(scheme);
  for (auto at = text.find(open); at != std::string_view::npos; at = text.find(open, at + 1)) {
    if (text.rfind('[', at) == std::string_view::npos) continue;
    const auto start = at + open.size();
    const auto close = text.find(')', start);
    if (close == std::string_view::npos) break;
    auto target = text.substr(start, close - start);
    target = trim(target.substr(0, target.find('?')));
    if (!target.empty() && std::none_of(target.begin(), target.end(), is_space)) add_once(targets, std::string(target));
  }
  return targets;
}

}  // namespace

bool is_issue_identifier(std::string_view text) { return !text.empty() && identifier_length(text) == text.size(); }

std::vector<IssueReference> issue_references(std::string_view markdown) {
  std::vector<IssueReference> found;
  if (markdown.find('-') == std::string_view::npos) return found;  // no identifier without a dash
  const std::string plain = without_inline_code(without_fenced_code(markdown));
  std::string_view rest = plain;
  const auto add = [&](std::string_view identifier, std::string_view matched) {
    std::string name = upper(identifier);
    for (const auto& known : found)
      if (known.identifier == name) return;
    found.push_back({std::move(name), std::string(matched)});
  };
  while (!rest.empty()) {
    if (rest.front() == '/' || starts_ignoring_case(rest, "http://") || starts_ignoring_case(rest, "https://")) {
      std::size_t end = 0;
      while (end < rest.size() && !is_space(rest[end]) &&
             std::string_view("<>()").find(rest[end]) == std::string_view::npos)
        ++end;
      const auto token = without_trailing_punctuation(rest.substr(0, end));
      if (const auto identifier = token.empty() ? token : identifier_in_path(token); !identifier.empty())
        add(identifier, token);
      rest.remove_prefix(std::max<std::size_t>(end, 1));
    } else if (is_letter(rest.front())) {
      if (const auto length = identifier_length(rest); length != 0) {
        add(rest.substr(0, length), rest.substr(0, length));
        rest.remove_prefix(length);
      } else {
        // Skip the word's letters, but not past a URL that begins inside it.
        std::size_t end = 1;
        while (end < rest.size() && is_letter(rest[end]) && (rest[end] | 0x20) != 'h') ++end;
        rest.remove_prefix(end);
      }
    } else {
      rest.remove_prefix(1);
    }
  }
  return found;
}

AgentMentions agent_mentions(std::string_view markdown) {
  AgentMentions mentions;
  for (auto at = markdown.find('@'); at != std::string_view::npos; at = markdown.find('@', at + 1)) {
    if (at > 0 && is_word(markdown[at - 1])) continue;
    std::size_t end = at + 1;
    while (end < markdown.size() && !is_space(markdown[end]) &&
           std::string_view("@,!?.").find(markdown[end]) == std::string_view::npos) {
      if (markdown.substr(end, 2) == "\xC2\xA0") break;  // a no-break space is a space
      ++end;
    }
    if (end == at + 1) continue;
    std::string name = lower(trim(decode_entities(markdown.substr(at + 1, end - at - 1))));
    if (!name.empty()) add_once(mentions.names, std::move(name));
  }
  mentions.ids = link_targets(markdown, "agent://");
  return mentions;
}

std::vector<std::string> project_mentions(std::string_view markdown) { return link_targets(markdown, "project://"); }

std::string legacy_plan(std::string_view description) {
  const std::string folded = lower(description);
  const auto open = folded.find("<plan>");
  if (open == std::string::npos) return {};
  const auto close = folded.find("</plan>", open + 6);
  if (close == std::string::npos) return {};
  return std::string(trim(description.substr(open + 6, close - open - 6)));
}

}  // namespace paperclip::domain
