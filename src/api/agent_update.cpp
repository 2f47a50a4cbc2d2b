#include <algorithm>

#include "api/adapter_rules.h"
#include "api/agent_bodies.h"
#include "api/agent_kind.h"
#include "api/all_routes.h"
#include "api/services.h"
#include "domain/access/permissions.h"
#include "domain/activity/activity.h"
#include "domain/agents/agents.h"
#include "domain/agents/update.h"
#include "domain/redaction/redaction.h"
#include "store/database.h"

namespace paperclip::api {

namespace {

using domain::AgentChanges;
using domain::AgentConfigRevision;
using AgentRow = domain::Agent;

/// A key that must not be there.
struct Never {
  static void read(const json::value* value, Never&, SchemaIssues& issues) {
    if (value != nullptr) issues.invalid_type("undefined", value);
  }
};

struct UpdateAgentBody {
  Omit<Text<1>> name;
  Omit<AgentRole> role;
  Patch<std::string> title;
  Patch<IconName> icon;
  Patch<AgentId> reports_to;
  Patch<std::string> capabilities;
  Omit<std::vector<std::string>> desired_skills;
  Omit<Trimmed<0>> adapter_type;
  Omit<AdapterConfig> adapter_config;
  Default<bool> replace_adapter_config{false};
  Omit<RuntimeConfig> runtime_config;
  Patch<EnvironmentId> default_environment_id;
  Omit<Int<0>> budget_monthly_cents, spent_monthly_cents;
  Patch<JsonObject> metadata;
  Omit<domain::AgentStatus> status;
  Never permissions;
};
BOOST_DESCRIBE_STRUCT(UpdateAgentBody, (), (name, role, title, icon, reports_to, capabilities, desired_skills, adapter_type, adapter_config,
                                            replace_adapter_config, runtime_config, default_environment_id, budget_monthly_cents,
                                            spent_monthly_cents, metadata, status, permissions))

struct AgentPermissionsBody {
  bool can_create_agents = false, can_assign_tasks = false;
};
BOOST_DESCRIBE_STRUCT(AgentPermissionsBody, (), (can_create_agents, can_assign_tasks))

AgentChanges changes_of(const UpdateAgentBody& body) {
  AgentChanges out;
  if (body.name) out.name = std::string(*body.name);
  if (body.role) out.role = std::string(to_text(*body.role));
  out.title = body.title;
  out.capabilities = body.capabilities;
  if (body.icon.has_value()) out.icon = Patch<std::string>(body.icon->name);
  else if (body.icon.is_null()) out.icon = Patch<std::string>::null();
  out.reports_to = body.reports_to;
  if (body.adapter_type) out.adapter_type = std::string(*body.adapter_type);
  if (body.adapter_config) out.adapter_config = JsonObject(*body.adapter_config);
  out.replace_adapter_config = *body.replace_adapter_config;
  if (body.runtime_config) out.runtime_config = JsonObject(*body.runtime_config);
  out.default_environment_id = body.default_environment_id;
  if (body.budget_monthly_cents) out.budget_monthly_cents.emplace(body.budget_monthly_cents->value);
  if (body.spent_monthly_cents) out.spent_monthly_cents.emplace(body.spent_monthly_cents->value);
  out.metadata = body.metadata;
  out.status = body.status;
  return out;
}

json::array sorted_keys(const json::object& object) {
  std::vector<std::string> keys;
  for (const auto& item : object) keys.emplace_back(item.key());
  std::sort(keys.begin(), keys.end());
  json::array out;
  for (auto& key : keys) out.emplace_back(key);
  return out;
}

// What changed, by name of key only: values may be secret.
json::value update_details(const UpdateAgentBody& body, const json::object& sent, const AgentRow& after) {
  json::object known;
  for (const auto& item : sent)
    if (item.key() != "replaceAdapterConfig" && item.key() != "permissions" && item.key() != "desiredSkills" && item.key() != "instructionsBundle")
      known[item.key()] = nullptr;
  json::object details{{"changedTopLevelKeys", sorted_keys(known)}};
  if (body.adapter_config) {
    const json::value config = after.adapter_config.parse();
    if (config.is_object()) details["changedAdapterConfigKeys"] = sorted_keys(config.get_object());
  }
  if (body.runtime_config) details["changedRuntimeConfigKeys"] = sorted_keys(body.runtime_config->value);
  return details;
}

Result<Answer> agent_answer(Call& call) {
  const auto agent = call.services.database.read([&](store::Reader& reader) { return domain::agent_view(reader, call.entity<AgentId>()); });
  if (!agent) return not_found("Agent not found");
  std::string body;
  domain::append_agent_json(body, *agent);
  return ok_json(std::move(body));
}

Result<Answer> update_agent(Call& call, const UpdateAgentBody& body) {
  const auto id = call.entity<AgentId>();
  TRY(call.services.database.write([&](store::Transaction& tx) -> Result<> {
    TRY(domain::require_update_agent(tx, call.scope(), id));
    TRY(domain::update_agent(tx, call.scope(), id, changes_of(body), adapter_rules(), call.services.settings.secrets_strict));
    const auto after = domain::agent_view(tx, id);
    domain::log_activity(tx, call.company_id(), call.scope().author(),
                         {"agent.updated", "agent", id.str(), update_details(body, call.body->get_object(), *after)});
    return {};
  }));
  return agent_answer(call);
}

Result<Answer> update_permissions(Call& call, const AgentPermissionsBody& body) {
  const auto id = call.entity<AgentId>();
  return call.services.database.write([&](store::Transaction& tx) -> Result<Answer> {
    if (call.actor.is_agent()) {
      if (!domain::agent_standing(tx, *call.actor.agent_id).is_ceo) return forbidden("Only CEO can manage permissions");
    } else {
      TRY(domain::require_create_agents(tx, call.scope()));
    }
    TRY(domain::set_agent_permissions(tx, call.scope(), id, body.can_create_agents, body.can_assign_tasks));
    std::string out;
    domain::append_agent_detail_json(out, tx, *domain::agent_view(tx, id));
    return ok_json(std::move(out));
  });
}

Result<Answer> delete_agent(Call& call) {
  TRY(call.services.database.write([&](store::Transaction& tx) -> Result<> {
    TRY(domain::require_manage_agents(tx, call.scope()));
    return domain::delete_agent(tx, call.scope(), call.entity<AgentId>());
  }));
  return ok_true();
}

// An agent's configuration with every secret masked.
void append_configuration(std::string& out, const AgentRow& agent) {
  std::string detail;
  domain::append_agent_json(detail, agent);
  JsonObjectWriter(out)
      .field("id", agent.id)
      .field("companyId", agent.company_id)
      .field("name", agent.name)
      .field("role", agent.role)
      .field("title", agent.title)
      .field("status", agent.status)
      .field("reportsTo", agent.reports_to)
      .field("adapterType", agent.adapter_type)
      .field("adapterConfig", domain::redact(agent.adapter_config.parse()))
      .field("runtimeConfig", domain::redact(agent.runtime_config.parse()))
      .field("permissions", *member(RawJson(std::move(detail)).parse(), "permissions"))
      .field("updatedAt", agent.updated_at)
      .end();
}

Result<Answer> list_configurations(Call& call) {
  return call.services.database.read([&](store::Reader& reader) -> Result<Answer> {
    TRY(domain::require_create_agents(reader, call.scope()));
    std::string body = "[";
    for (const auto& agent : domain::agents_of_company(reader, call.company_id())) {
      if (body.size() > 1) body += ',';
      append_configuration(body, agent);
    }
    return ok_json(body + "]");
  });
}

Result<Answer> get_configuration(Call& call) {
  return call.services.database.read([&](store::Reader& reader) -> Result<Answer> {
    TRY(domain::require_create_agents(reader, call.scope()));
    std::string body;
    append_configuration(body, *domain::agent_view(reader, call.entity<AgentId>()));
    return ok_json(std::move(body));
  });
}

// Redacted when stored, and again when read: the rules may have become stricter.
void mask(AgentConfigRevision& revision) {
  revision.before_config = RawJson(domain::redact(revision.before_config.parse()));
  revision.after_config = RawJson(domain::redact(revision.after_config.parse()));
}

Result<AgentConfigRevision> find_revision(store::Reader& reader, const Call& call) {
  const auto id = TRY(call.id_param<AgentConfigRevisionId>("revisionId", "Revision not found"));
  auto revision = reader.one<AgentConfigRevision>("select {} from agent_config_revisions where id = :1 and agent_id = :2", id, call.entity<AgentId>());
  if (!revision) return not_found("Revision not found");
  return *std::move(revision);
}

Result<Answer> list_revisions(Call& call) {
  return call.services.database.read([&](store::Reader& reader) -> Result<Answer> {
    TRY(domain::require_create_agents(reader, call.scope()));
    auto revisions = reader.all<AgentConfigRevision>(
        "select {} from agent_config_revisions where agent_id = :1 order by created_at desc, id desc limit 1000", call.entity<AgentId>());
    for (auto& revision : revisions) mask(revision);
    return ok(revisions);
  });
}

Result<Answer> get_revision(Call& call) {
  return call.services.database.read([&](store::Reader& reader) -> Result<Answer> {
    TRY(domain::require_create_agents(reader, call.scope()));
    auto revision = TRY(find_revision(reader, call));
    mask(revision);
    return ok(revision);
  });
}

Result<Answer> roll_back(Call& call) {
  const auto id = call.entity<AgentId>();
  TRY(call.services.database.write([&](store::Transaction& tx) -> Result<> {
    TRY(domain::require_update_agent(tx, call.scope(), id));
    const auto revision = TRY(find_revision(tx, call));
    const auto changes = TRY(domain::changes_of_snapshot(revision.after_config.parse()));
    TRY(domain::update_agent(tx, call.scope(), id, changes, adapter_rules(), call.services.settings.secrets_strict, {"rollback", revision.id}));
    domain::log_activity(tx, call.company_id(), call.scope().author(),
                         {"agent.config_rolled_back", "agent", id.str(), json::value{{"revisionId", revision.id.view()}}});
    return {};
  }));
  return agent_answer(call);
}

}  // namespace

void add_agent_update_routes(Routes& routes) {
  routes.patch("/api/agents/{id}", update_agent).entity(agent_kind);
  routes.remove("/api/agents/{id}", delete_agent).entity(agent_kind);
  routes.patch("/api/agents/{id}/permissions", update_permissions).entity(agent_kind);
  routes.get("/api/companies/{companyId}/agent-configurations", list_configurations).company();
  routes.get("/api/agents/{id}/configuration", get_configuration).entity(agent_kind);
  routes.get("/api/agents/{id}/config-revisions", list_revisions).entity(agent_kind);
  routes.get("/api/agents/{id}/config-revisions/{revisionId}", get_revision).entity(agent_kind);
  routes.post("/api/agents/{id}/config-revisions/{revisionId}/rollback", roll_back).entity(agent_kind);
}

}  // namespace paperclip::api
