#pragma once

#include <bitset>
#include <optional>
#include <string_view>

#include "base/time.h"

namespace paperclip {

/// A five-field schedule: minute hour day-of-month month day-of-week, each a comma list of `*`, `*/S`, `N`, `N-M`,
/// `N/S`, `N-M/S`; no names, Sunday is 0. Day of month and day of week must both fit (spec/plugins.md 16).
class CronSchedule {
 public:
  static std::optional<CronSchedule> parse(std::string_view text);
  /// The first whole minute after `time` that fits, in UTC; nothing within four years.
  std::optional<Timestamp> next_after(Timestamp time) const;

 private:
  std::bitset<60> minutes_;
  std::bitset<24> hours_;
  std::bitset<32> days_;
  std::bitset<13> months_;
  std::bitset<7> weekdays_;
};

}  // namespace paperclip
