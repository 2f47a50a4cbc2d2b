#pragma once

#include <optional>
#include <string>

#include "domain/runs/run_states.h"
#include "domain/runs/work_issue.h"
#include "store/transaction.h"

namespace paperclip::domain {

/// Why a run may not go on now: a code for `error_code`, and the words for people.
struct GateRefusal {
  std::string code, message;
};

/// The participant whose turn it is in a review; nothing when no agent is named (spec/work-domain.md 11.2).
std::optional<AgentId> review_participant(const WorkIssue& issue);

/// The gates before a scheduled retry is queued, in the order of spec/execution.md 18.3. `check_lock` is off when the
/// retry is only about to be scheduled.
std::optional<GateRefusal> retry_gate(store::Transaction& tx, const StoredRun& retry, const json::object& context, bool check_lock);

}  // namespace paperclip::domain
