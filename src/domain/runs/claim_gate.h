#pragma once

#include <optional>

#include "domain/runs/retry_gate.h"
#include "domain/runs/run_states.h"
#include "domain/wakeups/invokable.h"
#include "store/transaction.h"

namespace paperclip::domain {

/// Why a queued run may not start (spec/execution.md 5.2).
struct ClaimRefusal {
  enum class Kind {
    cancel,        // like a cancel from outside: the agent, a budget or a pause stops it
    blocked,       // open blockers
    stale          // the issue has moved on
  };
  Kind kind;
  std::string code, message;
};
std::optional<ClaimRefusal> claim_gate(store::Transaction& tx, const StoredRun& run, const WakeAgent& agent, const json::object& context,
                                       const std::optional<WorkIssue>& issue);

/// Carries the refusal out.
void refuse_claim(store::Transaction& tx, const StoredRun& run, const ClaimRefusal& refusal);

}  // namespace paperclip::domain
