#include "api/all_routes.h"
#include "api/issue_kind.h"
#include "api/services.h"
#include "domain/activity/activity_log.h"
#include "domain/runs/run_views.h"
#include "store/database.h"

namespace paperclip::api {

namespace {

/// What the visible issues of a tree have cost.
struct TreeCosts {
  std::int64_t issue_count = 0, cost_cents = 0, input_tokens = 0, cached_input_tokens = 0, output_tokens = 0;
};
BOOST_DESCRIBE_STRUCT(TreeCosts, (), (issue_count, cost_cents, input_tokens, cached_input_tokens, output_tokens))

Result<Answer> list_activity(Call& call) {
  std::string body = "[";
  call.services.database.read([&](store::Reader& reader) {
    reader.each<domain::ActivityLog>(
        "select {} from activity_log where entity_type = 'issue' and entity_id = :1 and company_id = :2 order by "
        "created_at desc, ordinal desc, id desc",
        [&](const domain::ActivityLog& row) {
          if (body.size() > 1) body += ',';
          append_json(body, row);
        },
        call.entity_id, call.company_id());
    return 0;
  });
  return ok_json(body + "]");
}

Result<Answer> cost_summary(Call& call) {
  const auto costs = call.services.database.read([&](store::Reader& reader) {
    return reader.one<TreeCosts>(
        "with recursive tree(id) as (select id from issues where id = :1 and company_id = :2 "
        "union select c.id from issues c join tree t on c.parent_id = t.id where c.company_id = :2 and c.hidden_at is "
        "null) "
        "select (select count(*) from tree), coalesce(sum(e.cost_cents), 0), coalesce(sum(e.input_tokens), 0), "
        "coalesce(sum(e.cached_input_tokens), 0), coalesce(sum(e.output_tokens), 0) "
        "from cost_events e where e.company_id = :2 and e.issue_id in (select id from tree)",
        call.entity<IssueId>(), call.company_id());
  });
  std::string text;
  JsonObjectWriter(text)
      .field("issueId", call.entity_id)
      .field("includeDescendants", true)
      .members(costs.value_or(TreeCosts{}))
      .end();
  return ok_json(std::move(text));
}

using RunWriter = void (*)(std::string&, store::Reader&, CompanyId, IssueId);

template <RunWriter write>
Result<Answer> runs_of(Call& call) {
  return ok_json(call.services.database.read([&](store::Reader& reader) {
    std::string body;
    write(body, reader, call.company_id(), call.entity<IssueId>());
    return body;
  }));
}

}  // namespace

void add_issue_lookup_routes(Routes& routes) {
  routes.get("/api/issues/{id}/activity", list_activity).entity(issue_kind);
  routes.get("/api/issues/{id}/cost-summary", cost_summary).entity(issue_kind);
  routes.get("/api/issues/{id}/runs", runs_of<domain::append_issue_runs>).entity(issue_kind);
  routes.get("/api/issues/{id}/live-runs", runs_of<domain::append_issue_live_runs>).entity(issue_kind);
  routes.get("/api/issues/{id}/active-run", runs_of<domain::append_issue_active_run>).entity(issue_kind);
}

}  // namespace paperclip::api
