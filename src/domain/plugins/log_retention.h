#pragma once

#include "store/transaction.h"

namespace paperclip::domain {

/// Deletes at most `limit` lines that plugins logged before that time, oldest first (spec/plugins.md); returns how many.
std::int64_t prune_plugin_logs(store::Transaction& tx, Timestamp before, int limit = 10'000);

}  // namespace paperclip::domain
