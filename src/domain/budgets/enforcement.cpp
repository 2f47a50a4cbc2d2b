#include "domain/budgets/enforcement.h"

#include <algorithm>
#include <limits>

#include "domain/activity/activity.h"
#include "domain/approvals/approval.h"
#include "domain/budgets/policies.h"
#include "domain/runs/cancel.h"

namespace paperclip::domain {

namespace {

Author budget_service() { return Author::system("budget_service"); }

void log_threshold(store::Transaction& tx, const BudgetPolicy& policy, std::string_view action, const BudgetIncident& incident, std::int64_t observed) {
  log_activity(tx, policy.company_id, budget_service(),
               {action, "budget_incident", incident.id.str(),
                json::value{{"policyId", policy.id.view()}, {"scopeType", to_text(policy.scope_type)}, {"scopeId", policy.scope_id.view()},
                            {"amountLimit", policy.amount}, {"amountObserved", observed},
                            {"approvalId", incident.approval_id ? json::value(incident.approval_id->view()) : json::value(nullptr)}}});
}

std::string guidance(const BudgetPolicy& policy) {
  if (policy.metric == BudgetMetric::billed_cents) return "The budget is spent. Raise it to let the work go on, or keep the scope paused.";
  if (policy.metric == BudgetMetric::fruitless_runs)
    return "There were " + describe_limit(policy) + ". Look at what goes wrong; raise the limit to let the work go on, or keep the scope paused.";
  return "The limit of " + describe_limit(policy) + " is used up. Raise it to let the work go on at once, or leave the scope paused until the window is over.";
}

// One incident per policy, window and line, unless the last one was dismissed.
struct Found {
  BudgetIncident incident;
  bool is_new = false;
};
Found get_or_open(store::Transaction& tx, const BudgetPolicy& policy, BudgetThreshold threshold, std::int64_t observed) {
  BudgetPeriod period = budget_period(policy.window_kind, tx.now());
  // Limits beside money tell the board again when they were set anew within their window.
  if (policy.metric != BudgetMetric::billed_cents) period.start = std::max(period.start, policy.updated_at);
  auto incident = tx.one<BudgetIncident>(
      "select {} from budget_incidents where policy_id = :1 and window_start = :2 and threshold_type = :3 and status <> 'dismissed'",
      policy.id, period.start, threshold);
  if (incident) return {*std::move(incident), false};
  incident.emplace();
  incident->id = tx.new_id<BudgetIncidentId>();
  incident->company_id = policy.company_id;
  incident->policy_id = policy.id;
  incident->scope_type = policy.scope_type;
  incident->scope_id = policy.scope_id;
  incident->metric = policy.metric;
  incident->window_kind = policy.window_kind;
  incident->window_start = period.start;
  incident->window_end = period.end;
  incident->threshold_type = threshold;
  incident->amount_limit = policy.amount;
  incident->amount_observed = static_cast<int>(std::min<std::int64_t>(observed, std::numeric_limits<int>::max()));
  incident->created_at = incident->updated_at = tx.now();
  if (threshold == BudgetThreshold::hard) {
    Approval approval;
    approval.id = tx.new_id<ApprovalId>();
    approval.company_id = policy.company_id;
    approval.type = ApprovalType::budget_override_required;
    approval.payload = RawJson(json::value{
        {"scopeType", to_text(policy.scope_type)}, {"scopeId", policy.scope_id.view()},
        {"scopeName", scope_name(tx, policy.company_id, policy.scope_type, policy.scope_id).value_or("")},
        {"metric", to_text(policy.metric)}, {"windowKind", to_text(policy.window_kind)}, {"thresholdType", "hard"},
        {"budgetAmount", policy.amount}, {"observedAmount", observed}, {"warnPercent", policy.warn_percent},
        {"windowStart", to_iso(period.start)}, {"windowEnd", to_iso(period.end)}, {"policyId", policy.id.view()},
        {"guidance", guidance(policy)}});
    approval.created_at = approval.updated_at = tx.now();
    tx.insert("approvals", approval);
    incident->approval_id = approval.id;
  }
  tx.insert("budget_incidents", *incident);
  return {*std::move(incident), true};
}

// The run that reached a number may end; one that costs too much may not.
CancelledRuns ended_by(const BudgetPolicy& policy) {
  return policy.metric == BudgetMetric::runs || policy.metric == BudgetMetric::fruitless_runs ? CancelledRuns::waiting : CancelledRuns::all;
}

void stop_scope(store::Transaction& tx, const BudgetPolicy& policy) {
  switch (policy.scope_type) {
    case BudgetScope::agent: {
      const auto agent = id_cast<AgentId>(policy.scope_id);
      tx.execute("update agents set status = 'paused', pause_reason = 'budget', paused_at = :1, updated_at = :1 "
                 "where id = :2 and status in ('active', 'idle', 'running', 'error')", tx.now(), agent);
      cancel_runs_of_agent(tx, policy.company_id, agent, cancelled_by_budget, ended_by(policy));
      cancel_pending_wakes(tx, policy.company_id, agent, std::nullopt, cancelled_by_budget);
      break;
    }
    case BudgetScope::project:
      tx.execute("update projects set pause_reason = 'budget', paused_at = :1, updated_at = :1 where id = :2 and paused_at is null", tx.now(), policy.scope_id);
      cancel_work_of_company(tx, policy.company_id, id_cast<ProjectId>(policy.scope_id), cancelled_by_budget, ended_by(policy));
      break;
    case BudgetScope::company:
      tx.execute("update companies set status = 'paused', pause_reason = 'budget', paused_at = :1, updated_at = :1 where id = :2 and status = 'active'",
                 tx.now(), policy.scope_id);
      cancel_work_of_company(tx, policy.company_id, std::nullopt, cancelled_by_budget, ended_by(policy));
      break;
  }
}

// Money is logged at each event, as the reference does; limits are looked at with time, too, and are told once.
bool tells(const BudgetPolicy& policy, const Found& found) { return found.is_new || policy.metric == BudgetMetric::billed_cents; }

// `may_stop` is false when only the warning is due.
void evaluate(store::Transaction& tx, const BudgetPolicy& policy, bool may_stop) {
  if (!policy.is_active || policy.amount <= 0) return;
  const std::int64_t observed = observed_amount(tx, policy);
  if (policy.notify_enabled && observed >= warn_line(policy)) {
    const auto soft = get_or_open(tx, policy, BudgetThreshold::soft, observed);
    if (tells(policy, soft)) log_threshold(tx, policy, "budget.soft_threshold_crossed", soft.incident, observed);
  }
  if (!may_stop || !policy.hard_stop_enabled || observed < policy.amount) return;
  resolve_open_incidents(tx, policy, std::nullopt, "", BudgetThreshold::soft);
  const auto hard = get_or_open(tx, policy, BudgetThreshold::hard, observed);
  stop_scope(tx, policy);
  if (tells(policy, hard)) log_threshold(tx, policy, "budget.hard_threshold_crossed", hard.incident, observed);
}

}  // namespace

void evaluate_policy(store::Transaction& tx, const BudgetPolicy& policy) { evaluate(tx, policy, true); }

void enforce_limit(store::Transaction& tx, BudgetPolicyId id) {
  if (const auto policy = tx.one<BudgetPolicy>("select {} from budget_policies where id = :1", id)) evaluate_policy(tx, *policy);
}

void evaluate_limits_after_run(store::Transaction& tx, CompanyId company, AgentId agent) {
  for (const auto& policy : tx.all<BudgetPolicy>(
           "select {} from budget_policies where company_id = :1 and is_active = true and amount > 0 and metric in ('runs', 'wall_seconds', 'fruitless_runs') and "
           "(scope_type = 'company' or (scope_type = 'agent' and scope_id = :2)) order by id",
           company, agent))
    // The last run that was allowed ends nothing; the next one that is asked for is refused.
    evaluate(tx, policy, policy.metric != BudgetMetric::runs);
}

void evaluate_limits_in_time(store::Transaction& tx) {
  for (const auto& policy : tx.all<BudgetPolicy>(
           "select {p} from budget_policies p where p.metric = 'wall_seconds' and p.is_active = true and p.amount > 0 and "
           "exists (select 1 from heartbeat_runs r where r.status = 'running' and r.company_id = p.company_id) order by p.id"))
    evaluate_policy(tx, policy);
  // Windows that are over. Money waits for the board; the rest begins anew by itself.
  for (const auto& policy : tx.all<BudgetPolicy>(
           "select {p} from budget_policies p where p.metric <> 'billed_cents' and exists (select 1 from budget_incidents i where i.policy_id = p.id "
           "and i.status = 'open' and i.window_end <= :1) order by p.id",
           tx.now())) {
    const auto over = tx.all<BudgetIncident>("select {} from budget_incidents where policy_id = :1 and status = 'open' and window_end <= :2", policy.id, tx.now());
    for (auto incident : over) {
      incident.status = BudgetIncidentStatus::resolved;
      incident.resolved_at = incident.updated_at = tx.now();
      tx.update("budget_incidents", incident);
      if (incident.approval_id)
        tx.execute("update approvals set status = 'cancelled', decision_note = 'The window is over', decided_at = :1, updated_at = :1 "
                   "where id = :2 and status in ('pending', 'revision_requested')", tx.now(), *incident.approval_id);
      log_activity(tx, policy.company_id, budget_service(),
                   {"budget.incident_resolved", "budget_incident", incident.id.str(),
                    json::value{{"action", "window_ended"}, {"scopeType", to_text(policy.scope_type)}, {"scopeId", policy.scope_id.view()}}});
    }
    const bool stopped_otherwise = tx.exists("select 1 from budget_incidents where company_id = :1 and scope_type = :2 and scope_id = :3 and threshold_type = 'hard' and status = 'open'",
                                             policy.company_id, policy.scope_type, policy.scope_id);
    if (!stopped_otherwise && observed_amount(tx, policy) < policy.amount) resume_scope(tx, policy);
  }
}

void evaluate_budgets(store::Transaction& tx, const CostEvent& event) {
  for (const auto& policy : tx.all<BudgetPolicy>(
           "select {} from budget_policies where company_id = :1 and is_active = true and amount > 0 and "
           "metric in ('billed_cents', 'tokens') and "
           "((scope_type = 'company') or (scope_type = 'agent' and scope_id = :2) or (scope_type = 'project' and scope_id = :3)) order by id",
           event.company_id, event.agent_id, event.project_id))
    evaluate_policy(tx, policy);
}

void resume_scope(store::Transaction& tx, const BudgetPolicy& policy) {
  switch (policy.scope_type) {
    case BudgetScope::agent:
      tx.execute("update agents set status = 'idle', pause_reason = null, paused_at = null, updated_at = :1 "
                 "where id = :2 and status = 'paused' and pause_reason = 'budget'", tx.now(), policy.scope_id);
      break;
    case BudgetScope::project:
      tx.execute("update projects set pause_reason = null, paused_at = null, updated_at = :1 where id = :2 and pause_reason = 'budget'", tx.now(), policy.scope_id);
      break;
    case BudgetScope::company:
      tx.execute("update companies set status = 'active', pause_reason = null, paused_at = null, updated_at = :1 where id = :2 and pause_reason = 'budget'",
                 tx.now(), policy.scope_id);
      break;
  }
}

void resolve_open_incidents(store::Transaction& tx, const BudgetPolicy& policy, const std::optional<std::string>& decided_by, const std::string& note,
                            std::optional<BudgetThreshold> only) {
  for (auto& incident : tx.all<BudgetIncident>("select {} from budget_incidents where policy_id = :1 and status = 'open'", policy.id)) {
    if (only && incident.threshold_type != *only) continue;
    incident.status = BudgetIncidentStatus::resolved;
    incident.resolved_at = tx.now();
    incident.updated_at = tx.now();
    tx.update("budget_incidents", incident);
    if (incident.approval_id && decided_by)
      tx.execute("update approvals set status = 'approved', decision_note = :1, decided_by_user_id = :2, decided_at = :3, updated_at = :3 "
                 "where id = :4 and status in ('pending', 'revision_requested')",
                 note.empty() ? std::optional<std::string>() : std::optional(note), *decided_by, tx.now(), *incident.approval_id);
  }
}

}  // namespace paperclip::domain
