#include "domain/budgets/observed.h"

#include <algorithm>
#include <chrono>

#include "domain/companies/companies.h"
#include "domain/runs/heartbeat_run.h"

namespace paperclip::domain {

namespace {

using namespace std::chrono_literals;

/// A finished run that began earlier than this before a window does not count in it.
constexpr std::chrono::hours longest_run_counted{48};

std::int64_t cost_sum(store::Reader& reader, const BudgetPolicy& policy, std::string_view what) {
  const BudgetPeriod period = budget_period(policy.window_kind, reader.now());
  std::string sql = "select cast(coalesce(sum(" + std::string(what) + "), 0) as bigint) from cost_events where company_id = :1 and occurred_at >= :2 and occurred_at < :3";
  if (policy.scope_type == BudgetScope::company) return reader.value<std::int64_t>(sql, policy.company_id, period.start, period.end).value_or(0);
  sql += policy.scope_type == BudgetScope::agent ? " and agent_id = :4" : " and project_id = :4";
  return reader.value<std::int64_t>(sql, policy.company_id, period.start, period.end, policy.scope_id).value_or(0);
}

// Of the company's runs, or one agent's; the scope's id is the last parameter.
std::string of_scope(const BudgetPolicy& policy, std::string_view parameter) {
  return (policy.scope_type == BudgetScope::agent ? " and agent_id = " : " and company_id = ") + std::string(parameter);
}

std::int64_t runs_started(store::Reader& reader, const BudgetPolicy& policy) {
  const BudgetPeriod period = budget_period(policy.window_kind, reader.now());
  return reader.value<std::int64_t>("select count(*) from heartbeat_runs where started_at >= :1 and started_at < :2" + of_scope(policy, ":3"),
                                    period.start, period.end, policy.scope_id).value_or(0);
}

std::int64_t seconds_run(store::Reader& reader, const BudgetPolicy& policy) {
  const Timestamp start = budget_period(policy.window_kind, reader.now()).start;
  std::int64_t total = 0;
  using Span = std::pair<std::optional<Timestamp>, std::optional<Timestamp>>;
  const auto count = [&](const Span& span) {
    if (span.first) total += std::max<std::int64_t>(0, (span.second.value_or(reader.now()) - std::max(*span.first, start)).count());
  };
  const Timestamp from = start.ms == 0 ? start : start - longest_run_counted;
  reader.each<Span>("select started_at, finished_at from heartbeat_runs where started_at >= :1 and finished_at > :2 and status <> 'running'" + of_scope(policy, ":3"),
                    count, from, start, policy.scope_id);
  reader.each<Span>("select started_at, finished_at from heartbeat_runs where status = 'running'" + of_scope(policy, ":1"), count, policy.scope_id);
  return total / 1000;
}

// What people would call going round in circles; a run that says what blocks it is progress.
bool is_fruitless(RunLivenessState state) {
  return state == RunLivenessState::failed || state == RunLivenessState::empty_response || state == RunLivenessState::plan_only || state == RunLivenessState::needs_followup;
}

std::int64_t fruitless_in_a_row(store::Reader& reader, const BudgetPolicy& policy) {
  std::int64_t streak = 0;
  using Ended = std::pair<RunLivenessState, std::optional<Timestamp>>;
  reader.each<Ended>("select liveness_state, finished_at from heartbeat_runs where created_at >= :1 and status in ('succeeded', 'failed', 'timed_out') "
                     "and liveness_state is not null and finished_at > :2" + of_scope(policy, ":3") + " order by created_at desc, id desc",
                     [&](const Ended& run) {
                       if (!is_fruitless(run.first)) return false;
                       return ++streak <= policy.amount;
                     },
                     policy.updated_at - longest_run_counted, policy.updated_at, policy.scope_id);
  return streak;
}

std::chrono::milliseconds length_of(BudgetWindow kind) { return kind == BudgetWindow::utc_hour ? std::chrono::milliseconds(1h) : std::chrono::milliseconds(24h); }

}  // namespace

BudgetPeriod budget_period(BudgetWindow kind, Timestamp now) {
  switch (kind) {
    case BudgetWindow::lifetime: return {*parse_iso("1970-01-01T00:00:00.000Z"), *parse_iso("9999-01-01T00:00:00.000Z")};
    case BudgetWindow::calendar_month_utc: {
      const Timestamp start = month_start(now);
      return {start, month_start(start + std::chrono::hours(24 * 32))};
    }
    case BudgetWindow::utc_day:
    case BudgetWindow::utc_hour: break;
  }
  const auto length = length_of(kind);
  const Timestamp start{now.ms - now.ms % length.count()};
  return {start, start + length};
}

std::int64_t observed_amount(store::Reader& reader, const BudgetPolicy& policy) {
  switch (policy.metric) {
    case BudgetMetric::billed_cents: return cost_sum(reader, policy, "cost_cents");
    case BudgetMetric::tokens: return cost_sum(reader, policy, "input_tokens + output_tokens");
    case BudgetMetric::runs: return runs_started(reader, policy);
    case BudgetMetric::wall_seconds: return seconds_run(reader, policy);
    case BudgetMetric::fruitless_runs: return fruitless_in_a_row(reader, policy);
  }
  return 0;
}

std::string describe_limit(const BudgetPolicy& policy) {
  std::string out = std::to_string(policy.amount);
  switch (policy.metric) {
    case BudgetMetric::billed_cents: out += " cents"; break;
    case BudgetMetric::tokens: out += " tokens"; break;
    case BudgetMetric::runs: out += " runs"; break;
    case BudgetMetric::wall_seconds: out += " seconds of runs"; break;
    case BudgetMetric::fruitless_runs: return out + " runs in a row without progress";
  }
  switch (policy.window_kind) {
    case BudgetWindow::utc_hour: return out + " per hour";
    case BudgetWindow::utc_day: return out + " per UTC day";
    case BudgetWindow::calendar_month_utc: return out + " per month";
    case BudgetWindow::lifetime: return out + " in all";
  }
  return out;
}

}  // namespace paperclip::domain
