#pragma once

#include "domain/access/actor.h"
#include "domain/costs/cost_event.h"
#include "store/transaction.h"

/// Recording what work costs (spec/organisation.md 7.2).
namespace paperclip::domain {

/// Inserts the event and brings `spent_monthly_cents` of its agent and company to the sum of this UTC month.
/// `id` and `created_at` are filled in. Evaluating budgets is `evaluate_budgets`' job.
CostEvent record_cost(store::Transaction& tx, CostEvent event);

/// `part` of `whole` in percent with two decimals, 0 when there is no whole; rounded as JavaScript's toFixed does.
double percent_of(std::int64_t part, std::int64_t whole);

}  // namespace paperclip::domain
