#include <algorithm>
#include <set>

#include "base/text.h"
#include "domain/wakeups/wake.h"
#include "plugins/host.h"
#include "plugins/host_methods.h"
#include "store/database.h"

/// What a worker may change (spec/plugins.md 9, 9.4, 9.6): through the REST routes, as the plugin, for whom it names.
namespace paperclip::plugins {

namespace {

// 404 `<what> not found` unless it is the company's.
Result<json::value> own_entity(const HostCall& call, const std::string& kind, std::string_view id_key, const char* missing) {
  const auto company = TRY(call.company());
  const auto id = TRY(call.needed(id_key));
  auto found = call.api("GET", "/api/" + kind + "/" + percent_encode(id));
  if (!found && found.error().kind != ErrorKind::not_found) return std::move(found).error();
  if (!found || string_at(*found, "companyId") != company.str()) return not_found(missing);
  return found;
}
Result<json::value> own_issue(const HostCall& call) { return own_entity(call, "issues", "issueId", "Issue not found"); }
Result<json::value> own_agent(const HostCall& call) { return own_entity(call, "agents", "agentId", "Agent not found"); }

std::string id_of(const json::value& entity) { return string_at(entity, "id").value_or(""); }

json::object without(const json::value& object, std::initializer_list<const char*> keys) {
  json::object out = object.is_object() ? object.get_object() : json::object();
  for (const char* key : keys) out.erase(key);
  return out;
}

Result<std::string> checked_origin(const HostCall& call, const json::value& source) {
  const std::string own = "plugin:" + call.plugin.row.plugin_key;
  const auto given = text_at(source, "originKind");
  if (!given) return own;
  if (*given != own && !given->starts_with(own + ":")) return bad_request("Plugin may only use originKind values under " + own);
  return *given;
}

// The routes do not take an origin; the row gets it right after.
Result<> set_origin(const HostCall& call, const std::string& issue, const std::string& kind, const json::value& source) {
  return call.host.options().database.write([&](store::Transaction& tx) -> Result<> {
    tx.execute("update issues set origin_kind = :1 where id = :2", kind, *IssueId::parse(issue));
    if (const auto id = text_at(source, "originId")) tx.execute("update issues set origin_id = :1 where id = :2", *id, *IssueId::parse(issue));
    const auto run = text_at(source, "originRunId") ? text_at(source, "originRunId") : text_at(source, "actorRunId");
    if (run) tx.execute("update issues set origin_run_id = :1 where id = :2", *run, *IssueId::parse(issue));
    return {};
  });
}

Result<json::value> create_issue(const HostCall& call) {
  const auto company = TRY(call.company());
  const auto origin = TRY(checked_origin(call, call.params));
  const auto body = without(call.params, {"companyId", "originKind", "originId", "originRunId", "actorAgentId", "actorUserId", "actorRunId"});
  const auto issue = TRY(call.api("POST", "/api/companies/" + company.str() + "/issues", json::value(body)));
  TRY(set_origin(call, id_of(issue), origin, call.params));
  return call.api("GET", "/api/issues/" + id_of(issue));
}

Result<json::value> update_issue(const HostCall& call) {
  const auto issue = TRY(own_issue(call));
  const auto* patch = member(call.params, "patch");
  if (patch == nullptr || !patch->is_object()) return bad_request("patch is required for this operation");
  const auto origin = text_at(*patch, "originKind") ? std::optional(TRY(checked_origin(call, *patch))) : std::nullopt;
  const auto body = without(*patch, {"originKind", "originId", "originRunId", "actorAgentId", "actorUserId", "actorRunId"});
  auto updated = TRY(call.api_as(call.actor(*patch), "PATCH", "/api/issues/" + id_of(issue), json::value(body)));
  if (!origin) return updated;
  TRY(set_origin(call, id_of(issue), *origin, *patch));
  return call.api("GET", "/api/issues/" + id_of(issue));
}

std::vector<std::string> ids_at(const json::value& params, std::string_view key) {
  std::vector<std::string> ids;
  if (const auto* list = member(params, key); list != nullptr && list->is_array())
    for (const auto& item : list->get_array())
      if (item.is_string() && std::find(ids.begin(), ids.end(), std::string_view(item.get_string())) == ids.end()) ids.emplace_back(item.get_string());
  return ids;
}

Result<json::value> store_blockers(const HostCall& call, const json::value& issue, const std::vector<std::string>& ids) {
  TRY(call.api("PATCH", "/api/issues/" + id_of(issue), json::object{{"blockedByIssueIds", json::array(ids.begin(), ids.end())}}));
  const auto after = TRY(call.api("GET", "/api/issues/" + id_of(issue)));
  json::object out{{"blockedBy", json::array()}, {"blocks", json::array()}};
  for (const char* key : {"blockedBy", "blocks"})
    if (const auto* list = member(after, key); list != nullptr && list->is_array()) out[key] = *list;
  return json::value(std::move(out));
}

std::vector<std::string> blockers_of(const json::value& issue) {
  std::vector<std::string> ids;
  if (const auto* list = member(issue, "blockedBy"); list != nullptr && list->is_array())
    for (const auto& blocker : list->get_array()) ids.push_back(id_of(blocker));
  return ids;
}

Result<json::value> set_blocked_by(const HostCall& call) { return store_blockers(call, TRY(own_issue(call)), ids_at(call.params, "blockedByIssueIds")); }

Result<json::value> add_blockers(const HostCall& call) {
  const auto issue = TRY(own_issue(call));
  auto ids = blockers_of(issue);
  for (auto& id : ids_at(call.params, "blockerIssueIds"))
    if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(std::move(id));
  return store_blockers(call, issue, ids);
}

Result<json::value> remove_blockers(const HostCall& call) {
  const auto issue = TRY(own_issue(call));
  auto ids = blockers_of(issue);
  const auto gone = ids_at(call.params, "blockerIssueIds");
  std::erase_if(ids, [&](const auto& id) { return std::find(gone.begin(), gone.end(), id) != gone.end(); });
  return store_blockers(call, issue, ids);
}

Result<json::value> create_comment(const HostCall& call) {
  const auto issue = TRY(own_issue(call));
  domain::Actor actor = call.actor(call.params);
  if (const auto author = call.text("authorAgentId")) actor.plugin->agent_id = AgentId::parse(*author);
  return call.api_as(actor, "POST", "/api/issues/" + id_of(issue) + "/comments", json::object{{"body", TRY(call.needed("body"))}});
}

Result<json::value> create_interaction(const HostCall& call) {
  const auto issue = TRY(own_issue(call));
  const auto* interaction = member(call.params, "interaction");
  if (interaction == nullptr || !interaction->is_object()) return bad_request("interaction is required for this operation");
  return call.api("POST", "/api/issues/" + id_of(issue) + "/interactions", *interaction);
}

Result<json::value> upsert_document(const HostCall& call) {
  const auto issue = TRY(own_issue(call));
  const std::string target = "/api/issues/" + id_of(issue) + "/documents/" + percent_encode(TRY(call.needed("key")));
  json::object body{{"body", string_at(call.params, "body").value_or("")}, {"format", call.text("format").value_or("markdown")}};
  for (const char* key : {"title", "changeSummary"})
    if (const auto value = call.text(key)) body[key] = *value;
  // An existing document is changed from its latest revision.
  if (const auto current = call.api("GET", target))
    if (const auto revision = string_at(*current, "latestRevisionId")) body["baseRevisionId"] = *revision;
  return call.api("PUT", target, json::value(body));
}

Result<json::value> delete_document(const HostCall& call) {
  const auto issue = TRY(own_issue(call));
  auto gone = call.api("DELETE", "/api/issues/" + id_of(issue) + "/documents/" + percent_encode(TRY(call.needed("key"))));
  if (!gone) return std::move(gone).error();
  return json::value(nullptr);
}

domain::Author plugin_as_system(const HostCall& call) { return domain::Author::system(call.plugin.row.id.str()); }

// spec/plugins.md 9.6
Result<json::value> wake_for_issue(const HostCall& call, const json::value& issue, const std::string& source, const std::optional<std::string>& key) {
  const auto assignee = string_at(issue, "assigneeAgentId");
  if (!assignee) return bad_request("Issue has no assigned agent to wake");
  const std::string status = string_at(issue, "status").value_or("");
  if (status == "backlog" || status == "done" || status == "cancelled") return bad_request("Issue is not wakeable in status: " + status);
  if (const auto* blockers = member(issue, "blockedBy"); blockers != nullptr && blockers->is_array())
    for (const auto& blocker : blockers->get_array())
      if (string_at(blocker, "status") != "done") return bad_request("Issue is blocked by unresolved blockers");
  const std::string plugin_id = call.plugin.row.id.str(), plugin_key = call.plugin.row.plugin_key;
  domain::WakeRequest wake;
  wake.source = "assignment";
  wake.trigger_detail = "system";
  wake.reason = call.text("reason").value_or("plugin_issue_wakeup_requested");
  wake.payload = json::object{{"issueId", id_of(issue)}, {"mutation", "plugin_wakeup"}, {"pluginId", plugin_id}, {"pluginKey", plugin_key}, {"contextSource", source}};
  wake.context = {{"issueId", id_of(issue)}, {"taskId", id_of(issue)}, {"wakeReason", *wake.reason}, {"source", source}, {"pluginId", plugin_id}, {"pluginKey", plugin_key}};
  wake.idempotency_key = key;
  wake.requested_by = plugin_as_system(call);
  const auto attempt = TRY(call.host.options().database.write([&](store::Transaction& tx) -> Result<domain::WakeAttempt> { return domain::attempt_wakeup(tx, *AgentId::parse(*assignee), wake); }));
  if (attempt.refusal) return *attempt.refusal;
  const bool queued = attempt.outcome.result != domain::WakeResult::skipped;
  return json::value{{"queued", queued}, {"runId", queued && attempt.outcome.run_id ? json::value(attempt.outcome.run_id->view()) : json::value(nullptr)}};
}

Result<json::value> request_wakeup(const HostCall& call) {
  return wake_for_issue(call, TRY(own_issue(call)), call.text("contextSource").value_or("plugin.issue.requestWakeup"), call.text("idempotencyKey"));
}

Result<json::value> request_wakeups(const HostCall& call) {
  const auto company = TRY(call.company());
  const auto prefix = call.text("idempotencyKeyPrefix");
  json::array out;
  for (const auto& id : ids_at(call.params, "issueIds")) {
    const auto issue = call.api("GET", "/api/issues/" + percent_encode(id));
    if (!issue || string_at(*issue, "companyId") != company.str()) return not_found("Issue not found");
    auto woken = TRY(wake_for_issue(call, *issue, call.text("contextSource").value_or("plugin.issue.requestWakeups"), prefix ? std::optional(*prefix + ":" + id) : std::nullopt));
    woken.get_object()["issueId"] = id;
    out.push_back(std::move(woken));
  }
  return json::value(std::move(out));
}

Result<json::value> pause_agent(const HostCall& call) {
  const auto agent = TRY(own_agent(call));
  if (string_at(agent, "status") == "terminated") return conflict("Cannot pause terminated agent");
  return call.api("POST", "/api/agents/" + id_of(agent) + "/pause", json::object());
}

Result<json::value> resume_agent(const HostCall& call) {
  const auto agent = TRY(own_agent(call));
  if (string_at(agent, "status") == "terminated") return conflict("Cannot resume terminated agent");
  if (string_at(agent, "status") == "pending_approval") return conflict("Pending approval agents cannot be resumed");
  return call.api("POST", "/api/agents/" + id_of(agent) + "/resume", json::object());
}

Result<json::value> invoke_agent(const HostCall& call) {
  const auto agent = TRY(own_agent(call));
  domain::WakeRequest wake;
  wake.source = "automation";
  wake.trigger_detail = "system";
  wake.reason = call.text("reason");
  wake.payload = json::object{{"prompt", string_at(call.params, "prompt").value_or("")}};
  wake.requested_by = plugin_as_system(call);
  const auto attempt = TRY(call.host.options().database.write([&](store::Transaction& tx) -> Result<domain::WakeAttempt> { return domain::attempt_wakeup(tx, *AgentId::parse(id_of(agent)), wake); }));
  if (attempt.refusal) return *attempt.refusal;
  if (!attempt.outcome.run_id) return conflict("Agent wakeup was skipped by heartbeat policy");
  return json::value{{"runId", attempt.outcome.run_id->view()}};
}

Result<json::value> create_goal(const HostCall& call) {
  const auto company = TRY(call.company());
  return call.api("POST", "/api/companies/" + company.str() + "/goals", json::value(without(call.params, {"companyId"})));
}

Result<json::value> update_goal(const HostCall& call) {
  const auto goal = TRY(own_entity(call, "goals", "goalId", "Goal not found"));
  const auto* patch = member(call.params, "patch");
  return call.api("PATCH", "/api/goals/" + id_of(goal), patch != nullptr ? *patch : json::value(json::object()));
}

}  // namespace

void add_write_methods(HostMethods::Table& table) {
  table["issues.create"] = {"issues.create", create_issue};
  table["issues.update"] = {"issues.update", update_issue};
  table["issues.relations.setBlockedBy"] = {"issue.relations.write", set_blocked_by};
  table["issues.relations.addBlockers"] = {"issue.relations.write", add_blockers};
  table["issues.relations.removeBlockers"] = {"issue.relations.write", remove_blockers};
  table["issues.createComment"] = {"issue.comments.create", create_comment};
  table["issues.createInteraction"] = {"issue.interactions.create", create_interaction};
  table["issues.documents.upsert"] = {"issue.documents.write", upsert_document};
  table["issues.documents.delete"] = {"issue.documents.write", delete_document};
  table["issues.requestWakeup"] = {"issues.wakeup", request_wakeup};
  table["issues.requestWakeups"] = {"issues.wakeup", request_wakeups};
  table["agents.pause"] = {"agents.pause", pause_agent};
  table["agents.resume"] = {"agents.resume", resume_agent};
  table["agents.invoke"] = {"agents.invoke", invoke_agent};
  table["goals.create"] = {"goals.create", create_goal};
  table["goals.update"] = {"goals.update", update_goal};
}

}  // namespace paperclip::plugins
