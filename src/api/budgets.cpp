#include "api/agent_kind.h"
#include "api/all_routes.h"
#include "api/run_kind.h"
#include "api/services.h"
#include "domain/activity/activity.h"
#include "domain/agents/agents.h"
#include "domain/budgets/policies.h"
#include "domain/companies/companies.h"
#include "store/database.h"

namespace paperclip::api {

namespace {

struct MonthlyBudgetBody {
  Int<0, 2147483647> budget_monthly_cents;
};
BOOST_DESCRIBE_STRUCT(MonthlyBudgetBody, (), (budget_monthly_cents))

Result<Answer> overview(Call& call) {
  return ok_json(call.services.database.read([&](store::Reader& reader) {
    const auto policies = domain::policies_of_company(reader, call.company_id());
    const auto incidents = reader.all<domain::BudgetIncident>(
        "select {} from budget_incidents where company_id = :1 and status = 'open' order by created_at desc, id desc limit 1000", call.company_id());
    std::int64_t agents = 0, projects = 0, approvals = 0;
    for (const auto& policy : policies) {
      if (policy.paused && policy.scope_type == domain::BudgetScope::agent) ++agents;
      if (policy.paused && policy.scope_type == domain::BudgetScope::project) ++projects;
    }
    std::string body;
    JsonObjectWriter writer(body);
    writer.field("companyId", call.company_id()).field("policies", policies);
    std::string& list = writer.begin("activeIncidents");
    list += '[';
    for (const auto& incident : incidents) {
      if (list.back() != '[') list += ',';
      domain::append_incident_json(list, reader, incident);
      if (incident.approval_id && reader.exists("select 1 from approvals where id = :1 and status = 'pending'", *incident.approval_id)) ++approvals;
    }
    list += ']';
    writer.field("pausedAgentCount", agents).field("pausedProjectCount", projects).field("pendingApprovalCount", approvals).end();
    return body;
  }));
}

Result<Answer> upsert_policy(Call& call, const domain::PolicyInput& body) {
  return ok(TRY(call.services.database.write([&](store::Transaction& tx) { return domain::upsert_policy(tx, call.scope(), body); })));
}

// Limits beside money (OURS; docs/decisions/0013).
Result<Answer> list_limits(Call& call) {
  return ok_json(call.services.database.read([&](store::Reader& reader) {
    std::string body;
    JsonObjectWriter(body).field("companyId", call.company_id()).field("limits", domain::limits_of_company(reader, call.company_id())).end();
    return body;
  }));
}

Result<Answer> upsert_limit(Call& call, const domain::LimitInput& body) {
  auto summary = TRY(call.services.database.write([&](store::Transaction& tx) { return domain::upsert_limit(tx, call.scope(), body); }));
  settle_cancelled(call.services);
  return ok(std::move(summary));
}

Result<Answer> resolve_incident(Call& call, const domain::IncidentDecision& body) {
  TRY(call.services.database.write(
      [&](store::Transaction& tx) { return domain::resolve_incident(tx, call.scope(), call.param("incidentId"), body); }));
  return ok_json(call.services.database.read([&](store::Reader& reader) {
    std::string out;
    const auto incident = reader.one<domain::BudgetIncident>("select {} from budget_incidents where id = :1", *BudgetIncidentId::parse(call.param("incidentId")));
    domain::append_incident_json(out, reader, *incident);
    return out;
  }));
}

domain::PolicyInput monthly(domain::BudgetScope type, std::string_view id, const MonthlyBudgetBody& body) {
  domain::PolicyInput input;
  input.scope_type = type;
  input.scope_id = *AnyId::parse(id);
  input.amount = body.budget_monthly_cents;
  return input;
}

Result<Answer> company_budget(Call& call, const MonthlyBudgetBody& body) {
  return call.services.database.write([&](store::Transaction& tx) -> Result<Answer> {
    TRY(domain::upsert_policy(tx, call.scope(), monthly(domain::BudgetScope::company, call.company_id().view(), body)));
    domain::log_activity(tx, call.company_id(), call.scope().author(),
                         {"company.budget_updated", "company", call.company_id().str(), json::value{{"budgetMonthlyCents", body.budget_monthly_cents.value}}});
    return ok(*domain::company_view(tx, call.company_id()));
  });
}

Result<Answer> agent_budget(Call& call, const MonthlyBudgetBody& body) {
  const auto id = call.entity<AgentId>();
  return call.services.database.write([&](store::Transaction& tx) -> Result<Answer> {
    TRY(domain::upsert_policy(tx, call.scope(), monthly(domain::BudgetScope::agent, id.view(), body)));
    domain::log_activity(tx, call.company_id(), call.scope().author(),
                         {"agent.budget_updated", "agent", id.str(), json::value{{"budgetMonthlyCents", body.budget_monthly_cents.value}}});
    std::string out;
    domain::append_agent_json(out, *domain::agent_view(tx, id));
    return ok_json(std::move(out));
  });
}

}  // namespace

void add_budget_routes(Routes& routes) {
  routes.get("/api/companies/{companyId}/budgets/overview", overview).company();
  routes.post("/api/companies/{companyId}/budgets/policies", upsert_policy).company().callers(board);
  routes.get("/api/companies/{companyId}/limits", list_limits).company();
  routes.put("/api/companies/{companyId}/limits", upsert_limit).company().callers(board);
  routes.post("/api/companies/{companyId}/budget-incidents/{incidentId}/resolve", resolve_incident).company().callers(board);
  routes.patch("/api/companies/{companyId}/budgets", company_budget).company().callers(board);
  routes.patch("/api/agents/{id}/budgets", agent_budget).entity(agent_kind).callers(board);
}

}  // namespace paperclip::api
