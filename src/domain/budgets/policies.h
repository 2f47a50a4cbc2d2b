#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/fields.h"
#include "base/read_json.h"
#include "domain/access/scope.h"
#include "domain/budgets/budget.h"
#include "domain/budgets/observed.h"
#include "store/transaction.h"

/// Budget policies and their incidents (spec/organisation.md 9.1–9.3, 9.6).
namespace paperclip::domain {

/// The words of the reference's route.
enum class MoneyMetric { billed_cents };
BOOST_DESCRIBE_ENUM(MoneyMetric, billed_cents)
enum class MoneyWindow { calendar_month_utc, lifetime };
BOOST_DESCRIBE_ENUM(MoneyWindow, calendar_month_utc, lifetime)

struct PolicyInput {
  BudgetScope scope_type{};
  AnyId scope_id;
  Default<MoneyMetric> metric{MoneyMetric::billed_cents};
  Default<MoneyWindow> window_kind{MoneyWindow::calendar_month_utc};
  Int<0, 2147483647> amount;
  Default<Int<1, 99>> warn_percent{Int<1, 99>(80)};
  Default<bool> hard_stop_enabled{true}, notify_enabled{true}, is_active{true};
};
BOOST_DESCRIBE_STRUCT(PolicyInput, (), (scope_type, scope_id, metric, window_kind, amount, warn_percent, hard_stop_enabled, notify_enabled, is_active))

/// Limits beside money (OURS).
enum class LimitScope { company, agent };
BOOST_DESCRIBE_ENUM(LimitScope, company, agent)
enum class LimitMetric { tokens, runs, wall_seconds, fruitless_runs };
BOOST_DESCRIBE_ENUM(LimitMetric, tokens, runs, wall_seconds, fruitless_runs)

struct LimitInput {
  LimitScope scope_type{};
  std::optional<AnyId> scope_id;  // of the agent; the company's may be left out
  LimitMetric metric{};
  Default<BudgetWindow> window_kind{BudgetWindow::utc_day};  // without meaning for `fruitless_runs`
  Int<0, 2147483647> amount;                                 // 0 takes the limit off
  Default<Int<1, 99>> warn_percent{Int<1, 99>(80)};
  Default<bool> hard_stop_enabled{true}, notify_enabled{true};
  void check(SchemaIssues& issues) const;
};
BOOST_DESCRIBE_STRUCT(LimitInput, (), (scope_type, scope_id, metric, window_kind, amount, warn_percent, hard_stop_enabled, notify_enabled))

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

/// ceil(amount × warn percent / 100).
std::int64_t warn_line(const BudgetPolicy& policy);

PolicySummary summarise(store::Reader& reader, const BudgetPolicy& policy);
/// Budgets of money.
std::vector<PolicySummary> policies_of_company(store::Reader& reader, CompanyId company);
/// Limits beside money (OURS).
std::vector<PolicySummary> limits_of_company(store::Reader& reader, CompanyId company);

/// Inserts or updates by scope, metric and window; mirrors monthly company and agent budgets; resumes or stops the scope
/// as the new amount demands. 404 `Company/Agent/Project not found`, 422 `Budget scope does not belong to company`.
Result<PolicySummary> upsert_policy(store::Transaction& tx, const CompanyScope& scope, const PolicyInput& input);

/// The same for limits beside money.
Result<PolicySummary> upsert_limit(store::Transaction& tx, const CompanyScope& scope, const LimitInput& input);

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
