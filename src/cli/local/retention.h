#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

/// Which backups are kept (spec/platform.md 6.2).
namespace paperclip::cli {

struct BackupFile {
  std::filesystem::path path;
  std::chrono::sys_seconds time;
};

struct Retention {
  int daily_days = 7;      // all of these days
  int weekly_weeks = 4;    // then the newest of each ISO week
  int monthly_months = 1;  // then the newest of each month of 30 days
};

/// Those that none of the three keeps.
std::vector<std::filesystem::path> beyond_retention(std::vector<BackupFile> files, std::chrono::sys_seconds now,
                                                    Retention retention);

}  // namespace paperclip::cli
