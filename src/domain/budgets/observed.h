#pragma once

#include <cstdint>
#include <string>

#include "domain/budgets/budget.h"
#include "store/reader.h"

/// What a scope has used of what a policy limits (spec/organisation.md 9.1; limits beside money are OURS).
namespace paperclip::domain {

struct BudgetPeriod {
  Timestamp start, end;
};
/// The window that `now` is in. Hours, days and months are those of UTC.
BudgetPeriod budget_period(BudgetWindow kind, Timestamp now);

/// Used by now in the policy's window, in the unit of its metric: cents, tokens read and written (cached ones do not
/// count), runs that were started, seconds of runs (of those that are under way, too), or, for `fruitless_runs`, how many
/// of the newest runs in a row made no progress since the policy was last set.
std::int64_t observed_amount(store::Reader& reader, const BudgetPolicy& policy);

/// "100 runs per UTC day", for people.
std::string describe_limit(const BudgetPolicy& policy);

}  // namespace paperclip::domain
