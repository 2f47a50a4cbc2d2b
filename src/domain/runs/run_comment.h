#pragma once

#include "domain/runs/run_states.h"
#include "domain/runs/work_issue.h"
#include "store/transaction.h"

namespace paperclip::domain {

/// What the agent said last becomes its comment on the issue, unless the run commented by itself
/// (spec/execution.md 13.1 step 9).
void post_summary_comment(store::Transaction& tx, const HeartbeatRun& run, const WorkIssue& issue, const json::value& result);

}  // namespace paperclip::domain
