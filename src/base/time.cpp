#include "base/time.h"

namespace paperclip {

namespace {

using namespace std::chrono;

void digits(char*& out, unsigned value, int width) {
  for (int i = width - 1; i >= 0; --i, value /= 10) out[i] = static_cast<char>('0' + value % 10);
  out += width;
}

bool read_digits(std::string_view& text, int width, int& value) {
  if (text.size() < static_cast<std::size_t>(width)) return false;
  value = 0;
  for (int i = 0; i < width; ++i) {
    if (text[i] < '0' || text[i] > '9') return false;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(width);
  return true;
}

bool eat(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

class SystemClock final : public Clock {
 public:
  Timestamp now() const override {
    return {duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count()};
  }
  steady_clock::time_point steady() const override { return steady_clock::now(); }
};

}  // namespace

void write_iso(Timestamp time, char* out) {
  const sys_time<milliseconds> point{milliseconds(time.ms)};
  const auto day = floor<days>(point);
  const year_month_day date{day};
  const hh_mm_ss clock{point - day};
  digits(out, static_cast<unsigned>(static_cast<int>(date.year())), 4);
  *out++ = '-';
  digits(out, static_cast<unsigned>(date.month()), 2);
  *out++ = '-';
  digits(out, static_cast<unsigned>(date.day()), 2);
  *out++ = 'T';
  digits(out, static_cast<unsigned>(clock.hours().count()), 2);
  *out++ = ':';
  digits(out, static_cast<unsigned>(clock.minutes().count()), 2);
  *out++ = ':';
  digits(out, static_cast<unsigned>(clock.seconds().count()), 2);
  *out++ = '.';
  digits(out, static_cast<unsigned>(clock.subseconds().count()), 3);
  *out = 'Z';
}

std::string to_iso(Timestamp time) {
  std::string text(24, ' ');
  write_iso(time, text.data());
  return text;
}

std::optional<Timestamp> parse_iso(std::string_view text) {
  int y = 0, mo = 0, d = 0, h = 0, mi = 0, s = 0, ms = 0;
  if (!read_digits(text, 4, y) || !eat(text, '-') || !read_digits(text, 2, mo) || !eat(text, '-') ||
      !read_digits(text, 2, d) || !(eat(text, 'T') || eat(text, ' ')) || !read_digits(text, 2, h) || !eat(text, ':') ||
      !read_digits(text, 2, mi) || !eat(text, ':') || !read_digits(text, 2, s))
    return std::nullopt;
  if (eat(text, '.')) {
    int scale = 100, seen = 0;
    while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
      ms += (text.front() - '0') * scale;
      scale /= 10;
      text.remove_prefix(1);
      ++seen;
    }
    if (seen == 0) return std::nullopt;
  }
  const year_month_day date{year{y}, month{static_cast<unsigned>(mo)}, day{static_cast<unsigned>(d)}};
  if (!date.ok() || h > 23 || mi > 59 || s > 59) return std::nullopt;
  std::int64_t offset_minutes = 0;
  if (text == "Z" || text == "z") {
    text = {};
  } else {
    const bool minus = !text.empty() && text.front() == '-';
    if (!eat(text, '+') && !eat(text, '-')) return std::nullopt;
    int oh = 0, om = 0;
    if (!read_digits(text, 2, oh)) return std::nullopt;
    if (!text.empty()) {
      eat(text, ':');
      if (!read_digits(text, 2, om)) return std::nullopt;
    }
    offset_minutes = (minus ? -1 : 1) * (oh * 60 + om);
  }
  if (!text.empty()) return std::nullopt;
  const auto day_ms = duration_cast<milliseconds>(sys_days{date}.time_since_epoch()).count();
  return Timestamp{day_ms + ((static_cast<std::int64_t>(h) * 60 + mi - offset_minutes) * 60 + s) * 1000 + ms};
}

Clock& Clock::system() {
  static SystemClock clock;
  return clock;
}

}  // namespace paperclip
