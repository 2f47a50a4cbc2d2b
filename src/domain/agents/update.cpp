#include "domain/agents/update.h"

#include <algorithm>

#include "base/write_json.h"
#include "domain/access/permissions.h"
#include "domain/activity/activity.h"
#include "domain/agents/agents.h"
#include "domain/agents/configuration.h"
#include "domain/memberships/membership.h"
#include "domain/redaction/redaction.h"
#include "domain/secrets/secrets.h"

namespace paperclip::domain {

namespace {

// The fields a revision remembers, in the snapshot's form.
json::object snapshot(const Agent& agent) {
  const auto text = [](const std::optional<std::string>& value) { return value ? json::value(*value) : json::value(nullptr); };
  json::object out;
  out["name"] = agent.name;
  out["role"] = agent.role;
  out["title"] = text(agent.title);
  out["reportsTo"] = agent.reports_to ? json::value(agent.reports_to->view()) : json::value(nullptr);
  out["capabilities"] = text(agent.capabilities);
  out["adapterType"] = agent.adapter_type;
  // Secrets never enter the history.
  out["adapterConfig"] = redact(agent.adapter_config.parse());
  out["runtimeConfig"] = redact(agent.runtime_config.parse());
  out["defaultEnvironmentId"] = agent.default_environment_id ? json::value(agent.default_environment_id->view()) : json::value(nullptr);
  out["budgetMonthlyCents"] = agent.budget_monthly_cents;
  out["metadata"] = agent.metadata ? redact(agent.metadata->parse()) : json::value(nullptr);
  return out;
}

Result<> check_manager(store::Reader& reader, const CompanyScope& scope, AgentId agent, AgentId manager) {
  if (manager == agent) return unprocessable("Agent cannot report to itself");
  const auto home = reader.value<CompanyId>("select company_id from agents where id = :1", manager);
  if (!home) return not_found("Manager not found");
  if (*home != scope.company_id()) return unprocessable("Manager must belong to same company");
  std::optional<AgentId> above = manager;
  for (int depth = 0; above && depth < 100; ++depth) {
    if (*above == agent) return unprocessable("Reporting relationship would create cycle");
    above = reader.value<AgentId>("select reports_to from agents where id = :1", *above);
  }
  return {};
}

Result<> rename(store::Reader& reader, Agent& agent, const std::string& name) {
  const std::string key = url_key(name, "");
  if (key != url_key(agent.name, "") && !key.empty())
    for (const auto& other : reader.column<std::string>("select name from agents where company_id = :1 and id <> :2 and status <> 'terminated'",
                                                        agent.company_id, agent.id))
      if (url_key(other, "") == key) return conflict("Agent shortname '" + key + "' is already in use in this company");
  agent.name = name;
  return {};
}

// The next adapter configuration: merged one level deep, or replaced (spec/organisation.md 2.8).
json::object next_adapter_config(const Agent& agent, const AgentChanges& changes, bool type_changes) {
  const json::value stored = agent.adapter_config.parse();
  json::object old = stored.is_object() ? stored.get_object() : json::object();
  if (!changes.adapter_config) return old;
  const json::object& given = changes.adapter_config->value;
  if (!changes.replace_adapter_config && !type_changes) {
    for (const auto& item : given) old[item.key()] = item.value();
    return old;
  }
  json::object next = given;
  if (type_changes) {
    const auto carry = [&](std::string_view key) {
      if (!next.contains(key) && old.contains(key)) next[key] = old[key];
    };
    for (const char* key : {"env", "cwd", "timeoutSec", "graceSec", "promptTemplate", "bootstrapPromptTemplate"}) carry(key);
    const bool names_instructions = std::any_of(instruction_keys().begin(), instruction_keys().end(), [&](auto key) { return next.contains(key); });
    if (!names_instructions)
      for (auto key : instruction_keys()) carry(key);
  }
  return next;
}

Result<> change_adapter(store::Reader& reader, const CompanyScope& scope, Agent& agent, const AgentChanges& changes, const AdapterRules& adapters,
                        bool strict_secrets) {
  const bool type_changes = changes.adapter_type && *changes.adapter_type != agent.adapter_type;
  if (changes.adapter_type) TRY(adapters.require(*changes.adapter_type));
  if (changes.adapter_config || type_changes) {
    json::object config = next_adapter_config(agent, changes, type_changes);
    if (changes.adapter_type) agent.adapter_type = *changes.adapter_type;
    config = adapters.with_defaults(agent.adapter_type, std::move(config));
    if (const auto* env = config.if_contains("env"))
      config["env"] = TRY(normalise_env(reader, scope, *env, strict_secrets, "adapterConfig.env"));
    agent.adapter_config = RawJson(json::value(config));
  }
  changes.default_environment_id.apply(agent.default_environment_id);
  if (changes.adapter_type || changes.adapter_config || changes.default_environment_id)
    TRY(check_default_environment(reader, scope, adapters, agent.adapter_type, agent.default_environment_id, false));
  return {};
}

Result<> change_status(store::Transaction& tx, const CompanyScope& scope, Agent& agent, AgentStatus status) {
  if (agent.status == AgentStatus::terminated && status != AgentStatus::terminated) return conflict("Terminated agents cannot be resumed");
  if (agent.status == AgentStatus::pending_approval && status != AgentStatus::pending_approval && status != AgentStatus::terminated)
    return conflict("Pending approval agents cannot be activated directly");
  // OURS: the two that stop work go the way of their own routes, so that runs and keys follow.
  if (status == AgentStatus::paused && agent.status != AgentStatus::paused) {
    TRY(pause_agent(tx, scope, agent.id));
    agent.pause_reason = PauseReason::manual;
    agent.paused_at = tx.now();
  } else if (status == AgentStatus::terminated && agent.status != AgentStatus::terminated) {
    TRY(terminate_agent(tx, scope, agent.id));
  } else if (agent.status == AgentStatus::paused && status != AgentStatus::paused) {
    agent.pause_reason.reset();
    agent.paused_at.reset();
  }
  agent.status = status;
  return {};
}

void write_revision(store::Transaction& tx, const CompanyScope& scope, const Agent& before, const Agent& after, const RevisionSource& source) {
  const json::object old = snapshot(before), now = snapshot(after);
  json::array changed;
  for (const auto& item : now)
    if (item.value() != old.at(item.key())) changed.emplace_back(item.key());
  if (changed.empty()) return;
  AgentConfigRevision revision;
  revision.id = tx.new_id<AgentConfigRevisionId>();
  revision.company_id = after.company_id;
  revision.agent_id = after.id;
  const Author author = scope.author();
  revision.created_by_agent_id = author.agent_id;
  revision.created_by_user_id = author.user_id();
  revision.source = source.source;
  revision.rolled_back_from_revision_id = source.rolled_back_from;
  revision.changed_keys = RawJson(json::value(changed));
  revision.before_config = RawJson(json::value(old));
  revision.after_config = RawJson(json::value(now));
  revision.created_at = tx.now();
  tx.insert("agent_config_revisions", revision);
}

bool holds_marker(const json::value& value) {
  if (value.is_string()) return std::string_view(value.get_string()) == redacted_marker;
  if (value.is_array()) return std::any_of(value.get_array().begin(), value.get_array().end(), holds_marker);
  if (value.is_object())
    return std::any_of(value.get_object().begin(), value.get_object().end(), [](const auto& item) { return holds_marker(item.value()); });
  return false;
}

}  // namespace

Result<> update_agent(store::Transaction& tx, const CompanyScope& scope, AgentId id, const AgentChanges& changes, const AdapterRules& adapters,
                      bool strict_secrets, const RevisionSource& source) {
  auto found = tx.one<Agent>("select {} from agents where id = :1 and company_id = :2", id, scope.company_id());
  if (!found) return not_found("Agent not found");
  const Agent before = *found;
  Agent agent = *std::move(found);
  TRY(refuse_agent_only_keys(scope.actor(), changes.adapter_config ? &changes.adapter_config->value : nullptr,
                             changes.runtime_config ? &changes.runtime_config->value : nullptr));
  if (changes.status) TRY(change_status(tx, scope, agent, *changes.status));
  if (changes.reports_to.has_value()) TRY(check_manager(tx, scope, id, *changes.reports_to));
  if (changes.name) TRY(rename(tx, agent, *changes.name));
  TRY(change_adapter(tx, scope, agent, changes, adapters, strict_secrets));
  if (changes.role) agent.role = *changes.role;
  changes.title.apply(agent.title);
  changes.icon.apply(agent.icon);
  changes.capabilities.apply(agent.capabilities);
  changes.reports_to.apply(agent.reports_to);
  if (changes.runtime_config) agent.runtime_config = RawJson(json::value(changes.runtime_config->value));
  if (changes.budget_monthly_cents) agent.budget_monthly_cents = *changes.budget_monthly_cents;
  if (changes.spent_monthly_cents) agent.spent_monthly_cents = *changes.spent_monthly_cents;
  if (changes.metadata.is_null()) agent.metadata.reset();
  else if (changes.metadata) agent.metadata = changes.metadata->raw();
  agent.updated_at = tx.now();
  tx.update("agents", agent);
  write_revision(tx, scope, before, agent, source);
  return {};
}

Result<AgentChanges> changes_of_snapshot(const json::value& snapshot) {
  if (!snapshot.is_object()) return unprocessable("Invalid revision snapshot");
  if (holds_marker(snapshot)) return unprocessable("Cannot roll back a revision that contains redacted secret values");
  AgentChanges changes;
  const auto required = [&](const char* key, bool fits) -> Result<> {
    if (fits) return {};
    return unprocessable(std::string("Invalid revision snapshot: ") + key);
  };
  const auto* adapter_config = member(snapshot, "adapterConfig");
  const auto* runtime_config = member(snapshot, "runtimeConfig");
  const auto* budget = member(snapshot, "budgetMonthlyCents");
  TRY(required("name", string_at(snapshot, "name").has_value()));
  TRY(required("role", string_at(snapshot, "role").has_value()));
  TRY(required("adapterType", string_at(snapshot, "adapterType").has_value()));
  TRY(required("adapterConfig", adapter_config != nullptr && adapter_config->is_object()));
  TRY(required("runtimeConfig", runtime_config != nullptr && runtime_config->is_object()));
  TRY(required("budgetMonthlyCents", budget != nullptr && budget->is_int64()));
  changes.name = *string_at(snapshot, "name");
  changes.role = *string_at(snapshot, "role");
  changes.adapter_type = *string_at(snapshot, "adapterType");
  changes.adapter_config = JsonObject{adapter_config->get_object()};
  changes.replace_adapter_config = true;
  changes.runtime_config = JsonObject{runtime_config->get_object()};
  changes.budget_monthly_cents.emplace(budget->get_int64());
  const auto nullable = [&](const char* key) {
    const auto text = string_at(snapshot, key);
    return text ? Patch<std::string>(*text) : Patch<std::string>::null();
  };
  changes.title = nullable("title");
  changes.capabilities = nullable("capabilities");
  const auto manager = AgentId::parse(string_at(snapshot, "reportsTo").value_or(""));
  changes.reports_to = manager ? Patch<AgentId>(*manager) : Patch<AgentId>::null();
  const auto environment = EnvironmentId::parse(string_at(snapshot, "defaultEnvironmentId").value_or(""));
  changes.default_environment_id = environment ? Patch<EnvironmentId>(*environment) : Patch<EnvironmentId>::null();
  const auto* metadata = member(snapshot, "metadata");
  changes.metadata = metadata != nullptr && metadata->is_object() ? Patch<JsonObject>(JsonObject{metadata->get_object()}) : Patch<JsonObject>::null();
  return changes;
}

Result<> require_update_agent(store::Reader& reader, const CompanyScope& scope, AgentId target) {
  const Actor& actor = scope.actor();
  if (!actor.is_agent()) return require_create_agents(reader, scope);
  if (actor.agent_id == target || agent_standing(reader, *actor.agent_id).is_ceo || can_create_agents(reader, scope)) return {};
  return forbidden("Only CEO or agent creators can modify other agents");
}

Result<> set_agent_permissions(store::Transaction& tx, const CompanyScope& scope, AgentId agent, bool can_create, bool can_assign) {
  const auto role = tx.value<std::string>("select role from agents where id = :1 and company_id = :2", agent, scope.company_id());
  if (!role) return not_found("Agent not found");
  tx.execute("update agents set permissions = :1, updated_at = :2 where id = :3", RawJson(json::value{{"canCreateAgents", can_create}}), tx.now(), agent);
  const bool assigns = *role == "ceo" || can_create || can_assign;
  if (assigns) {
    tx.insert_if_absent("principal_permission_grants",
                        PrincipalPermissionGrant{tx.new_id<AnyId>(), scope.company_id(), PrincipalType::agent, agent.str(), "tasks:assign",
                                                 std::nullopt, scope.author().user_id(), tx.now(), tx.now()});
  } else {
    tx.execute("delete from principal_permission_grants where company_id = :1 and principal_type = 'agent' and principal_id = :2 "
               "and permission_key = 'tasks:assign'",
               scope.company_id(), agent.view());
  }
  log_activity(tx, scope.company_id(), scope.author(),
               {"agent.permissions_updated", "agent", agent.str(), json::value{{"canCreateAgents", can_create}, {"canAssignTasks", assigns}}});
  return {};
}

Result<> delete_agent(store::Transaction& tx, const CompanyScope& scope, AgentId agent) {
  const auto name = tx.value<std::string>("select name from agents where id = :1 and company_id = :2", agent, scope.company_id());
  if (!name) return not_found("Agent not found");
  if (tx.exists("select 1 from heartbeat_runs where agent_id = :1 and status in ('queued', 'running', 'scheduled_retry')", agent))
    return conflict("Cannot delete an agent with live runs. Terminate it first.");
  for (const char* sql : {
           "update agents set reports_to = null where reports_to = :1",
           "update issues set assignee_agent_id = null where assignee_agent_id = :1",
           "update issues set created_by_agent_id = null where created_by_agent_id = :1",
           "update goals set owner_agent_id = null where owner_agent_id = :1",
           "update projects set lead_agent_id = null where lead_agent_id = :1",
           "delete from heartbeat_run_events where agent_id = :1",
           "delete from agent_task_sessions where agent_id = :1",
           "delete from activity_log where run_id in (select id from heartbeat_runs where agent_id = :1)",
           "delete from activity_log where agent_id = :1",
           "delete from issue_comments where author_agent_id = :1",
           "delete from finance_events where agent_id = :1",
           "delete from cost_events where agent_id = :1",
           "delete from heartbeat_runs where agent_id = :1",
           "delete from agent_wakeup_requests where agent_id = :1",
           "delete from agent_api_keys where agent_id = :1",
           "delete from agent_runtime_state where agent_id = :1",
           "delete from agent_config_revisions where agent_id = :1",
       })
    tx.execute(sql, agent);
  tx.execute("delete from principal_permission_grants where principal_type = 'agent' and principal_id = :1", agent.view());
  tx.execute("delete from company_memberships where principal_type = 'agent' and principal_id = :1", agent.view());
  tx.execute("delete from agents where id = :1", agent);
  log_activity(tx, scope.company_id(), scope.author(), {"agent.deleted", "agent", agent.str(), json::value{{"name", *name}}});
  return {};
}

}  // namespace paperclip::domain
