#pragma once

#include <utility>
#include <vector>

#include "domain/waiting/wait.h"
#include "store/transaction.h"

/// Nothing that was accepted waits without a reason on record (OURS): within a turn of the scheduler each wake has a run
/// under way, a recorded end (coalesced, skipped), or its row in `wakeup_waits`.
namespace paperclip::domain {

/// What the tick has to write; empty nearly always. Read first, so that a long queue that just waits costs no writes.
struct WaitsToNote {
  std::vector<std::pair<CompanyId, AgentId>> agents;     // with wakes whose reason is not on record
  std::vector<std::pair<CompanyId, IssueId>> orphaned;   // with parked wakes behind nobody, for a minute or more
  bool stale = false;                                    // reasons of wakes that went on
};
WaitsToNote find_waits_to_note(store::Reader& reader, const MachineSlots& machine);

/// Writes the reasons of the agent's waiting wakes.
void note_waits(store::Transaction& tx, CompanyId company, AgentId agent, const MachineSlots& machine);
/// Takes off the reasons of wakes that no longer wait.
void forget_stale_waits(store::Transaction& tx);

}  // namespace paperclip::domain
