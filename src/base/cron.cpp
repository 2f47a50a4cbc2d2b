#include "base/cron.h"

#include <charconv>
#include <chrono>
#include <string>
#include <vector>

#include "base/text.h"

namespace paperclip {

namespace {

std::optional<int> whole(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

template <std::size_t N>
bool read_field(std::string_view field, int least, int most, std::bitset<N>& out) {
  for (const auto& part : split(field, ',')) {
    std::string_view range = part;
    int step = 1;
    const auto slash = range.find('/');
    if (slash != std::string_view::npos) {
      const auto given = whole(range.substr(slash + 1));
      if (!given || *given == 0) return false;
      step = *given;
      range = range.substr(0, slash);
    }
    int from = least, to = most;
    if (range != "*") {
      const auto dash = range.find('-');
      const auto first = whole(range.substr(0, dash));
      if (!first) return false;
      from = *first;
      if (dash != std::string_view::npos) {
        const auto last = whole(range.substr(dash + 1));
        if (!last) return false;
        to = *last;
      } else if (slash == std::string_view::npos) {
        to = from;
      }
    }
    if (from < least || to > most || from > to) return false;
    for (std::int64_t value = from; value <= to; value += step) out.set(static_cast<std::size_t>(value));
  }
  return true;
}

}  // namespace

std::optional<CronSchedule> CronSchedule::parse(std::string_view text) {
  std::vector<std::string> fields;
  for (auto& field : split(replace_all(std::string(trim(text)), "\t", " "), ' '))
    if (!field.empty()) fields.push_back(std::move(field));
  CronSchedule schedule;
  if (fields.size() != 5 || !read_field(fields[0], 0, 59, schedule.minutes_) || !read_field(fields[1], 0, 23, schedule.hours_) ||
      !read_field(fields[2], 1, 31, schedule.days_) || !read_field(fields[3], 1, 12, schedule.months_) ||
      !read_field(fields[4], 0, 6, schedule.weekdays_))
    return std::nullopt;
  return schedule;
}

std::optional<Timestamp> CronSchedule::next_after(Timestamp time) const {
  using namespace std::chrono;
  sys_time<minutes> at = floor<minutes>(sys_time<milliseconds>(milliseconds(time.ms))) + minutes(1);
  const auto last = at + days(4 * 366);
  while (at < last) {
    const auto day = floor<days>(at);
    const year_month_day date(day);
    if (!months_.test(static_cast<unsigned>(date.month()))) {
      at = sys_days((date.year() / date.month() / 1) + months(1));
      continue;
    }
    if (!days_.test(static_cast<unsigned>(date.day())) || !weekdays_.test(weekday(day).c_encoding())) {
      at = day + days(1);
      continue;
    }
    const auto of_day = at - day;
    const auto hour = floor<hours>(of_day);
    if (!hours_.test(static_cast<std::size_t>(hour.count()))) {
      at = day + hour + hours(1);
      continue;
    }
    if (!minutes_.test(static_cast<std::size_t>((of_day - hour).count()))) {
      at += minutes(1);
      continue;
    }
    return Timestamp{duration_cast<milliseconds>(at.time_since_epoch()).count()};
  }
  return std::nullopt;
}

}  // namespace paperclip
