#include "cli/local/retention.h"

#include <algorithm>
#include <set>

namespace paperclip::cli {

namespace {

using std::chrono::days;

// Monday of the week as a day number: weeks that begin on the same Monday are the same ISO week.
long monday_of(std::chrono::sys_seconds time) {
  const auto day = std::chrono::floor<days>(time);
  return day.time_since_epoch().count() - static_cast<long>(std::chrono::weekday(day).iso_encoding()) + 1;
}

long month_of(std::chrono::sys_seconds time) {
  const std::chrono::year_month_day date(std::chrono::floor<days>(time));
  return static_cast<int>(date.year()) * 12L + static_cast<unsigned>(date.month());
}

}  // namespace

std::vector<std::filesystem::path> beyond_retention(std::vector<BackupFile> files, std::chrono::sys_seconds now,
                                                    Retention retention) {
  std::sort(files.begin(), files.end(), [](const BackupFile& a, const BackupFile& b) { return a.time > b.time; });
  std::set<long> weeks, months;  // those that have their newest already
  std::vector<std::filesystem::path> out;
  for (const auto& file : files) {
    const auto age = now - file.time;
    if (age <= days(retention.daily_days)) continue;
    if (age <= days(7 * retention.weekly_weeks) && weeks.insert(monday_of(file.time)).second) continue;
    if (age > days(7 * retention.weekly_weeks) && age <= days(30 * retention.monthly_months) &&
        months.insert(month_of(file.time)).second)
      continue;
    out.push_back(file.path);
  }
  return out;
}

}  // namespace paperclip::cli
