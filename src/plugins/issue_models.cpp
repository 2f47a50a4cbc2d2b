#include <algorithm>
#include <set>

#include "base/write_json.h"
#include "domain/access/scope.h"
#include "domain/budgets/invocation_block.h"
#include "domain/issues/issue.h"
#include "domain/issues/lock.h"
#include "plugins/host.h"
#include "plugins/host_methods.h"
#include "store/database.h"

/// What plugins that orchestrate ask about issues: who holds one, and all there is below one (spec/plugins.md 9, 9.5).
namespace paperclip::plugins {

namespace {

constexpr int most_runs = 100;
constexpr std::size_t most_issues = 5000;

struct RunRow {
  RunId id;
  std::optional<IssueId> issue_id;
  AgentId agent_id;
  std::string status, invocation_source;
  std::optional<std::string> trigger_detail;
  std::optional<Timestamp> started_at, finished_at;
  std::optional<std::string> error;
  Timestamp created_at;
};
BOOST_DESCRIBE_STRUCT(RunRow, (), (id, issue_id, agent_id, status, invocation_source, trigger_detail, started_at, finished_at, error, created_at))

struct ApprovalRow {
  IssueId issue_id;
  ApprovalId id;
  std::string type, status;
  std::optional<AgentId> requested_by_agent_id;
  std::optional<std::string> requested_by_user_id, decided_by_user_id;
  std::optional<Timestamp> decided_at;
  Timestamp created_at;
};
BOOST_DESCRIBE_STRUCT(ApprovalRow, (), (issue_id, id, type, status, requested_by_agent_id, requested_by_user_id, decided_by_user_id, decided_at, created_at))

struct IncidentRow {
  BudgetIncidentId id;
  std::string scope_type;
  AnyId scope_id;
  std::string metric, window_kind, threshold_type;
  int amount_limit = 0, amount_observed = 0;
  std::string status;
  std::optional<ApprovalId> approval_id;
  Timestamp created_at;
};
BOOST_DESCRIBE_STRUCT(IncidentRow, (), (id, scope_type, scope_id, metric, window_kind, threshold_type, amount_limit, amount_observed, status, approval_id, created_at))

struct CostSums {
  std::int64_t cost_cents = 0, input_tokens = 0, cached_input_tokens = 0, output_tokens = 0;
};
BOOST_DESCRIBE_STRUCT(CostSums, (), (cost_cents, input_tokens, cached_input_tokens, output_tokens))

bool flag(const HostCall& call, std::string_view key, bool otherwise) {
  const auto* value = member(call.params, key);
  return value != nullptr && value->is_bool() ? value->get_bool() : otherwise;
}

Result<domain::Issue> root_issue(const HostCall& call, store::Reader& reader) {
  const auto company = TRY(call.company());
  const auto id = IssueId::parse(TRY(call.needed("issueId")));
  auto issue = id ? reader.one<domain::Issue>("select {} from issues where id = :1 and company_id = :2", *id, company) : std::nullopt;
  if (!issue) return not_found("Issue not found");
  return *std::move(issue);
}

// Breadth first, the root first.
std::vector<IssueId> subtree(store::Reader& reader, const domain::Issue& root) {
  std::vector<IssueId> ids{root.id};
  std::set<IssueId> seen{root.id};
  for (std::size_t at = 0; at < ids.size() && ids.size() < most_issues; ++at)
    for (const auto& child : reader.column<IssueId>("select id from issues where parent_id = :1 and company_id = :2 order by created_at, id", ids[at], root.company_id))
      if (seen.insert(child).second) ids.push_back(child);
  return ids;
}

std::vector<RunRow> runs_of(store::Reader& reader, const CompanyId& company, const std::vector<IssueId>& issues, bool only_active) {
  std::vector<RunRow> all;
  for (const auto& issue : issues)
    for (auto& run : reader.all<RunRow>("select id, context_issue_id as issue_id, agent_id, status, invocation_source, trigger_detail, started_at, finished_at, error, created_at "
                                        "from heartbeat_runs where company_id = :1 and context_issue_id = :2 and (:3 = 'all' or status in ('queued', 'running')) order by created_at desc, id desc limit :4",
                                        company, issue, std::string_view(only_active ? "active" : "all"), most_runs))
      all.push_back(std::move(run));
  std::sort(all.begin(), all.end(), [](const RunRow& a, const RunRow& b) { return std::pair(a.created_at, a.id) > std::pair(b.created_at, b.id); });
  if (all.size() > most_runs) all.resize(most_runs);
  return all;
}

json::object relations_of(const json::value& issue) {
  json::object out{{"blockedBy", json::array()}, {"blocks", json::array()}};
  for (const char* key : {"blockedBy", "blocks"})
    if (const auto* list = member(issue, key); list != nullptr && list->is_array()) out[key] = *list;
  return out;
}

Result<json::value> assert_checkout_owner(const HostCall& call) {
  const auto company = TRY(call.company());
  const auto agent = AgentId::parse(TRY(call.needed("actorAgentId")));
  const auto run = RunId::parse(TRY(call.needed("actorRunId")));
  if (!agent || !run) return bad_request("Issue run ownership conflict");
  domain::Actor actor;
  actor.kind = domain::ActorKind::agent;
  actor.source = domain::ActorSource::agent_jwt;
  actor.agent_id = agent;
  actor.company_id = company;
  actor.run_id = run;
  const auto scope = TRY(domain::authorise_company(actor, company, true));
  return call.host.options().database.write([&](store::Transaction& tx) -> Result<json::value> {
    auto issue = TRY(root_issue(call, tx));
    const auto before = issue.checkout_run_id;
    if (issue.assignee_agent_id != agent) return conflict("Issue run ownership conflict");
    // It adopts the lock of a run that is over, and puts that on record.
    if (auto allowed = domain::require_mutation(tx, scope, issue); !allowed || issue.checkout_run_id != run) return conflict("Issue run ownership conflict");
    const auto id = [](const auto& value) { return value ? json::value(value->view()) : json::value(nullptr); };
    return json::value{{"issueId", issue.id.view()}, {"status", to_text(issue.status)}, {"assigneeAgentId", id(issue.assignee_agent_id)}, {"checkoutRunId", id(issue.checkout_run_id)},
                       {"adoptedFromRunId", before != issue.checkout_run_id ? id(before) : json::value(nullptr)}};
  });
}

Result<json::value> get_subtree(const HostCall& call) {
  auto& database = call.host.options().database;
  const auto root = TRY(database.read([&](store::Reader& reader) { return root_issue(call, reader); }));
  auto ids = database.read([&](store::Reader& reader) { return subtree(reader, root); });
  if (!flag(call, "includeRoot", true)) ids.erase(ids.begin());
  json::array names, issues;
  json::object relations, documents, assignees, active;
  for (const auto& id : ids) {
    auto issue = TRY(call.api("GET", "/api/issues/" + id.str()));
    names.emplace_back(id.view());
    relations[id.view()] = relations_of(issue);
    if (flag(call, "includeDocuments", false)) {
      auto list = TRY(call.api("GET", "/api/issues/" + id.str() + "/documents"));
      if (list.is_array())
        for (auto& document : list.get_array())
          if (document.is_object()) document.get_object().erase("body");
      documents[id.view()] = std::move(list);
    }
    active[id.view()] = json::array();
    if (const auto agent = string_at(issue, "assigneeAgentId"); agent && flag(call, "includeAssignees", false) && !assignees.contains(*agent))
      if (const auto found = call.api("GET", "/api/agents/" + *agent)) {
        json::object shown;
        for (const char* key : {"id", "name", "role", "title", "status"})
          if (const auto* value = member(*found, key)) shown[key] = *value;
        assignees[*agent] = std::move(shown);
      }
    issues.push_back(std::move(issue));
  }
  json::object out{{"rootIssueId", root.id.view()}, {"companyId", root.company_id.view()}, {"issueIds", std::move(names)}, {"issues", std::move(issues)}};
  if (flag(call, "includeRelations", false)) out["relations"] = std::move(relations);
  if (flag(call, "includeDocuments", false)) out["documents"] = std::move(documents);
  if (flag(call, "includeAssignees", false)) out["assignees"] = std::move(assignees);
  if (flag(call, "includeActiveRuns", false)) {
    for (const auto& run : database.read([&](store::Reader& reader) { return runs_of(reader, root.company_id, ids, true); }))
      active[run.issue_id->view()].as_array().push_back(to_json(run));
    out["activeRuns"] = std::move(active);
  }
  return json::value(std::move(out));
}

Result<json::value> get_orchestration(const HostCall& call) {
  auto& database = call.host.options().database;
  const auto root = TRY(database.read([&](store::Reader& reader) { return root_issue(call, reader); }));
  std::optional<std::string> billing_code = call.text("billingCode");
  if (!billing_code) billing_code = root.billing_code;
  std::vector<IssueId> ids{root.id};
  std::string rest;
  database.read([&](store::Reader& reader) {
    if (flag(call, "includeSubtree", false)) ids = subtree(reader, root);
    CostSums costs;
    std::vector<ApprovalRow> approvals;
    json::array blocks;
    for (const auto& id : ids) {
      const auto sums = reader.one<CostSums>("select cast(coalesce(sum(cost_cents), 0) as bigint) as cost_cents, cast(coalesce(sum(input_tokens), 0) as bigint) as input_tokens, "
                                             "cast(coalesce(sum(cached_input_tokens), 0) as bigint) as cached_input_tokens, cast(coalesce(sum(output_tokens), 0) as bigint) as output_tokens "
                                             "from cost_events where issue_id = :1 and (:2 = '' or billing_code = :3)",
                                             id, billing_code.value_or(""), billing_code.value_or(""));
      costs.cost_cents += sums->cost_cents;
      costs.input_tokens += sums->input_tokens;
      costs.cached_input_tokens += sums->cached_input_tokens;
      costs.output_tokens += sums->output_tokens;
      for (auto& row : reader.all<ApprovalRow>("select l.issue_id, a.id, a.type, a.status, a.requested_by_agent_id, a.requested_by_user_id, a.decided_by_user_id, a.decided_at, a.created_at "
                                               "from issue_approvals l join approvals a on a.id = l.approval_id where l.issue_id = :1 order by a.created_at, a.id",
                                               id))
        approvals.push_back(std::move(row));
      const auto issue = reader.one<domain::Issue>("select {} from issues where id = :1", id);
      if (!issue || !issue->assignee_agent_id) continue;
      if (const auto block = domain::find_invocation_block(reader, root.company_id, *issue->assignee_agent_id, issue->project_id))
        blocks.push_back(json::object{{"issueId", id.view()}, {"agentId", issue->assignee_agent_id->view()}, {"scopeType", block->scope_type}, {"scopeId", block->scope_id},
                                      {"scopeName", nullptr}, {"reason", block->reason}});
    }
    json::value sums = to_json(costs);
    sums.get_object()["billingCode"] = billing_code ? json::value(*billing_code) : json::value(nullptr);
    JsonObjectWriter(rest)
        .field("issueId", root.id)
        .field("companyId", root.company_id)
        .field("subtreeIssueIds", ids)
        .field("approvals", approvals)
        .field("runs", runs_of(reader, root.company_id, ids, false))
        .field("costs", sums)
        .field("openBudgetIncidents", reader.all<IncidentRow>("select {} from budget_incidents where company_id = :1 and status = 'open' order by created_at desc, id limit 100", root.company_id))
        .field("invocationBlocks", json::value(std::move(blocks)))
        .end();
    return true;
  });
  json::value out = RawJson(rest).parse();
  json::object relations;
  for (const auto& id : ids) relations[id.view()] = relations_of(TRY(call.api("GET", "/api/issues/" + id.str())));
  out.get_object()["relations"] = std::move(relations);
  return out;
}

}  // namespace

void add_issue_model_methods(HostMethods::Table& table) {
  table["issues.assertCheckoutOwner"] = {"issues.checkout", assert_checkout_owner};
  table["issues.getSubtree"] = {"issue.subtree.read", get_subtree};
  table["issues.summaries.getOrchestration"] = {"issues.orchestration.read", get_orchestration};
}

}  // namespace paperclip::plugins
