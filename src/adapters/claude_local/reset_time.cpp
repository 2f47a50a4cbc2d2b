#include <date/tz.h>

#include <array>
#include <charconv>
#include <optional>

#include "adapters/claude_local/outcome.h"
#include "base/text.h"

// "Resets at 3pm (Europe/Berlin)": the moment that is meant.
namespace paperclip::adapters {

namespace {

using std::chrono::milliseconds;

constexpr std::array limit_phrases = {"usage limit reached",   "hour limit reached", "weekly limit reached",
                                      "usage cap reached",     "out of extra usage", "extra usage",
                                      "session limit reached", "hit your limit",     "hit your usage limit"};

void skip_spaces(std::string_view& text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t' || text.front() == '\n')) text.remove_prefix(1);
}

bool skip_word(std::string_view& text, std::string_view word) {
  if (!lower(text.substr(0, word.size())).starts_with(word)) return false;
  text.remove_prefix(word.size());
  return true;
}

std::optional<int> take_number(std::string_view& text) {
  int number = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), number);
  if (end.ec != std::errc() || end.ptr - text.data() > 2) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end.ptr - text.data()));
  return number;
}

// Minutes since midnight out of `3pm`, `11:30 am`.
std::optional<int> take_clock(std::string_view& text) {
  const auto hour = take_number(text);
  if (!hour || *hour < 1 || *hour > 12) return std::nullopt;
  int minute = 0;
  if (text.starts_with(':')) {
    text.remove_prefix(1);
    const auto read = take_number(text);
    if (!read || *read > 59) return std::nullopt;
    minute = *read;
  }
  skip_spaces(text);
  if (skip_word(text, "am")) return *hour % 12 * 60 + minute;
  if (skip_word(text, "pm")) return (*hour % 12 + 12) * 60 + minute;
  return std::nullopt;
}

const date::time_zone* zone_of(std::string_view text) {
  skip_spaces(text);
  std::string name;
  if (text.starts_with('('))
    if (const auto end = text.find(')'); end != std::string_view::npos)
      name = std::string(trim(text.substr(1, end - 1)));
  if (equals_ignoring_case(name, "utc") || equals_ignoring_case(name, "gmt")) name = "Etc/UTC";
  try {
    if (!name.empty()) return date::locate_zone(name);
  } catch (const std::exception&) {  // no such zone
  }
  try {
    return date::current_zone();
  } catch (const std::exception&) {  // a machine without a zone database
    return nullptr;
  }
}

Timestamp next_occurrence(int minutes, const date::time_zone* zone, Timestamp now) {
  const date::sys_time<milliseconds> moment{milliseconds(now.ms)};
  if (zone == nullptr) {
    auto at = date::floor<date::days>(moment) + std::chrono::minutes(minutes);
    if (at <= moment) at += date::days(1);
    return {std::chrono::duration_cast<milliseconds>(at.time_since_epoch()).count()};
  }
  const auto today = date::floor<date::days>(zone->to_local(moment));
  for (int day = 0; day < 3; ++day) {
    const auto at = zone->to_sys(today + date::days(day) + std::chrono::minutes(minutes), date::choose::earliest);
    if (at > moment) return {std::chrono::duration_cast<milliseconds>(at.time_since_epoch()).count()};
  }
  return now;
}

// `…usage limit reached|1755806400`
std::optional<Timestamp> epoch_after_bar(std::string_view text) {
  if (!text.starts_with('|')) return std::nullopt;
  std::int64_t seconds = 0;
  const auto read = std::from_chars(text.data() + 1, text.data() + text.size(), seconds);
  if (read.ec != std::errc() || seconds < 1'000'000'000 || seconds > 9'999'999'999) return std::nullopt;
  return Timestamp{seconds * 1000};
}

}  // namespace

std::optional<Timestamp> usage_limit_reset(std::string_view text, Timestamp now) {
  const std::string folded = lower(text);
  for (std::string_view phrase : limit_phrases) {
    for (auto at = folded.find(phrase); at != std::string::npos; at = folded.find(phrase, at + 1)) {
      const auto after = text.substr(at + phrase.size());
      if (const auto epoch = epoch_after_bar(after); epoch && *epoch > now) return epoch;
      const auto resets = std::string_view(folded).substr(at + phrase.size(), 80 + 6).find("reset");
      if (resets == std::string_view::npos) continue;
      auto rest = after.substr(resets + 5);
      skip_word(rest, "s");
      skip_spaces(rest);
      if (skip_word(rest, "at")) skip_spaces(rest);
      if (const auto minutes = take_clock(rest)) return next_occurrence(*minutes, zone_of(rest), now);
    }
  }
  return std::nullopt;
}

}  // namespace paperclip::adapters
