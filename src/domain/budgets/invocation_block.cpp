#include "domain/budgets/invocation_block.h"

#include <boost/describe/class.hpp>

namespace paperclip::domain {

namespace {

struct ScopeState {
  std::string status;
  std::optional<std::string> pause_reason;
};
BOOST_DESCRIBE_STRUCT(ScopeState, (), (status, pause_reason))

struct Policy {
  std::string scope_type, window_kind;
  std::int64_t amount = 0;
};
BOOST_DESCRIBE_STRUCT(Policy, (), (scope_type, window_kind, amount))

Timestamp month_start(Timestamp now) { return *parse_iso(to_iso(now).substr(0, 7) + "-01T00:00:00.000Z"); }

bool is_spent(store::Reader& reader, CompanyId company, AgentId agent, const std::optional<ProjectId>& project, const Policy& policy) {
  const Timestamp from = policy.window_kind == "lifetime" ? Timestamp{0} : month_start(reader.now());
  std::optional<std::int64_t> spent;
  if (policy.scope_type == "company")
    spent = reader.value<std::int64_t>(
        "select cast(sum(cost_cents) as bigint) from cost_events where company_id = :1 and occurred_at >= :2", company, from);
  else if (policy.scope_type == "agent")
    spent = reader.value<std::int64_t>(
        "select cast(sum(cost_cents) as bigint) from cost_events where company_id = :1 and agent_id = :2 and occurred_at >= :3",
        company, agent, from);
  else
    spent = reader.value<std::int64_t>(
        "select cast(sum(cost_cents) as bigint) from cost_events where company_id = :1 and project_id = :2 and occurred_at >= :3",
        company, *project, from);
  return spent.value_or(0) >= policy.amount;
}

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
  const auto policies = reader.all<Policy>(
      "select {} from budget_policies where company_id = :1 and is_active = true and hard_stop_enabled = true "
      "and metric = 'billed_cents' and amount > 0 and ((scope_type = 'company' and scope_id = :1) "
      "or (scope_type = 'agent' and scope_id = :2) or (scope_type = 'project' and scope_id = :3))",
      company, agent, project ? id_cast<AnyId>(*project) : no_project);
  const auto spent = [&](std::string_view scope) {
    for (const auto& policy : policies)
      if (policy.scope_type == scope && is_spent(reader, company, agent, project, policy)) return true;
    return false;
  };
  if (spent("company"))
    return InvocationBlock{"company", company.str(), "Company cannot start new work because its budget hard-stop is exceeded."};
  const auto agent_state = reader.one<ScopeState>("select {} from agents where id = :1 and company_id = :2", agent, company);
  if (agent_state && agent_state->status == "paused" && agent_state->pause_reason == "budget")
    return InvocationBlock{"agent", agent.str(), "Agent is paused because its budget hard-stop was reached."};
  if (spent("agent"))
    return InvocationBlock{"agent", agent.str(), "Agent cannot start because its budget hard-stop is still exceeded."};
  if (!project) return std::nullopt;
  if (spent("project"))
    return InvocationBlock{"project", project->str(), "Project cannot start work because its budget hard-stop is still exceeded."};
  if (reader.exists("select 1 from projects where id = :1 and company_id = :2 and paused_at is not null and pause_reason = 'budget'",
                    *project, company))
    return InvocationBlock{"project", project->str(), "Project is paused because its budget hard-stop was reached."};
  return std::nullopt;
}

}  // namespace paperclip::domain
