#include "api/all_routes.h"
#include "api/run_kind.h"
#include "api/services.h"
#include "domain/activity/activity.h"
#include "domain/budgets/enforcement.h"
#include "domain/companies/companies.h"
#include "domain/costs/costs.h"
#include "store/database.h"

namespace paperclip::api {

namespace {

struct ReportCostBody {
  AgentId agent_id;
  std::optional<IssueId> issue_id;
  std::optional<ProjectId> project_id;
  std::optional<GoalId> goal_id;
  std::optional<RunId> heartbeat_run_id;
  std::optional<std::string> billing_code;
  Text<1> provider;
  Omit<Text<1>> biller;
  Default<domain::BillingType> billing_type{domain::BillingType::unknown};
  Text<1> model;
  Default<Int<0, 2147483647>> input_tokens, cached_input_tokens, output_tokens;
  Int<0, 2147483647> cost_cents;
  Timestamp occurred_at;
};
BOOST_DESCRIBE_STRUCT(ReportCostBody, (), (agent_id, issue_id, project_id, goal_id, heartbeat_run_id, billing_code, provider, biller, billing_type,
                                           model, input_tokens, cached_input_tokens, output_tokens, cost_cents, occurred_at))

// A reference that is not in the company would be a foreign row's id in ours.
Result<> check_references(store::Reader& reader, CompanyId company, const ReportCostBody& body) {
  const auto home = reader.value<CompanyId>("select company_id from agents where id = :1", body.agent_id);
  if (!home) return not_found("Agent not found");
  if (*home != company) return unprocessable("Agent does not belong to company");
  if (body.issue_id && !reader.exists("select 1 from issues where id = :1 and company_id = :2", *body.issue_id, company)) return not_found("Issue not found");
  if (body.project_id && !reader.exists("select 1 from projects where id = :1 and company_id = :2", *body.project_id, company)) return not_found("Project not found");
  if (body.goal_id && !reader.exists("select 1 from goals where id = :1 and company_id = :2", *body.goal_id, company)) return not_found("Goal not found");
  if (body.heartbeat_run_id && !reader.exists("select 1 from heartbeat_runs where id = :1 and company_id = :2", *body.heartbeat_run_id, company))
    return not_found("Heartbeat run not found");
  return {};
}

Result<Answer> report_cost(Call& call, const ReportCostBody& body) {
  if (call.actor.is_agent() && call.actor.agent_id != body.agent_id) return forbidden("Agent can only report its own costs");
  auto reported = TRY(call.services.database.write([&](store::Transaction& tx) -> Result<domain::CostEvent> {
    TRY(check_references(tx, call.company_id(), body));
    domain::CostEvent event;
    event.company_id = call.company_id();
    event.agent_id = body.agent_id;
    event.issue_id = body.issue_id;
    event.project_id = body.project_id;
    event.goal_id = body.goal_id;
    event.heartbeat_run_id = body.heartbeat_run_id;
    event.billing_code = body.billing_code;
    event.provider = body.provider;
    event.biller = body.biller ? std::string(*body.biller) : std::string(body.provider);
    event.billing_type = *body.billing_type;
    event.model = body.model;
    event.input_tokens = static_cast<int>(body.input_tokens->value);
    event.cached_input_tokens = static_cast<int>(body.cached_input_tokens->value);
    event.output_tokens = static_cast<int>(body.output_tokens->value);
    event.cost_cents = static_cast<int>(body.cost_cents);
    event.occurred_at = body.occurred_at;
    event = domain::record_cost(tx, std::move(event));
    domain::evaluate_budgets(tx, event);
    domain::log_activity(tx, call.company_id(), call.scope().author(),
                         {"cost.reported", "cost_event", event.id.str(), json::value{{"costCents", event.cost_cents}, {"model", event.model}}});
    return event;
  }));
  settle_cancelled(call.services);
  return created(reported);
}

struct Range {
  Timestamp from{0};
  Timestamp to{253402300799999};  // the end of the year 9999
};

// A date alone is its first moment, as JavaScript's Date reads it.
Result<Range> range(const Query& query) {
  Range out;
  for (const auto& [name, target] : {std::pair("from", &out.from), std::pair("to", &out.to)}) {
    auto text = query.text(name);
    if (!text) continue;
    if (text->size() == 10) *text += "T00:00:00.000Z";
    const auto time = parse_iso(*text);
    if (!time) return bad_request(std::string("invalid '") + name + "' date");
    *target = *time;
  }
  return out;
}

Result<Answer> summary(Call& call) {
  const Range period = TRY(range(call.query));
  return call.services.database.read([&](store::Reader& reader) -> Result<Answer> {
    const auto budget = reader.value<std::int64_t>("select budget_monthly_cents from companies where id = :1", call.company_id());
    if (!budget) return not_found("Company not found");
    const auto spent = reader.value<std::int64_t>(
        "select coalesce(sum(cost_cents), 0) from cost_events where company_id = :1 and occurred_at >= :2 and occurred_at <= :3",
        call.company_id(), period.from, period.to).value_or(0);
    std::string body;
    JsonObjectWriter(body)
        .field("companyId", call.company_id())
        .field("spendCents", spent)
        .field("budgetCents", *budget)
        .field("utilizationPercent", domain::percent_of(spent, *budget))
        .end();
    return ok_json(std::move(body));
  });
}

// What every table of costs sums up.
struct Sums {
  std::int64_t cost_cents = 0, input_tokens = 0, cached_input_tokens = 0, output_tokens = 0;
};
BOOST_DESCRIBE_STRUCT(Sums, (), (cost_cents, input_tokens, cached_input_tokens, output_tokens))
#define PAPERCLIP_SUMS                                                                                              \
  "sum(e.cost_cents) as cost_cents, sum(e.input_tokens) as input_tokens, sum(e.cached_input_tokens) as cached_input_tokens, " \
  "sum(e.output_tokens) as output_tokens "

struct RunCounts {
  std::int64_t api_run_count = 0, subscription_run_count = 0, subscription_cached_input_tokens = 0, subscription_input_tokens = 0,
               subscription_output_tokens = 0;
};
BOOST_DESCRIBE_STRUCT(RunCounts, (), (api_run_count, subscription_run_count, subscription_cached_input_tokens, subscription_input_tokens, subscription_output_tokens))
#define PAPERCLIP_SUBSCRIPTION "e.billing_type in ('subscription_included', 'subscription_overage')"
#define PAPERCLIP_RUN_COUNTS                                                                                                       \
  ", count(distinct case when e.billing_type = 'metered_api' then e.heartbeat_run_id end) as api_run_count, "                      \
  "count(distinct case when " PAPERCLIP_SUBSCRIPTION " then e.heartbeat_run_id end) as subscription_run_count, "                   \
  "sum(case when " PAPERCLIP_SUBSCRIPTION " then e.cached_input_tokens else 0 end) as subscription_cached_input_tokens, "          \
  "sum(case when " PAPERCLIP_SUBSCRIPTION " then e.input_tokens else 0 end) as subscription_input_tokens, "                        \
  "sum(case when " PAPERCLIP_SUBSCRIPTION " then e.output_tokens else 0 end) as subscription_output_tokens "
#define PAPERCLIP_PERIOD "where e.company_id = :1 and e.occurred_at >= :2 and e.occurred_at <= :3 "

struct ByAgent : Sums, RunCounts {
  AgentId agent_id;
  std::string agent_name, agent_status;
};
BOOST_DESCRIBE_STRUCT(ByAgent, (Sums, RunCounts), (agent_id, agent_name, agent_status))

struct ByAgentModel : Sums {
  AgentId agent_id;
  std::string agent_name, provider, biller, billing_type, model;
};
BOOST_DESCRIBE_STRUCT(ByAgentModel, (Sums), (agent_id, agent_name, provider, biller, billing_type, model))

struct ByProvider : Sums, RunCounts {
  std::string provider, biller, billing_type, model;
};
BOOST_DESCRIBE_STRUCT(ByProvider, (Sums, RunCounts), (provider, biller, billing_type, model))

struct ByBiller : Sums, RunCounts {
  std::string biller;
  std::int64_t provider_count = 0, model_count = 0;
};
BOOST_DESCRIBE_STRUCT(ByBiller, (Sums, RunCounts), (biller, provider_count, model_count))

struct ByProject : Sums {
  ProjectId project_id;
  std::string project_name;
};
BOOST_DESCRIBE_STRUCT(ByProject, (Sums), (project_id, project_name))

template <class Row>
Result<Answer> table(Call& call, std::string_view sql) {
  const Range period = TRY(range(call.query));
  return ok(call.services.database.read([&](store::Reader& reader) { return reader.all<Row>(sql, call.company_id(), period.from, period.to); }));
}

Result<Answer> by_agent(Call& call) {
  return table<ByAgent>(call, "select " PAPERCLIP_SUMS PAPERCLIP_RUN_COUNTS ", e.agent_id, a.name as agent_name, a.status as agent_status "
                              "from cost_events e join agents a on a.id = e.agent_id " PAPERCLIP_PERIOD
                              "group by e.agent_id, a.name, a.status order by cost_cents desc, e.agent_id");
}

Result<Answer> by_agent_model(Call& call) {
  return table<ByAgentModel>(call, "select " PAPERCLIP_SUMS ", e.agent_id, a.name as agent_name, e.provider, e.biller, e.billing_type, e.model "
                                   "from cost_events e join agents a on a.id = e.agent_id " PAPERCLIP_PERIOD
                                   "group by e.agent_id, a.name, e.provider, e.biller, e.billing_type, e.model "
                                   "order by e.provider, e.biller, e.billing_type, e.model, e.agent_id");
}

Result<Answer> by_provider(Call& call) {
  return table<ByProvider>(call, "select " PAPERCLIP_SUMS PAPERCLIP_RUN_COUNTS ", e.provider, e.biller, e.billing_type, e.model from cost_events e " PAPERCLIP_PERIOD
                                 "group by e.provider, e.biller, e.billing_type, e.model order by cost_cents desc, e.provider, e.model");
}

Result<Answer> by_biller(Call& call) {
  return table<ByBiller>(call, "select " PAPERCLIP_SUMS PAPERCLIP_RUN_COUNTS ", e.biller, count(distinct e.provider) as provider_count, "
                               "count(distinct e.model) as model_count from cost_events e " PAPERCLIP_PERIOD
                               "group by e.biller order by cost_cents desc, e.biller");
}

// An event without a project counts for the projects of the issues its run touched; one with a project counts once.
Result<Answer> by_project(Call& call) {
  return table<ByProject>(call,
      "select " PAPERCLIP_SUMS ", p.id as project_id, p.name as project_name from ("
      "select e.company_id, e.project_id, e.occurred_at, e.cost_cents, e.input_tokens, e.cached_input_tokens, e.output_tokens from cost_events e "
      "where e.project_id is not null union all "
      "select e.company_id, t.project_id, e.occurred_at, e.cost_cents, e.input_tokens, e.cached_input_tokens, e.output_tokens from cost_events e join ("
      "select distinct l.run_id, i.project_id from activity_log l join issues i on cast(i.id as text) = l.entity_id and l.entity_type = 'issue' "
      "where l.company_id = :1 and l.run_id is not null and i.project_id is not null) t on t.run_id = e.heartbeat_run_id where e.project_id is null"
      ") e join projects p on p.id = e.project_id " PAPERCLIP_PERIOD "group by p.id, p.name order by cost_cents desc, p.id");
}

struct WindowSpend : Sums {
  std::string provider, biller;
};
BOOST_DESCRIBE_STRUCT(WindowSpend, (Sums), (provider, biller))

Result<Answer> window_spend(Call& call) {
  std::string body = "[";
  call.services.database.read([&](store::Reader& reader) {
    for (const auto& [name, hours] : {std::pair("5h", 5), std::pair("24h", 24), std::pair("7d", 168)}) {
      const Timestamp since = reader.now() - std::chrono::hours(hours);
      reader.each<WindowSpend>(
          "select " PAPERCLIP_SUMS ", e.provider, case when count(distinct e.biller) > 1 then 'mixed' else min(e.biller) end as biller "
          "from cost_events e where e.company_id = :1 and e.occurred_at >= :2 group by e.provider order by cost_cents desc, e.provider",
          [&](const WindowSpend& row) {
            if (body.size() > 1) body += ',';
            JsonObjectWriter(body).members(row).field("window", name).field("windowHours", hours).end();
          },
          call.company_id(), since);
    }
    return 0;
  });
  return ok_json(body + "]");
}

}  // namespace

void add_cost_routes(Routes& routes) {
  routes.post("/api/companies/{companyId}/cost-events", report_cost).company();
  routes.get("/api/companies/{companyId}/costs/summary", summary).company();
  routes.get("/api/companies/{companyId}/costs/by-agent", by_agent).company();
  routes.get("/api/companies/{companyId}/costs/by-agent-model", by_agent_model).company();
  routes.get("/api/companies/{companyId}/costs/by-provider", by_provider).company();
  routes.get("/api/companies/{companyId}/costs/by-biller", by_biller).company();
  routes.get("/api/companies/{companyId}/costs/by-project", by_project).company();
  routes.get("/api/companies/{companyId}/costs/window-spend", window_spend).company();
}

}  // namespace paperclip::api
