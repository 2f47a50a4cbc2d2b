#include "domain/budgets/enforcement.h"
#include "domain/budgets/policies.h"
#include "domain/costs/costs.h"
#include "world.h"

/// Money and limits: people set them, agents use them up, the board decides.
namespace paperclip::simulator {

namespace {

int amount_of(Dice& dice, domain::LimitMetric metric) {
  switch (metric) {
    case domain::LimitMetric::tokens: return dice.between(50, 600);
    case domain::LimitMetric::runs: return dice.between(1, 8);
    case domain::LimitMetric::wall_seconds: return dice.between(10, 900);
    case domain::LimitMetric::fruitless_runs: return dice.between(1, 5);
  }
  return 1;
}

}  // namespace

void World::limit_something() {
  const bool of_company = dice_.chance(0.3);
  const AnyId scope = of_company ? id_cast<AnyId>(company_) : id_cast<AnyId>(dice_.one_of(agents_));
  const auto attempt = [&](auto rule) {
    const auto done = database_.write([&](store::Transaction& tx) -> Result<> {
      const auto made = rule(tx);
      return made.ok() ? Result<>() : Result<>(made.error());
    });
    deed_ += done.ok() ? " ok" : " refused: " + done.error().message;
  };
  if (dice_.chance(0.3)) {
    domain::PolicyInput input;
    input.scope_type = of_company ? domain::BudgetScope::company : domain::BudgetScope::agent;
    input.scope_id = scope;
    input.window_kind = dice_.chance(0.5) ? domain::MoneyWindow::calendar_month_utc : domain::MoneyWindow::lifetime;
    input.amount = dice_.chance(0.1) ? 0 : dice_.between(50, 400);
    input.hard_stop_enabled = dice_.chance(0.9);
    deed_ = "budget of " + std::to_string(input.amount) + " cents";
    return attempt([&](store::Transaction& tx) { return domain::upsert_policy(tx, board(), input); });
  }
  constexpr domain::LimitMetric metrics[] = {domain::LimitMetric::tokens, domain::LimitMetric::runs, domain::LimitMetric::wall_seconds, domain::LimitMetric::fruitless_runs};
  constexpr domain::BudgetWindow windows[] = {domain::BudgetWindow::utc_hour, domain::BudgetWindow::utc_day, domain::BudgetWindow::lifetime};
  domain::LimitInput input;
  input.scope_type = of_company ? domain::LimitScope::company : domain::LimitScope::agent;
  input.scope_id = scope;
  input.metric = metrics[dice_.below(4)];
  input.window_kind = windows[dice_.below(3)];
  input.amount = dice_.chance(0.1) ? 0 : amount_of(dice_, input.metric);
  input.hard_stop_enabled = dice_.chance(0.9);
  deed_ = "limit of " + std::to_string(input.amount) + " " + std::string(to_text(input.metric));
  attempt([&](store::Transaction& tx) { return domain::upsert_limit(tx, board(), input); });
}

void World::decide_incident() {
  deed_ = "decide an incident";
  const bool raise = dice_.chance(0.7);
  const int more = dice_.between(1, 300);
  auto open = database_.read([](store::Reader& reader) {
    return reader.all<domain::BudgetIncident>("select {} from budget_incidents where status = 'open' and threshold_type = 'hard' order by id");
  });
  if (open.empty()) return;
  const auto incident = dice_.one_of(open);
  domain::IncidentDecision decision;
  decision.action = raise ? domain::IncidentAction::raise_budget_and_resume : domain::IncidentAction::keep_paused;
  if (raise) decision.amount = incident.amount_limit + more;
  const auto decided = database_.write([&](store::Transaction& tx) { return domain::resolve_incident(tx, board(), incident.id.view(), decision); });
  deed_ += decided.ok() ? " ok" : " refused: " + decided.error().message;
}

void World::report_cost(const Process& process, const std::optional<IssueId>& issue) {
  domain::CostEvent event;
  event.company_id = company_;
  event.agent_id = *process.agent;
  event.issue_id = issue;
  event.heartbeat_run_id = process.run;
  event.provider = "simulated";
  event.model = "dice";
  event.input_tokens = dice_.between(0, 100);
  event.output_tokens = dice_.between(0, 60);
  event.cost_cents = dice_.between(0, 60);
  deed_ = "run " + process.run.str() + " costs " + std::to_string(event.cost_cents);
  (void)database_.write([&](store::Transaction& tx) -> Result<> {
    auto told = event;
    told.occurred_at = tx.now();
    domain::evaluate_budgets(tx, domain::record_cost(tx, std::move(told)));
    return {};
  });
}

// The end of the story is about work, not about money.
void World::lift_limits(store::Transaction& tx) {
  limited_ = false;
  for (const auto& policy : tx.all<domain::BudgetPolicy>("select {} from budget_policies order by id")) domain::resume_scope(tx, policy);
  tx.execute("delete from budget_incidents");
  tx.execute("delete from budget_policies");
}

}  // namespace paperclip::simulator
