#include "auditor.h"
#include "domain/budgets/budget.h"
#include "domain/budgets/observed.h"

/// No run past a hard stop; limits hold.
namespace paperclip::simulator {

namespace {

struct Started {
  RunId id;
  AgentId agent_id;
  std::optional<Timestamp> started_at;
};
BOOST_DESCRIBE_STRUCT(Started, (), (id, agent_id, started_at))

bool counts(const domain::BudgetPolicy& policy, AgentId agent) {
  return policy.scope_type == domain::BudgetScope::company || (policy.scope_type == domain::BudgetScope::agent && policy.scope_id == id_cast<AnyId>(agent));
}

std::string describe(const domain::BudgetPolicy& policy, std::int64_t observed) {
  return std::to_string(observed) + " of a " + std::string(to_text(policy.scope_type)) + "'s " + domain::describe_limit(policy);
}

}  // namespace

std::optional<std::string> Auditor::past_a_hard_stop(store::Reader& reader) {
  const auto running = reader.all<Started>("select {} from heartbeat_runs where status = 'running' order by id");
  std::vector<Started> fresh;
  std::set<RunId> now_under_way;
  for (const auto& run : running) {
    now_under_way.insert(run.id);
    // A commit that took its time is judged by the time at which its rule decided; there its windows may have been others.
    if (!under_way_.contains(run.id) && run.started_at == reader.now()) fresh.push_back(run);
  }
  under_way_ = std::move(now_under_way);
  const auto events = reader.value<std::int64_t>("select count(*) from cost_events").value_or(0);
  const bool paid = events > cost_events_ && reader.exists("select 1 from cost_events where created_at = :1", reader.now());
  cost_events_ = events;
  if (running.empty() || (fresh.empty() && !paid)) return std::nullopt;

  for (const auto& policy : reader.all<domain::BudgetPolicy>("select {} from budget_policies where is_active = true and hard_stop_enabled = true and amount > 0 order by id")) {
    const bool by_cost = policy.metric == domain::BudgetMetric::billed_cents || policy.metric == domain::BudgetMetric::tokens;
    const auto observed = domain::observed_amount(reader, policy);
    // The run that was just claimed is the last one that counts.
    const bool over = policy.metric == domain::BudgetMetric::runs ? observed > policy.amount : observed >= policy.amount;
    if (!over) continue;
    for (const auto& run : fresh)
      if (counts(policy, run.agent_id)) return "run " + run.id.str() + " starts past a hard stop: " + describe(policy, observed);
    if (!paid || !by_cost) continue;
    for (const auto& run : running)
      if (counts(policy, run.agent_id)) return "run " + run.id.str() + " goes on past a hard stop: " + describe(policy, observed);
  }
  return std::nullopt;
}

}  // namespace paperclip::simulator
