#pragma once

#include <optional>

#include "domain/issues/execution_policy.h"
#include "domain/issues/issue_edit.h"
#include "store/transaction.h"

/// Monitors: an agent's appointment to look at its issue again (spec/work-domain.md 11.4).
namespace paperclip::domain {

/// Carries the monitor of the policy as it will be into the issue's columns and state, or clears it. `before` and
/// `after` are the policies without and with this request; `explicitly`: this request set the policy. Sets
/// `next.execution_policy` and `next.execution_state`. 422 where an explicit monitor is not allowed or exhausted.
Result<> schedule_monitor(IssueEdit& edit, const std::optional<ExecutionPolicy>& before,
                          const std::optional<ExecutionPolicy>& after, bool explicitly, Timestamp now);

/// Activity `issue.monitor_scheduled` or `issue.monitor_cleared` for what changed between the two rows.
void log_monitor_change(store::Transaction& tx, const CompanyScope& scope, const Issue& before, const Issue& after);

}  // namespace paperclip::domain
