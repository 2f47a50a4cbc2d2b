#include <map>
#include <set>

#include "base/text.h"
#include "plugins/host.h"
#include "store/event.h"

/// Domain events on their way to workers (spec/plugins.md 15): delivered after the commit, once per plugin, never again.
namespace paperclip::plugins {

namespace {

const std::set<std::string_view> known{
    "company.created", "company.updated", "project.created", "project.updated", "project.workspace_created", "project.workspace_updated",
    "project.workspace_deleted", "issue.created", "issue.updated", "issue.comment.created", "issue.document.created", "issue.document.updated",
    "issue.document.deleted", "issue.relations.updated", "issue.checked_out", "issue.released", "issue.assignment_wakeup_requested", "agent.created",
    "agent.updated", "agent.status_changed", "agent.run.started", "agent.run.finished", "agent.run.failed", "agent.run.cancelled", "goal.created",
    "goal.updated", "approval.created", "approval.decided", "budget.incident.opened", "budget.incident.resolved", "cost_event.created", "activity.logged"};

// An activity's action as an event's type; empty when plugins do not hear of it.
std::string_view event_type(const std::string& action) {
  static const std::map<std::string_view, std::string_view> renamed{
      {"issue.comment_added", "issue.comment.created"},       {"issue.comment_created", "issue.comment.created"},
      {"issue.document_created", "issue.document.created"},   {"issue.document_updated", "issue.document.updated"},
      {"issue.document_deleted", "issue.document.deleted"},   {"issue.blockers_updated", "issue.relations.updated"},
      {"approval.approved", "approval.decided"},              {"approval.rejected", "approval.decided"},
      {"approval.revision_requested", "approval.decided"},    {"budget.soft_threshold_crossed", "budget.incident.opened"},
      {"budget.hard_threshold_crossed", "budget.incident.opened"}, {"budget.incident_resolved", "budget.incident.resolved"}};
  if (const auto at = renamed.find(action); at != renamed.end()) return at->second;
  if (const auto at = known.find(action); at != known.end()) return *at;
  return {};
}

std::string_view run_event_type(std::string_view status) {
  if (status == "running") return "agent.run.started";
  if (status == "succeeded") return "agent.run.finished";
  if (status == "failed" || status == "timed_out") return "agent.run.failed";
  if (status == "cancelled") return "agent.run.cancelled";
  return {};
}

json::value at_or_null(const json::value& object, std::string_view key) {
  const auto* value = member(object, key);
  return value != nullptr ? *value : json::value(nullptr);
}

// By the entity itself when it is of that kind, else by what the payload says.
bool fits_entity(const json::object& envelope, const char* type, const char* key, const json::value& wanted) {
  const json::value whole(envelope);
  const auto actual = string_at(whole, "entityType") == type ? string_at(whole, "entityId") : string_at(at_or_null(whole, "payload"), key);
  return wanted.is_string() && actual == std::string(wanted.get_string());
}

bool wants(const Subscription& subscription, std::string_view type, const json::object& envelope) {
  const std::string_view pattern = subscription.pattern;
  if (pattern.ends_with(".*") ? !type.starts_with(pattern.substr(0, pattern.size() - 1)) : pattern != type) return false;
  for (const auto& item : subscription.filter) {
    if (item.value().is_null()) continue;
    if (item.key() == "companyId" && envelope.at("companyId") != item.value()) return false;
    if (item.key() == "projectId" && !fits_entity(envelope, "project", "projectId", item.value())) return false;
    if (item.key() == "agentId" && !fits_entity(envelope, "agent", "agentId", item.value())) return false;
  }
  return true;
}

}  // namespace

void PluginHost::subscribe(ActivePlugin& plugin, Subscription subscription) {
  std::lock_guard lock(plugin.mutex);
  plugin.subscriptions.push_back(std::move(subscription));
  ++subscriptions_;
}

void PluginHost::publish(const json::object& envelope) {
  const std::string type(envelope.at("eventType").get_string());
  for (const auto& plugin : all_active()) {
    bool wanted = false;
    {
      std::lock_guard lock(plugin->mutex);
      for (const auto& subscription : plugin->subscriptions) wanted = wanted || wants(subscription, type, envelope);
    }
    if (wanted) plugin->worker->notify("onEvent", json::object{{"event", envelope}});
  }
}

// On the delivery thread: with no subscriptions it costs one look.
void PluginHost::receive(const store::Event& event) {
  if (subscriptions_ == 0 || !event.company_id) return;
  const bool run = event.type == "heartbeat.run.status";
  if (!run && event.type != "activity.logged") return;
  const json::value payload = event.payload.parse();
  json::object envelope{{"eventId", Random::system().uuid()}, {"occurredAt", to_iso(event.created_at)}, {"companyId", event.company_id->view()}};
  if (run) {
    const auto type = run_event_type(string_at(payload, "status").value_or(""));
    if (type.empty()) return;
    envelope["eventType"] = type;
    envelope["actorType"] = "agent";
    envelope["actorId"] = at_or_null(payload, "agentId");
    envelope["entityType"] = "heartbeat_run";
    envelope["entityId"] = at_or_null(payload, "runId");
    json::object told;
    for (const char* key : {"runId", "agentId", "status", "invocationSource", "triggerDetail", "error", "errorCode", "issueId", "startedAt", "finishedAt"}) told[key] = at_or_null(payload, key);
    envelope["payload"] = std::move(told);
    return publish(envelope);
  }
  const auto type = event_type(string_at(payload, "action").value_or(""));
  if (type.empty()) return;
  envelope["eventType"] = type;
  for (const char* key : {"actorId", "actorType", "entityId", "entityType"}) envelope[key] = at_or_null(payload, key);
  json::object told;
  if (const auto* details = member(payload, "details"); details != nullptr && details->is_object()) told = details->get_object();
  told["agentId"] = at_or_null(payload, "agentId");
  told["runId"] = at_or_null(payload, "runId");
  envelope["payload"] = std::move(told);
  publish(envelope);
}

}  // namespace paperclip::plugins
