#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace paperclip {

/// A moment in UTC with millisecond resolution. On the wire and in SQLite: `2026-05-03T10:11:12.345Z`.
struct Timestamp {
  std::int64_t ms = 0;  // since 1970-01-01T00:00:00Z

  auto operator<=>(const Timestamp&) const = default;
  Timestamp operator+(std::chrono::milliseconds d) const { return {ms + d.count()}; }
  Timestamp operator-(std::chrono::milliseconds d) const { return {ms - d.count()}; }
  std::chrono::milliseconds operator-(Timestamp other) const { return std::chrono::milliseconds(ms - other.ms); }
};

/// `YYYY-MM-DDTHH:MM:SS.mmmZ`, always 24 characters.
std::string to_iso(Timestamp time);
/// Writes the same 24 characters at `out`.
void write_iso(Timestamp time, char* out);
/// Parses `YYYY-MM-DD(T| )HH:MM:SS[.fraction](Z|+HH[:MM]|-HH[:MM])`; nullopt if it is anything else or no real date.
std::optional<Timestamp> parse_iso(std::string_view text);

/// Where time comes from. Tests replace it.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Timestamp now() const = 0;
  /// Never goes back; for deadlines.
  virtual std::chrono::steady_clock::time_point steady() const = 0;
  static Clock& system();
};

}  // namespace paperclip
