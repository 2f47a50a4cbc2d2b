#pragma once

#include <stdio.h>
#include <time.h>

#include <chrono>
#include <string>

namespace paperclip::sdk {

/// Now, as the wire has it: `2026-05-03T03:09:37.123Z`.
inline std::string iso_now() {
  const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now()).time_since_epoch().count();
  const time_t seconds = now / 1000;
  tm parts{};
  ::gmtime_r(&seconds, &parts);
  char day[80], text[96];
  ::strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &parts);
  ::snprintf(text, sizeof text, "%s.%03dZ", day, static_cast<int>(now % 1000));
  return text;
}

}  // namespace paperclip::sdk
