#pragma once

#include <optional>

#include "domain/budgets/budget.h"
#include "domain/costs/cost_event.h"
#include "store/transaction.h"

/// What follows when a budget line is crossed (spec/organisation.md 9.4).
namespace paperclip::domain {

/// Evaluates every active policy that the event counts against; called after each cost event, in its transaction.
void evaluate_budgets(store::Transaction& tx, const CostEvent& event);

/// Evaluates one policy against what its scope has spent by now.
void evaluate_policy(store::Transaction& tx, const BudgetPolicy& policy);

/// Lets the scope work again, if it was a budget that stopped it.
void resume_scope(store::Transaction& tx, const BudgetPolicy& policy);

/// All open incidents of the policy become resolved; their approvals are approved with `note` when someone acts.
void resolve_open_incidents(store::Transaction& tx, const BudgetPolicy& policy, const std::optional<std::string>& decided_by, const std::string& note,
                            std::optional<BudgetThreshold> only = std::nullopt);

}  // namespace paperclip::domain
