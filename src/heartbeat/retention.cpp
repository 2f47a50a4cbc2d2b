#include "heartbeat/retention.h"

#include <sys/stat.h>
#include <unistd.h>

#include "os/files.h"

namespace paperclip::heartbeat {

namespace fs = std::filesystem;

int delete_old_run_logs(const fs::path& base, std::chrono::system_clock::time_point before, const std::function<bool(RunId)>& lives, int limit) {
  const auto cutoff = std::chrono::system_clock::to_time_t(before);
  int deleted = 0;
  const auto names = [](const fs::path& directory) {
    auto listed = os::list_directory(directory);
    return listed ? *std::move(listed) : std::vector<std::string>();
  };
  for (const auto& company : names(base))
    for (const auto& agent : names(base / company)) {
      const fs::path directory = base / company / agent;
      for (const auto& name : names(directory)) {
        if (deleted >= limit) return deleted;
        const fs::path file = directory / name;
        const auto run = file.extension() == ".ndjson" ? RunId::parse(file.stem().string()) : std::nullopt;
        struct stat found {};
        if (!run || ::lstat(file.c_str(), &found) != 0 || !S_ISREG(found.st_mode) || found.st_mtime >= cutoff || lives(*run)) continue;
        deleted += ::unlink(file.c_str()) == 0;
      }
      // Only what is empty goes.
      if (deleted > 0 && ::rmdir(directory.c_str()) == 0) (void)::rmdir((base / company).c_str());
    }
  return deleted;
}

}  // namespace paperclip::heartbeat
