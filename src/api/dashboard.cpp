#include <map>

#include "api/all_routes.h"
#include "api/services.h"
#include "domain/companies/companies.h"
#include "domain/costs/costs.h"
#include "store/database.h"

namespace paperclip::api {

namespace {

struct StatusCount {
  std::string status;
  std::int64_t count = 0;
};
BOOST_DESCRIBE_STRUCT(StatusCount, (), (status, count))

struct DayCount {
  std::string day, status;
  std::int64_t count = 0;
};
BOOST_DESCRIBE_STRUCT(DayCount, (), (day, status, count))

constexpr std::int64_t day_ms = 86'400'000;
constexpr int days_shown = 14;

/// spec/work-domain.md 6
Result<Answer> dashboard(Call& call) {
  return call.services.database.read([&](store::Reader& reader) -> Result<Answer> {
    const auto company = domain::company_view(reader, call.company_id());
    if (!company) return not_found("Company not found");
    std::map<std::string, std::int64_t> agents, tasks;
    for (const auto& row : reader.all<StatusCount>("select status, count(*) as count from agents where company_id = :1 group by status", call.company_id()))
      agents[row.status] = row.count;
    std::int64_t open = 0;
    for (const auto& row : reader.all<StatusCount>("select status, count(*) as count from issues where company_id = :1 group by status", call.company_id())) {
      tasks[row.status] = row.count;
      if (row.status != "done" && row.status != "cancelled") open += row.count;
    }
    const auto count = [&](std::string_view sql) { return reader.value<std::int64_t>(sql, call.company_id()).value_or(0); };
    const auto pending = count("select count(*) from approvals where company_id = :1 and status = 'pending'");

    const std::int64_t today = reader.now().ms / day_ms * day_ms;
    const Timestamp first{today - (days_shown - 1) * day_ms};
    std::map<std::string, std::map<std::string, std::int64_t>> runs;
    const std::string by_day = "select " + reader.dialect().day("created_at") + " as day, status, count(*) as count from heartbeat_runs "
                               "where company_id = :1 and created_at >= :2 group by 1, 2";
    for (const auto& row : reader.all<DayCount>(by_day, call.company_id(), first)) runs[row.day][row.status] += row.count;

    std::string body;
    JsonObjectWriter writer(body);
    writer.field("companyId", call.company_id());
    JsonObjectWriter(writer.begin("agents"))
        .field("active", agents["active"] + agents["idle"])
        .field("running", agents["running"])
        .field("paused", agents["paused"])
        .field("error", agents["error"])
        .end();
    JsonObjectWriter(writer.begin("tasks"))
        .field("open", open)
        .field("inProgress", tasks["in_progress"])
        .field("blocked", tasks["blocked"])
        .field("done", tasks["done"])
        .end();
    JsonObjectWriter(writer.begin("costs"))
        .field("monthSpendCents", company->spent_monthly_cents)
        .field("monthBudgetCents", company->budget_monthly_cents)
        .field("monthUtilizationPercent", domain::percent_of(company->spent_monthly_cents, company->budget_monthly_cents))
        .end();
    writer.field("pendingApprovals", pending);
    JsonObjectWriter(writer.begin("budgets"))
        .field("activeIncidents", count("select count(*) from budget_incidents where company_id = :1 and status = 'open'"))
        .field("pendingApprovals", count("select count(*) from budget_incidents b join approvals a on a.id = b.approval_id "
                                         "where b.company_id = :1 and b.status = 'open' and a.status = 'pending'"))
        .field("pausedAgents", count("select count(*) from budget_policies p join agents a on a.id = p.scope_id "
                                     "where p.company_id = :1 and p.scope_type = 'agent' and a.status = 'paused'"))
        .field("pausedProjects", count("select count(*) from budget_policies p join projects j on j.id = p.scope_id "
                                       "where p.company_id = :1 and p.scope_type = 'project' and j.paused_at is not null"))
        .end();
    std::string& activity = writer.begin("runActivity");
    activity += '[';
    for (int i = 0; i < days_shown; ++i) {
      const std::string day = to_iso({first.ms + i * day_ms}).substr(0, 10);
      std::int64_t succeeded = 0, failed = 0, other = 0;
      for (const auto& [status, n] : runs[day])
        (status == "succeeded" ? succeeded : status == "failed" || status == "timed_out" ? failed : other) += n;
      if (i > 0) activity += ',';
      JsonObjectWriter(activity).field("date", day).field("succeeded", succeeded).field("failed", failed).field("other", other)
          .field("total", succeeded + failed + other).end();
    }
    activity += ']';
    writer.end();
    return ok_json(std::move(body));
  });
}

}  // namespace

void add_dashboard_routes(Routes& routes) { routes.get("/api/companies/{companyId}/dashboard", dashboard).company(); }

}  // namespace paperclip::api
