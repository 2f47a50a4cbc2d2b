#pragma once

#include <vector>

#include "base/id.h"
#include "store/transaction.h"

namespace paperclip::domain {

/// Agents whose heartbeat is due: invokable, timer on, and the interval is over since the last run ended
/// (spec/execution.md 23).
std::vector<AgentId> agents_due(store::Reader& reader);
/// Wakes one of them, if it still is; a refusal is recorded like any other.
void wake_by_timer(store::Transaction& tx, AgentId agent);

}  // namespace paperclip::domain
