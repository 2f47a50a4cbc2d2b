#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <optional>
#include <string>

#include "base/id.h"
#include "base/time.h"
#include "domain/schema/table_of.h"

/// Budgets (spec/organisation.md 9.1).
namespace paperclip::domain {

enum class BudgetScope { company, agent, project };
BOOST_DESCRIBE_ENUM(BudgetScope, company, agent, project)

/// What is limited. All but `billed_cents` are OURS (docs/decisions/0013): they have routes of their own, because clients of
/// the reference read every amount as cents.
enum class BudgetMetric { billed_cents, tokens, runs, wall_seconds, fruitless_runs };
BOOST_DESCRIBE_ENUM(BudgetMetric, billed_cents, tokens, runs, wall_seconds, fruitless_runs)

/// `utc_day` and `utc_hour` are OURS.
enum class BudgetWindow { calendar_month_utc, lifetime, utc_day, utc_hour };
BOOST_DESCRIBE_ENUM(BudgetWindow, calendar_month_utc, lifetime, utc_day, utc_hour)

/// How much a company, an agent or a project may spend.
struct BudgetPolicy {
  BudgetPolicyId id;
  CompanyId company_id;
  BudgetScope scope_type{};
  AnyId scope_id;
  BudgetMetric metric = BudgetMetric::billed_cents;
  BudgetWindow window_kind{};
  int amount = 0;
  int warn_percent = 80;
  bool hard_stop_enabled = true;
  bool notify_enabled = true;
  bool is_active = true;
  std::optional<std::string> created_by_user_id;
  std::optional<std::string> updated_by_user_id;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(BudgetPolicy, (),
                      (id, company_id, scope_type, scope_id, metric, window_kind, amount, warn_percent,
                       hard_stop_enabled, notify_enabled, is_active, created_by_user_id, updated_by_user_id, created_at,
                       updated_at))
template <>
inline constexpr std::string_view table_of<BudgetPolicy> = "budget_policies";

enum class BudgetThreshold { soft, hard };
BOOST_DESCRIBE_ENUM(BudgetThreshold, soft, hard)

enum class BudgetIncidentStatus { open, resolved, dismissed };
BOOST_DESCRIBE_ENUM(BudgetIncidentStatus, open, resolved, dismissed)

/// A budget line that was crossed in a window; once per line and window unless dismissed.
struct BudgetIncident {
  BudgetIncidentId id;
  CompanyId company_id;
  BudgetPolicyId policy_id;
  BudgetScope scope_type{};
  AnyId scope_id;
  BudgetMetric metric{};
  BudgetWindow window_kind{};
  Timestamp window_start;
  Timestamp window_end;
  BudgetThreshold threshold_type{};
  int amount_limit = 0;
  int amount_observed = 0;
  BudgetIncidentStatus status = BudgetIncidentStatus::open;
  std::optional<ApprovalId> approval_id;
  std::optional<Timestamp> resolved_at;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(BudgetIncident, (),
                      (id, company_id, policy_id, scope_type, scope_id, metric, window_kind, window_start, window_end,
                       threshold_type, amount_limit, amount_observed, status, approval_id, resolved_at, created_at,
                       updated_at))
template <>
inline constexpr std::string_view table_of<BudgetIncident> = "budget_incidents";

}  // namespace paperclip::domain
