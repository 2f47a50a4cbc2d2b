#pragma once

#include <vector>

#include "domain/access/scope.h"
#include "domain/issues/issue_views.h"
#include "store/transaction.h"

/// When a monitor's time has come (spec/work-domain.md 11.5). A monitor fires once; the agent must arm it again.
namespace paperclip::domain {

/// Issues whose monitor is due, oldest first, at most `limit`; each is claimed for five minutes.
std::vector<IssueId> claim_due_monitors(store::Transaction& tx, int limit = 50);

/// Wakes the agent of a claimed issue, or ends a monitor whose bounds are exhausted and does what its recovery policy
/// says. A refused wakeup clears the monitor.
void fire_monitor(store::Transaction& tx, IssueId issue);

/// A caller's check before the time: for boards and the assignee. 409 when there is nothing to check.
Result<> check_monitor_now(store::Transaction& tx, const CompanyScope& scope, IssueId issue);

}  // namespace paperclip::domain
