#pragma once

#include <optional>
#include <string>

#include "domain/access/scope.h"
#include "domain/runs/run_event.h"
#include "store/transaction.h"

namespace paperclip::domain {

/// What somebody decides about a run that has fallen silent (spec/execution.md 24.3).
struct SilenceDecision {
  WatchdogDecision decision{};
  std::optional<IssueId> evaluation_issue_id;
  std::optional<std::string> reason;
  std::optional<Timestamp> snoozed_until;
};

/// Records it. 400 for a snooze without a future time; 404 for an unknown evaluation issue; 403 unless the board decides,
/// or the agent to whom the evaluation issue is assigned.
Result<HeartbeatRunWatchdogDecision> decide_on_silent_run(store::Transaction& tx, const CompanyScope& scope, RunId run, const SilenceDecision& decision);

}  // namespace paperclip::domain
