#pragma once

#include <chrono>
#include <filesystem>
#include <functional>

#include "base/id.h"
#include "base/time.h"

namespace paperclip::heartbeat {

/// How long what only grows is kept; 0: for ever. Past that it is deleted, a portion on each tick.
struct Retention {
  std::chrono::hours events{24 * 7};        // what a client that was away can catch up on
  std::chrono::hours plugin_logs{24 * 7};   // spec/plugins.md: seven days
  std::chrono::hours run_logs{24 * 90};     // files; their runs stay, and say `Run log not found`
};

/// Deletes run logs below `base` that nobody wrote to since `before`, but none of a run that lives, and directories that are
/// empty then. At most `limit` files; returns how many.
int delete_old_run_logs(const std::filesystem::path& base, std::chrono::system_clock::time_point before, const std::function<bool(RunId)>& lives, int limit = 1000);

}  // namespace paperclip::heartbeat
