#pragma once

#include <optional>

#include "domain/runs/run_states.h"
#include "domain/runs/work_issue.h"
#include "domain/wakeups/invokable.h"
#include "store/transaction.h"

/// Work that is somebody's but that no run goes on with (spec/execution.md 24.1, 24.2).
namespace paperclip::domain {

enum class RecoveryKind {
  assignment,    // todo: the assignment never got its run
  continuation,  // in progress: the run ended before the work did
  productive     // in progress: a run succeeded, yet the work is open
};

/// Queues one run that takes the work up again. `after` is the run that ended, if there was one.
RunId queue_recovery_run(store::Transaction& tx, const WorkIssue& issue, const WakeAgent& agent, RecoveryKind kind, std::optional<RunId> after);

/// Somebody in charge has to look: a recovery issue for them blocks the issue, and a comment says why (escalation.cpp).
void escalate_stranded_issue(store::Transaction& tx, const WorkIssue& issue, std::optional<RunId> last_run);

struct StrandedReport {
  int dispatched = 0, requeued = 0, continued = 0, escalated = 0, skipped = 0;
};
/// Looks at all assigned open work and gives each piece that is stranded one more chance, or escalates it.
StrandedReport reconcile_stranded_issues(store::Transaction& tx, int limit = 200);

}  // namespace paperclip::domain
