#include "domain/budgets/invocation_block.h"

#include <boost/describe/class.hpp>

#include "base/json.h"
#include "domain/budgets/observed.h"

namespace paperclip::domain {

namespace {

struct ScopeState {
  std::string status;
  std::optional<std::string> pause_reason;
};
BOOST_DESCRIBE_STRUCT(ScopeState, (), (status, pause_reason))

}  // namespace

Error InvocationBlock::error() const {
  return conflict(reason, json::object{{"scopeType", scope_type}, {"scopeId", scope_id}});
}

std::optional<InvocationBlock> find_invocation_block(store::Reader& reader, CompanyId company, AgentId agent,
                                                     std::optional<ProjectId> project) {
  const auto company_state = reader.one<ScopeState>("select {} from companies where id = :1", company);
  if (company_state && company_state->status == "paused")
    return InvocationBlock{"company", company.str(),
                           company_state->pause_reason == "budget"
                               ? "Company is paused because its budget hard-stop was reached."
                               : "Company is paused and cannot start new work."};
  // All windows of a scope count, not just one of them (OURS).
  const AnyId no_project;
  const auto policies = reader.all<BudgetPolicy>(
      "select {} from budget_policies where company_id = :1 and is_active = true and hard_stop_enabled = true "
      "and amount > 0 and ((scope_type = 'company' and scope_id = :1) "
      "or (scope_type = 'agent' and scope_id = :2) or (scope_type = 'project' and scope_id = :3))",
      company, agent, project ? id_cast<AnyId>(*project) : no_project);
  const auto spent = [&](BudgetScope scope) {
    for (const auto& policy : policies)
      if (policy.metric == BudgetMetric::billed_cents && policy.scope_type == scope && observed_amount(reader, policy) >= policy.amount) return true;
    return false;
  };
  const auto used_up = [&](BudgetScope scope, std::string_view who) -> std::optional<InvocationBlock> {
    for (const auto& policy : policies) {
      if (policy.metric == BudgetMetric::billed_cents || policy.scope_type != scope || observed_amount(reader, policy) < policy.amount) continue;
      return InvocationBlock{std::string(to_text(scope)), policy.scope_id.str(),
                             std::string(who) + " cannot start work because its budget of " + describe_limit(policy) + " is used up.", policy.id};
    }
    return std::nullopt;
  };
  if (spent(BudgetScope::company))
    return InvocationBlock{"company", company.str(), "Company cannot start new work because its budget hard-stop is exceeded."};
  if (auto block = used_up(BudgetScope::company, "Company")) return block;
  const auto agent_state = reader.one<ScopeState>("select {} from agents where id = :1 and company_id = :2", agent, company);
  if (agent_state && agent_state->status == "paused" && agent_state->pause_reason == "budget")
    return InvocationBlock{"agent", agent.str(), "Agent is paused because its budget hard-stop was reached."};
  if (spent(BudgetScope::agent))
    return InvocationBlock{"agent", agent.str(), "Agent cannot start because its budget hard-stop is still exceeded."};
  if (auto block = used_up(BudgetScope::agent, "Agent")) return block;
  if (!project) return std::nullopt;
  if (spent(BudgetScope::project))
    return InvocationBlock{"project", project->str(), "Project cannot start work because its budget hard-stop is still exceeded."};
  if (reader.exists("select 1 from projects where id = :1 and company_id = :2 and paused_at is not null and pause_reason = 'budget'",
                    *project, company))
    return InvocationBlock{"project", project->str(), "Project is paused because its budget hard-stop was reached."};
  return std::nullopt;
}

}  // namespace paperclip::domain
