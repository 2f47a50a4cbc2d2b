#pragma once

#include <optional>
#include <vector>

#include "domain/runs/run_states.h"
#include "domain/runs/work_issue.h"
#include "store/transaction.h"

namespace paperclip::domain {

/// What a run leaves behind when it lets go of its issue: its lock is freed, then either the oldest parked wake becomes a
/// run, or work that would be stranded is taken up once more (spec/execution.md 16.3). Exactly one run at most.
/// The run's row must already have its final status.
void release_issue_and_promote(store::Transaction& tx, const StoredRun& run);

/// A run that never started let go of the issue: whoever was parked behind it becomes a run, unless another live run has the
/// issue.
void promote_parked_wake(store::Transaction& tx, CompanyId company, IssueId issue);

}  // namespace paperclip::domain
