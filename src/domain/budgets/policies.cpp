#include "domain/budgets/policies.h"

#include <algorithm>
#include <chrono>

#include "domain/activity/activity.h"
#include "domain/budgets/enforcement.h"
#include "domain/companies/companies.h"
#include "domain/costs/costs.h"

namespace paperclip::domain {

namespace {

struct ScopeStanding {
  std::string name;
  CompanyId company_id;
  std::optional<std::string> status;
  std::optional<std::string> pause_reason;
  std::optional<Timestamp> paused_at;
};
BOOST_DESCRIBE_STRUCT(ScopeStanding, (), (name, company_id, status, pause_reason, paused_at))

std::optional<ScopeStanding> standing(store::Reader& reader, BudgetScope type, const AnyId& id) {
  switch (type) {
    case BudgetScope::company:
      return reader.one<ScopeStanding>("select name, id as company_id, status, pause_reason, paused_at from companies where id = :1", id);
    case BudgetScope::agent:
      return reader.one<ScopeStanding>("select name, company_id, status, pause_reason, paused_at from agents where id = :1", id);
    case BudgetScope::project:
      return reader.one<ScopeStanding>("select name, company_id, cast(null as text) as status, pause_reason, paused_at from projects where id = :1", id);
  }
  return std::nullopt;
}

bool stands_still(BudgetScope type, const ScopeStanding& scope) {
  if (type == BudgetScope::project) return scope.paused_at.has_value();
  if (type == BudgetScope::agent) return scope.status == "paused";
  return scope.status == "paused" || scope.paused_at;
}

// Monthly budgets of companies and agents also stand in their own rows.
void mirror(store::Transaction& tx, const BudgetPolicy& policy) {
  if (policy.metric != BudgetMetric::billed_cents || policy.window_kind != BudgetWindow::calendar_month_utc) return;
  if (policy.scope_type == BudgetScope::company)
    tx.execute("update companies set budget_monthly_cents = :1, updated_at = :2 where id = :3", policy.amount, tx.now(), policy.scope_id);
  else if (policy.scope_type == BudgetScope::agent)
    tx.execute("update agents set budget_monthly_cents = :1, updated_at = :2 where id = :3", policy.amount, tx.now(), policy.scope_id);
}

}  // namespace

std::int64_t warn_line(const BudgetPolicy& policy) {
  return (static_cast<std::int64_t>(policy.amount) * policy.warn_percent + 99) / 100;
}

std::optional<std::string> scope_name(store::Reader& reader, CompanyId company, BudgetScope type, const AnyId& id) {
  auto scope = standing(reader, type, id);
  if (!scope || scope->company_id != company) return std::nullopt;
  return std::move(scope->name);
}

PolicySummary summarise(store::Reader& reader, const BudgetPolicy& policy) {
  const auto scope = standing(reader, policy.scope_type, policy.scope_id);
  const BudgetPeriod period = budget_period(policy.window_kind, reader.now());
  PolicySummary out;
  out.policy_id = policy.id;
  out.company_id = policy.company_id;
  out.scope_type = policy.scope_type;
  out.scope_id = policy.scope_id;
  out.metric = policy.metric;
  out.window_kind = policy.window_kind;
  out.amount = policy.is_active ? policy.amount : 0;
  out.observed_amount = observed_amount(reader, policy);
  out.remaining_amount = std::max<std::int64_t>(0, out.amount - out.observed_amount);
  out.utilization_percent = percent_of(out.observed_amount, out.amount);
  out.warn_percent = policy.warn_percent;
  out.hard_stop_enabled = policy.hard_stop_enabled;
  out.notify_enabled = policy.notify_enabled;
  out.is_active = policy.is_active;
  out.status = out.amount <= 0                               ? "ok"
               : out.observed_amount >= out.amount           ? "hard_stop"
               : out.observed_amount >= warn_line(policy)    ? "warning"
                                                             : "ok";
  if (scope) {
    out.scope_name = scope->name;
    out.paused = stands_still(policy.scope_type, *scope);
    out.pause_reason = scope->pause_reason;
  }
  out.window_start = period.start;
  out.window_end = period.end;
  return out;
}

std::vector<PolicySummary> policies_of_company(store::Reader& reader, CompanyId company) {
  std::vector<PolicySummary> out;
  for (const auto& policy : reader.all<BudgetPolicy>(
           "select {} from budget_policies where company_id = :1 and metric = 'billed_cents' order by updated_at desc, id desc limit 10000", company))
    out.push_back(summarise(reader, policy));
  return out;
}

std::vector<PolicySummary> limits_of_company(store::Reader& reader, CompanyId company) {
  std::vector<PolicySummary> out;
  for (const auto& policy : reader.all<BudgetPolicy>(
           "select {} from budget_policies where company_id = :1 and metric <> 'billed_cents' order by updated_at desc, id desc limit 10000", company))
    out.push_back(summarise(reader, policy));
  return out;
}

namespace {

struct PolicyTerms {
  BudgetScope scope_type{};
  AnyId scope_id;
  BudgetMetric metric{};
  BudgetWindow window_kind{};
  std::int64_t amount = 0;
  int warn_percent = 80;
  bool hard_stop_enabled = true, notify_enabled = true, is_active = true;
};

Result<PolicySummary> put_policy(store::Transaction& tx, const CompanyScope& scope, const PolicyTerms& input) {
  const char* kind = input.scope_type == BudgetScope::company ? "Company" : input.scope_type == BudgetScope::agent ? "Agent" : "Project";
  const auto target = standing(tx, input.scope_type, input.scope_id);
  if (!target) return not_found(std::string(kind) + " not found");
  if (target->company_id != scope.company_id()) return unprocessable("Budget scope does not belong to company");
  const std::optional<std::string> user = scope.author().user_id();
  auto policy = tx.one<BudgetPolicy>(
      "select {} from budget_policies where company_id = :1 and scope_type = :2 and scope_id = :3 and metric = :4 and window_kind = :5",
      scope.company_id(), input.scope_type, input.scope_id, input.metric, input.window_kind);
  const bool is_new = !policy;
  if (is_new) {
    policy.emplace();
    policy->id = tx.new_id<BudgetPolicyId>();
    policy->company_id = scope.company_id();
    policy->scope_type = input.scope_type;
    policy->scope_id = input.scope_id;
    policy->metric = input.metric;
    policy->window_kind = input.window_kind;
    policy->created_by_user_id = user;
    policy->created_at = tx.now();
  }
  policy->amount = static_cast<int>(input.amount);
  policy->warn_percent = input.warn_percent;
  policy->hard_stop_enabled = input.hard_stop_enabled;
  policy->notify_enabled = input.notify_enabled;
  policy->is_active = policy->amount > 0 && input.is_active;
  policy->updated_by_user_id = user;
  policy->updated_at = tx.now();
  if (is_new) tx.insert("budget_policies", *policy);
  else tx.update("budget_policies", *policy);
  mirror(tx, *policy);

  if (policy->amount > 0 && observed_amount(tx, *policy) >= policy->amount) {
    evaluate_policy(tx, *policy);
  } else {
    resume_scope(tx, *policy);
    resolve_open_incidents(tx, *policy, user, "Resolved via budget update");
  }
  log_activity(tx, scope.company_id(), scope.author(),
               {"budget.policy_upserted", "budget_policy", policy->id.str(),
                json::value{{"scopeType", to_text(policy->scope_type)}, {"scopeId", policy->scope_id.view()}, {"amount", policy->amount},
                            {"windowKind", to_text(policy->window_kind)}}});
  return summarise(tx, *policy);
}

}  // namespace

Result<PolicySummary> upsert_policy(store::Transaction& tx, const CompanyScope& scope, const PolicyInput& input) {
  const auto window = *input.window_kind == MoneyWindow::lifetime ? BudgetWindow::lifetime : BudgetWindow::calendar_month_utc;
  return put_policy(tx, scope, {input.scope_type, input.scope_id, BudgetMetric::billed_cents, window, input.amount, static_cast<int>(input.warn_percent->value),
                                *input.hard_stop_enabled, *input.notify_enabled, *input.is_active});
}

void LimitInput::check(SchemaIssues& issues) const {
  if (scope_type == LimitScope::agent && !scope_id) {
    SchemaIssues::Step step(issues, "scopeId");
    issues.add("custom", "scopeId is required for an agent's limit");
  }
}

Result<PolicySummary> upsert_limit(store::Transaction& tx, const CompanyScope& scope, const LimitInput& input) {
  const auto metric = *parse_enum<BudgetMetric>(to_text(input.metric));
  // A streak has no window.
  const auto window = metric == BudgetMetric::fruitless_runs ? BudgetWindow::lifetime : *input.window_kind;
  const bool of_company = input.scope_type == LimitScope::company;
  return put_policy(tx, scope, {of_company ? BudgetScope::company : BudgetScope::agent, input.scope_id ? *input.scope_id : id_cast<AnyId>(scope.company_id()), metric,
                                window, input.amount, static_cast<int>(input.warn_percent->value), *input.hard_stop_enabled, *input.notify_enabled, true});
}

Result<> set_monthly_agent_budget(store::Transaction& tx, const CompanyScope& scope, AgentId agent, std::int64_t cents) {
  PolicyInput input;
  input.scope_type = BudgetScope::agent;
  input.scope_id = id_cast<AnyId>(agent);
  input.amount = cents;
  TRY(upsert_policy(tx, scope, input));
  return {};
}

void IncidentDecision::check(SchemaIssues& issues) const {
  if (action == IncidentAction::raise_budget_and_resume && !amount) {
    SchemaIssues::Step step(issues, "amount");
    issues.add("custom", "amount is required when raising a budget");
  }
}

Result<> resolve_incident(store::Transaction& tx, const CompanyScope& scope, std::string_view reference, const IncidentDecision& decision) {
  const auto id = BudgetIncidentId::parse(reference);
  auto incident = id ? tx.one<BudgetIncident>("select {} from budget_incidents where id = :1 and company_id = :2", *id, scope.company_id()) : std::nullopt;
  if (!incident) return not_found("Budget incident not found");
  auto policy = tx.one<BudgetPolicy>("select {} from budget_policies where id = :1", incident->policy_id);
  if (!policy) return not_found("Budget incident not found");
  const std::optional<std::string> user = scope.author().user_id();
  std::optional<std::string> note;
  if (decision.decision_note) note = std::string(*decision.decision_note);
  if (decision.action == IncidentAction::raise_budget_and_resume) {
    const auto amount = decision.amount->value;
    // A streak begins anew when its limit is set again.
    if (policy->metric != BudgetMetric::fruitless_runs && amount <= observed_amount(tx, *policy)) return unprocessable("New budget must exceed current observed spend");
    policy->amount = static_cast<int>(amount);
    policy->is_active = true;
    policy->updated_by_user_id = user;
    policy->updated_at = tx.now();
    tx.update("budget_policies", *policy);
    mirror(tx, *policy);
    resume_scope(tx, *policy);
    resolve_open_incidents(tx, *policy, user, note.value_or(""));
  } else {
    incident->status = BudgetIncidentStatus::dismissed;
    incident->resolved_at = tx.now();
    incident->updated_at = tx.now();
    tx.update("budget_incidents", *incident);
    if (incident->approval_id)
      tx.execute("update approvals set status = 'rejected', decision_note = :1, decided_by_user_id = :2, decided_at = :3, updated_at = :3 "
                 "where id = :4 and status in ('pending', 'revision_requested')", note, user, tx.now(), *incident->approval_id);
  }
  log_activity(tx, scope.company_id(), scope.author(),
               {"budget.incident_resolved", "budget_incident", incident->id.str(),
                json::value{{"action", to_text(decision.action)},
                            {"amount", decision.amount ? json::value(decision.amount->value) : json::value(nullptr)},
                            {"scopeType", to_text(incident->scope_type)},
                            {"scopeId", incident->scope_id.view()}}});
  return {};
}

void append_incident_json(std::string& out, store::Reader& reader, const BudgetIncident& incident) {
  const auto approval = incident.approval_id ? reader.value<std::string>("select status from approvals where id = :1", *incident.approval_id) : std::nullopt;
  JsonObjectWriter(out)
      .members(incident)
      .field("scopeName", scope_name(reader, incident.company_id, incident.scope_type, incident.scope_id))
      .field("approvalStatus", approval)
      .end();
}

}  // namespace paperclip::domain
