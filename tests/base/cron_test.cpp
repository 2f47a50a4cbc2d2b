#include "base/cron.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <ctime>
#include <set>
#include <string>
#include <vector>

namespace paperclip {
namespace {

constexpr std::int64_t minute_ms = 60'000;

/// One field of a schedule as it is written, and the values it stands for, worked out independently of the parser.
struct Field {
  std::string text;
  std::set<int> values;
};

Field any_field(int least, int most) {
  Field field;
  for (int parts = *rc::gen::inRange(1, 4); parts > 0; --parts) {
    if (!field.text.empty()) field.text += ',';
    const int from = *rc::gen::inRange(least, most + 1), to = *rc::gen::inRange(from, most + 1), step = *rc::gen::inRange(1, most + 2);
    switch (*rc::gen::inRange(0, 6)) {
      case 0: field.text += "*"; for (int v = least; v <= most; ++v) field.values.insert(v); break;
      case 1: field.text += "*/" + std::to_string(step); for (int v = least; v <= most; v += step) field.values.insert(v); break;
      case 2: field.text += std::to_string(from) + "-" + std::to_string(to); for (int v = from; v <= to; ++v) field.values.insert(v); break;
      case 3:
        field.text += std::to_string(from) + "-" + std::to_string(to) + "/" + std::to_string(step);
        for (int v = from; v <= to; v += step) field.values.insert(v);
        break;
      case 4: field.text += std::to_string(from) + "/" + std::to_string(step); for (int v = from; v <= most; v += step) field.values.insert(v); break;
      default: field.text += std::to_string(from); field.values.insert(from);
    }
  }
  return field;
}

bool fits(const std::vector<Field>& fields, Timestamp time) {
  const std::time_t seconds = time.ms / 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return fields[0].values.contains(parts.tm_min) && fields[1].values.contains(parts.tm_hour) && fields[2].values.contains(parts.tm_mday) &&
         fields[3].values.contains(parts.tm_mon + 1) && fields[4].values.contains(parts.tm_wday);
}

RC_GTEST_PROP(Cron, The_next_time_is_the_first_minute_that_fits, ()) {
  const std::vector<Field> fields{any_field(0, 59), any_field(0, 23), any_field(1, 31), any_field(1, 12), any_field(0, 6)};
  std::string text;
  for (const auto& field : fields) text += (text.empty() ? "" : " ") + field.text;
  const auto schedule = CronSchedule::parse(text);
  RC_ASSERT(schedule.has_value());
  const Timestamp from{*rc::gen::inRange<std::int64_t>(0, 4'102'444'800'000)};  // until 2100
  const auto next = schedule->next_after(from);
  // A few days minute by minute; what is further away must at least fit.
  const std::int64_t first = from.ms - from.ms % minute_ms + minute_ms;
  for (std::int64_t at = first; at < first + 4 * 24 * 60 * minute_ms; at += minute_ms) {
    if (next && next->ms == at) break;
    RC_ASSERT(!fits(fields, Timestamp{at}));
  }
  if (!next) return;
  RC_ASSERT(*next > from);
  RC_ASSERT(next->ms % minute_ms == 0);
  RC_ASSERT(fits(fields, *next));
}

RC_GTEST_PROP(Cron, Whatever_is_written_is_read_or_refused, ()) {
  const auto text = *rc::gen::container<std::string>(rc::gen::elementOf(std::string("0123456789*/-, \tax")));
  const auto schedule = CronSchedule::parse(text);
  if (schedule) (void)schedule->next_after(Timestamp{*rc::gen::inRange<std::int64_t>(0, 4'102'444'800'000)});
}

TEST(Cron, Steps_beyond_all_measure_are_steps) {
  const auto schedule = CronSchedule::parse("59/2147483647 */2147483647 * * *");
  ASSERT_TRUE(schedule);
  EXPECT_EQ(schedule->next_after(*parse_iso("2026-01-01T01:00:00.000Z")), parse_iso("2026-01-02T00:59:00.000Z"));
}

TEST(Cron, A_day_that_hardly_ever_comes_is_found_and_one_that_never_comes_is_not) {
  EXPECT_EQ(CronSchedule::parse("0 0 29 2 *")->next_after(*parse_iso("2025-01-01T00:00:00.000Z")), parse_iso("2028-02-29T00:00:00.000Z"));
  EXPECT_EQ(CronSchedule::parse("0 0 30 2 *")->next_after(*parse_iso("2025-01-01T00:00:00.000Z")), std::nullopt);
}

}  // namespace
}  // namespace paperclip
