#pragma once

#include <chrono>

#include "store/transaction.h"

/// Runs that say nothing for a long time become somebody's question (spec/execution.md 24.3). Nothing is killed: a quiet
/// process may well be at work.
namespace paperclip::domain {

inline constexpr std::chrono::hours suspicious_silence{1}, critical_silence{4};
/// How long "go on" keeps a run from being asked about again.
inline constexpr std::chrono::minutes silence_rearmed_after{30};

struct SilentRunReport {
  int looked_at = 0, created = 0, raised = 0, left = 0;  // left: snoozed, dismissed or already asked about
};
/// Looks at up to `limit` runs, the longest silent first: one open issue per run for somebody in charge (the agent's
/// manager, the cto, the ceo); after 4 h it is of high priority and blocks the run's own issue. What the run printed stays
/// out of it.
SilentRunReport scan_silent_runs(store::Transaction& tx, int limit = 100);

}  // namespace paperclip::domain
