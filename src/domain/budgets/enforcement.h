#pragma once

#include <optional>

#include "domain/budgets/budget.h"
#include "domain/costs/cost_event.h"
#include "store/transaction.h"

/// What follows when a budget line is crossed (spec/organisation.md 9.4).
namespace paperclip::domain {

/// Evaluates every active policy that the event counts against; called after each cost event, in its transaction.
void evaluate_budgets(store::Transaction& tx, const CostEvent& event);

/// Evaluates one policy against what its scope has used by now: warns, or opens an incident with an approval for the board,
/// pauses the scope and ends its work. A limit on the number of runs, or of those without progress, lets what is under way end.
void evaluate_policy(store::Transaction& tx, const BudgetPolicy& policy);

/// Work was refused because of this limit: the incident, the pause and the board's approval follow. For limits that only
/// bite when more is asked for.
void enforce_limit(store::Transaction& tx, BudgetPolicyId policy);

/// After a run's end: the limits beside money that it counts against (OURS).
void evaluate_limits_after_run(store::Transaction& tx, CompanyId company, AgentId agent);

/// With time: limits on the time of runs bite those under way, and what a limit stopped goes on when its window is over.
void evaluate_limits_in_time(store::Transaction& tx);

/// Lets the scope work again, if it was a budget that stopped it.
void resume_scope(store::Transaction& tx, const BudgetPolicy& policy);

/// All open incidents of the policy become resolved; their approvals are approved with `note` when someone acts.
void resolve_open_incidents(store::Transaction& tx, const BudgetPolicy& policy, const std::optional<std::string>& decided_by, const std::string& note,
                            std::optional<BudgetThreshold> only = std::nullopt);

}  // namespace paperclip::domain
