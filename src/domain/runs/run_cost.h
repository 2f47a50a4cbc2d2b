#pragma once

#include "domain/runs/run_states.h"
#include "domain/runs/usage.h"
#include "store/transaction.h"

namespace paperclip::domain {

/// The cost event of a run (spec/execution.md 13.5): scoped to its issue and project, then what its scopes spent this
/// month is summed up anew and its budgets are looked at.
void record_run_cost(store::Transaction& tx, const HeartbeatRun& run, const json::object& context, const UsageReport& report,
                     const TokenCounts& tokens, std::int64_t cents);

}  // namespace paperclip::domain
