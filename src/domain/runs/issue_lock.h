#pragma once

#include <string_view>

#include "domain/runs/run_states.h"
#include "domain/runs/work_issue.h"
#include "store/transaction.h"

/// Which live run executes an issue (spec/execution.md 16); the working claim is `domain/issues/lock.h`. Callers hold the
/// issue's row (`lock_work_issue`).
namespace paperclip::domain {

/// The run executes the issue from now on. Only for the assignee's run (spec/execution.md 27.5).
void stamp_execution_lock(store::Transaction& tx, CompanyId company, IssueId issue, RunId run, std::string_view name_key);
/// Frees the execution lock if this run has it.
void clear_execution_lock(store::Transaction& tx, CompanyId company, IssueId issue, RunId run);

/// True when the run is over or gone, so that its claim may be taken over.
bool is_run_over(store::Reader& reader, CompanyId company, RunId run);

}  // namespace paperclip::domain
