#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/fields.h"
#include "base/read_json.h"
#include "domain/access/scope.h"
#include "domain/budgets/budget.h"
#include "store/transaction.h"

/// Budget policies and their incidents (spec/organisation.md 9.1–9.3, 9.6).
namespace paperclip::domain {

struct PolicyInput {
  BudgetScope scope_type{};
  AnyId scope_id;
  Default<BudgetMetric> metric{BudgetMetric::billed_cents};
  Default<BudgetWindow> window_kind{BudgetWindow::calendar_month_utc};
  Int<0, 2147483647> amount;
  Default<Int<1, 99>> warn_percent{Int<1, 99>(80)};
  Default<bool> hard_stop_enabled{true}, notify_enabled{true}, is_active{true};
};
BOOST_DESCRIBE_STRUCT(PolicyInput, (), (scope_type, scope_id, metric, window_kind, amount, warn_percent, hard_stop_enabled, notify_enabled, is_active))

/// A policy with what has been spent against it: the wire's summary.
struct PolicySummary {
  BudgetPolicyId policy_id;
  CompanyId company_id;
  BudgetScope scope_type{};
  AnyId scope_id;
  std::string scope_name;
  BudgetMetric metric{};
  BudgetWindow window_kind{};
  std::int64_t amount = 0, observed_amount = 0, remaining_amount = 0;
  double utilization_percent = 0;
  int warn_percent = 80;
  bool hard_stop_enabled = true, notify_enabled = true, is_active = true;
  std::string status;  // ok | warning | hard_stop
  bool paused = false;
  std::optional<std::string> pause_reason;
  Timestamp window_start, window_end;
};
BOOST_DESCRIBE_STRUCT(PolicySummary, (), (policy_id, company_id, scope_type, scope_id, scope_name, metric, window_kind, amount, observed_amount,
                                          remaining_amount, utilization_percent, warn_percent, hard_stop_enabled, notify_enabled, is_active,
                                          status, paused, pause_reason, window_start, window_end))

struct BudgetPeriod {
  Timestamp start, end;
};
BudgetPeriod budget_period(BudgetWindow kind, Timestamp now);
/// What the policy's scope has spent in its window, in cents.
std::int64_t observed_cents(store::Reader& reader, const BudgetPolicy& policy);
/// ceil(amount × warn percent / 100).
std::int64_t warn_line(const BudgetPolicy& policy);

PolicySummary summarise(store::Reader& reader, const BudgetPolicy& policy);
std::vector<PolicySummary> policies_of_company(store::Reader& reader, CompanyId company);

/// Inserts or updates by scope, metric and window; mirrors monthly company and agent budgets; resumes or stops the scope
/// as the new amount demands. 404 `Company/Agent/Project not found`, 422 `Budget scope does not belong to company`.
Result<PolicySummary> upsert_policy(store::Transaction& tx, const CompanyScope& scope, const PolicyInput& input);

/// The monthly policy of an agent.
Result<> set_monthly_agent_budget(store::Transaction& tx, const CompanyScope& scope, AgentId agent, std::int64_t cents);

enum class IncidentAction { keep_paused, raise_budget_and_resume };
BOOST_DESCRIBE_ENUM(IncidentAction, keep_paused, raise_budget_and_resume)

struct IncidentDecision {
  IncidentAction action{};
  std::optional<Int<0, 2147483647>> amount;
  std::optional<Multiline<0>> decision_note;
  void check(SchemaIssues& issues) const;
};
BOOST_DESCRIBE_STRUCT(IncidentDecision, (), (action, amount, decision_note))

/// 404 `Budget incident not found`; 422 `New budget must exceed current observed spend`.
Result<> resolve_incident(store::Transaction& tx, const CompanyScope& scope, std::string_view incident, const IncidentDecision& decision);

/// An incident as clients see it.
void append_incident_json(std::string& out, store::Reader& reader, const BudgetIncident& incident);

/// The name of a scope; nothing if it is not the company's.
std::optional<std::string> scope_name(store::Reader& reader, CompanyId company, BudgetScope type, const AnyId& id);

}  // namespace paperclip::domain
