#include "domain/agents/agents.h"

#include <algorithm>

#include "base/text.h"
#include "base/write_json.h"
#include "domain/activity/activity.h"
#include "domain/companies/companies.h"
#include "domain/memberships/membership.h"
#include "domain/runs/cancel.h"

namespace paperclip::domain {

namespace {

// The columns of Agent; :1 is the start of the month.
constexpr std::string_view agent_columns =
    "select a.id, a.company_id, a.name, a.role, a.title, a.icon, a.status, a.reports_to, a.capabilities, a.adapter_type, a.adapter_config, "
    "a.runtime_config, a.default_environment_id, a.budget_monthly_cents, "
    "coalesce((select sum(e.cost_cents) from cost_events e where e.company_id = a.company_id and e.agent_id = a.id and e.occurred_at >= :1), 0) "
    "as spent_monthly_cents, a.pause_reason, a.paused_at, a.permissions, a.last_heartbeat_at, a.metadata, a.created_at, a.updated_at from agents a ";

struct ManagerRow {
  AgentId id;
  std::string name, role;
  std::optional<std::string> title;
  std::optional<AgentId> reports_to;
};
BOOST_DESCRIBE_STRUCT(ManagerRow, (), (id, name, role, title, reports_to))

bool may_create_agents(const Agent& agent) {
  const json::value permissions = agent.permissions.parse();
  const auto* flag = member(permissions, "canCreateAgents");
  return flag != nullptr && flag->is_bool() ? flag->get_bool() : agent.role == "ceo";
}

void write_fields(JsonObjectWriter& writer, const Agent& agent, bool restricted) {
  Agent shown = agent;
  if (restricted) shown.adapter_config = shown.runtime_config = RawJson("{}");
  shown.permissions = RawJson(may_create_agents(agent) ? R"({"canCreateAgents":true})" : R"({"canCreateAgents":false})");
  writer.members(shown).field("urlKey", url_key(agent.name, agent.id.view()));
}

Result<std::string> status_of(store::Transaction& tx, const CompanyScope& scope, AgentId agent) {
  auto status = tx.value<std::string>("select status from agents where id = :1 and company_id = :2", agent, scope.company_id());
  if (!status) return not_found("Agent not found");
  return *std::move(status);
}

void log_agent(store::Transaction& tx, const CompanyScope& scope, AgentId agent, std::string_view action, json::value details = nullptr) {
  log_activity(tx, scope.company_id(), scope.author(), {action, "agent", agent.str(), std::move(details)});
}

}  // namespace

const std::vector<std::string_view>& agent_icons() {
  static const std::vector<std::string_view> icons = {
      "bot", "cpu", "brain", "zap", "rocket", "code", "terminal", "shield", "eye", "search", "wrench", "hammer", "lightbulb", "sparkles",
      "star", "heart", "flame", "bug", "cog", "database", "globe", "lock", "mail", "message-square", "file-code", "git-branch", "package",
      "puzzle", "target", "wand", "atom", "circuit-board", "radar", "swords", "telescope", "microscope", "crown", "gem", "hexagon",
      "pentagon", "fingerprint"};
  return icons;
}

bool is_agent_icon(std::string_view name) {
  const auto& icons = agent_icons();
  return std::find(icons.begin(), icons.end(), name) != icons.end();
}

std::string url_key(std::string_view name, std::string_view id) {
  std::string key;
  for (char c : lower(name)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (plain) key += c;
    else if (!key.empty() && key.back() != '-') key += '-';
  }
  while (!key.empty() && key.back() == '-') key.pop_back();
  return key.empty() ? std::string(id) : key;
}

void append_agent_json(std::string& out, const Agent& agent, bool restricted) {
  JsonObjectWriter writer(out);
  write_fields(writer, agent, restricted);
  writer.end();
}

void append_agent_detail_json(std::string& out, store::Reader& reader, const Agent& agent, bool restricted) {
  JsonObjectWriter writer(out);
  write_fields(writer, agent, restricted);

  std::string& chain = writer.begin("chainOfCommand");
  chain += '[';
  std::vector<AgentId> seen{agent.id};
  for (auto manager = agent.reports_to; manager && seen.size() <= 50;) {
    if (std::find(seen.begin(), seen.end(), *manager) != seen.end()) break;
    const auto row = reader.one<ManagerRow>("select id, name, role, title, reports_to from agents where id = :1 and company_id = :2", *manager, agent.company_id);
    if (!row) break;
    if (seen.size() > 1) chain += ',';
    JsonObjectWriter(chain).field("id", row->id).field("name", row->name).field("role", row->role).field("title", row->title).end();
    seen.push_back(row->id);
    manager = row->reports_to;
  }
  chain += ']';

  const auto membership = reader.one<CompanyMembership>(
      "select {} from company_memberships where company_id = :1 and principal_type = 'agent' and principal_id = :2", agent.company_id, agent.id.view());
  const auto grants = reader.all<PrincipalPermissionGrant>(
      "select {} from principal_permission_grants where company_id = :1 and principal_type = 'agent' and principal_id = :2 order by permission_key",
      agent.company_id, agent.id.view());
  const bool granted = std::any_of(grants.begin(), grants.end(), [](const PrincipalPermissionGrant& g) { return g.permission_key == "tasks:assign"; });
  const char* source = agent.role == "ceo" ? "ceo_role" : may_create_agents(agent) ? "agent_creator" : granted ? "explicit_grant" : "none";
  JsonObjectWriter(writer.begin("access"))
      .field("canAssignTasks", std::string_view(source) != "none")
      .field("taskAssignSource", source)
      .field("membership", membership)
      .field("grants", grants)
      .end();
  writer.end();
}

std::optional<Agent> agent_view(store::Reader& reader, AgentId id) {
  static const std::string sql = std::string(agent_columns) + "where a.id = :2";
  return reader.one<Agent>(sql, month_start(reader.now()), id);
}

std::vector<Agent> agents_of_company(store::Reader& reader, CompanyId company) {
  static const std::string sql = std::string(agent_columns) + "where a.company_id = :2 and a.status <> 'terminated' order by a.created_at, a.id limit 10000";
  return reader.all<Agent>(sql, month_start(reader.now()), company);
}

std::string free_agent_name(store::Reader& reader, CompanyId company, const std::string& name, Timestamp now) {
  std::vector<std::string> taken;
  for (const auto& other : reader.column<std::string>("select name from agents where company_id = :1 and status <> 'terminated'", company))
    taken.push_back(url_key(other, ""));
  const auto is_free = [&](const std::string& candidate) {
    return std::find(taken.begin(), taken.end(), url_key(candidate, "")) == taken.end();
  };
  // A name without letters or digits has no shortname that could collide.
  if (url_key(name, "").empty() || is_free(name)) return name;
  for (int n = 2; n <= 100; ++n)
    if (const std::string candidate = name + " " + std::to_string(n); is_free(candidate)) return candidate;
  return name + " " + std::to_string(now.ms);
}

Result<> check_manager_of_new_agent(store::Reader& reader, const CompanyScope& scope, const NewAgent& agent) {
  if (!agent.reports_to) return {};
  const auto home = reader.value<CompanyId>("select company_id from agents where id = :1", *agent.reports_to);
  if (!home) return not_found("Manager not found");
  if (*home != scope.company_id()) return unprocessable("Manager must belong to same company");
  return {};
}

Result<AgentId> insert_agent(store::Transaction& tx, const CompanyScope& scope, const NewAgent& agent) {
  const CompanyId company = scope.company_id();
  TRY(check_manager_of_new_agent(tx, scope, agent));
  Agent row;
  row.id = agent.id ? *agent.id : tx.new_id<AgentId>();
  row.company_id = company;
  row.name = free_agent_name(tx, company, agent.name, tx.now());
  row.role = agent.role;
  row.title = agent.title;
  row.icon = agent.icon;
  row.status = agent.status;
  row.reports_to = agent.reports_to;
  row.capabilities = agent.capabilities;
  row.adapter_type = agent.adapter_type;
  row.adapter_config = RawJson(json::value(agent.adapter_config));
  row.runtime_config = RawJson(json::value(agent.runtime_config));
  row.default_environment_id = agent.default_environment_id;
  row.budget_monthly_cents = agent.budget_monthly_cents;
  row.permissions = RawJson(json::value{{"canCreateAgents", agent.can_create_agents}});
  if (agent.metadata) row.metadata = RawJson(json::value(*agent.metadata));
  row.created_at = row.updated_at = tx.now();
  tx.insert("agents", row);
  const std::optional<std::string> granted_by = scope.author().user_id();
  tx.insert("company_memberships", CompanyMembership{tx.new_id<MembershipId>(), company, PrincipalType::agent, row.id.str(), MembershipStatus::active, "member", tx.now(), tx.now()});
  tx.insert("principal_permission_grants",
            PrincipalPermissionGrant{tx.new_id<AnyId>(), company, PrincipalType::agent, row.id.str(), "tasks:assign", std::nullopt, granted_by, tx.now(), tx.now()});
  return row.id;
}

Result<> pause_agent(store::Transaction& tx, const CompanyScope& scope, AgentId agent) {
  if (TRY(status_of(tx, scope, agent)) == "terminated") return conflict("Cannot pause terminated agent");
  tx.execute("update agents set status = 'paused', pause_reason = 'manual', paused_at = :1, updated_at = :2 where id = :3", tx.now(), tx.now(), agent);
  cancel_runs_of_agent(tx, scope.company_id(), agent);
  log_agent(tx, scope, agent, "agent.paused");
  return {};
}

Result<> resume_agent(store::Transaction& tx, const CompanyScope& scope, AgentId agent) {
  const std::string status = TRY(status_of(tx, scope, agent));
  if (status == "terminated") return conflict("Cannot resume terminated agent");
  if (status == "pending_approval") return conflict("Pending approval agents cannot be resumed");
  tx.execute("update agents set status = 'idle', pause_reason = null, paused_at = null, updated_at = :1 where id = :2", tx.now(), agent);
  log_agent(tx, scope, agent, "agent.resumed");
  return {};
}

Result<> approve_agent(store::Transaction& tx, const CompanyScope& scope, AgentId agent) {
  TRY(status_of(tx, scope, agent));
  if (tx.execute("update agents set status = 'idle', updated_at = :1 where id = :2 and status = 'pending_approval'", tx.now(), agent) == 0)
    return conflict("Only pending approval agents can be approved");
  log_agent(tx, scope, agent, "agent.approved", json::value{{"source", "agent_detail"}});
  return {};
}

Result<> terminate_agent(store::Transaction& tx, const CompanyScope& scope, AgentId agent) {
  TRY(status_of(tx, scope, agent));
  tx.execute("update agents set status = 'terminated', pause_reason = null, paused_at = null, updated_at = :1 where id = :2", tx.now(), agent);
  tx.execute("update agent_api_keys set revoked_at = :1 where agent_id = :2 and revoked_at is null", tx.now(), agent);
  cancel_runs_of_agent(tx, scope.company_id(), agent);
  log_agent(tx, scope, agent, "agent.terminated");
  return {};
}

Result<AgentKeyView> create_agent_key(store::Transaction& tx, const CompanyScope& scope, AgentId agent, const std::string& name, const std::string& token_hash) {
  const std::string status = TRY(status_of(tx, scope, agent));
  if (status == "pending_approval") return conflict("Cannot create keys for pending approval agents");
  if (status == "terminated") return conflict("Cannot create keys for terminated agents");
  const AgentKeyView key{tx.new_id<AgentApiKeyId>(), name, tx.now(), std::nullopt};
  tx.execute("insert into agent_api_keys (id, agent_id, company_id, name, key_hash, created_at) values (:1, :2, :3, :4, :5, :6)", key.id,
             agent, scope.company_id(), name, token_hash, tx.now());
  log_agent(tx, scope, agent, "agent.key_created", json::value{{"keyId", key.id.view()}, {"name", name}});
  return key;
}

Result<> revoke_agent_key(store::Transaction& tx, const CompanyScope& scope, AgentId agent, std::string_view key_id) {
  const auto id = AnyId::parse(key_id);
  if (!id) return not_found("Key not found");
  const auto name = tx.value<std::string>("select name from agent_api_keys where id = :1 and agent_id = :2", *id, agent);
  if (!name) return not_found("Key not found");
  tx.execute("update agent_api_keys set revoked_at = coalesce(revoked_at, :1) where id = :2", tx.now(), *id);
  log_agent(tx, scope, agent, "agent.key_revoked", json::value{{"keyId", id->view()}, {"name", *name}});
  return {};
}

}  // namespace paperclip::domain
