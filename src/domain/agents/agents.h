#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/fields.h"
#include "base/secret.h"
#include "domain/access/scope.h"
#include "store/transaction.h"

/// Agents (spec/organisation.md 2).
namespace paperclip::domain {

/// The columns of an agent, as the wire shows them.
struct AgentView {
  AgentId id;
  CompanyId company_id;
  std::string name, role;
  std::optional<std::string> title, icon;
  std::string status;
  std::optional<AgentId> reports_to;
  std::optional<std::string> capabilities;
  std::string adapter_type;
  RawJson adapter_config, runtime_config;
  std::optional<EnvironmentId> default_environment_id;
  std::int64_t budget_monthly_cents = 0, spent_monthly_cents = 0;
  std::optional<std::string> pause_reason;
  std::optional<Timestamp> paused_at;
  RawJson permissions;
  std::optional<Timestamp> last_heartbeat_at;
  std::optional<RawJson> metadata;
  Timestamp created_at, updated_at;
};
BOOST_DESCRIBE_STRUCT(AgentView, (), (id, company_id, name, role, title, icon, status, reports_to, capabilities, adapter_type,
                                      adapter_config, runtime_config, default_environment_id, budget_monthly_cents,
                                      spent_monthly_cents, pause_reason, paused_at, permissions, last_heartbeat_at, metadata,
                                      created_at, updated_at))

/// True for one of the 41 icon names (spec/organisation.md 2.1).
bool is_agent_icon(std::string_view name);
const std::vector<std::string_view>& agent_icons();

/// The agents' shortname: lower-case name, runs of other characters as `-`; the id if nothing is left.
std::string url_key(std::string_view name, std::string_view id);

/// The wire object: the row, `urlKey`, and permissions in their normal form. `restricted` blanks the two configurations.
void append_agent_json(std::string& out, const AgentView& agent, bool restricted = false);
/// The same with `chainOfCommand` and `access`.
void append_agent_detail_json(std::string& out, store::Reader& reader, const AgentView& agent, bool restricted = false);

/// Nothing for an unknown id. Spending is that of the current UTC month.
std::optional<AgentView> agent_view(store::Reader& reader, AgentId id);
/// All but terminated ones.
std::vector<AgentView> agents_of_company(store::Reader& reader, CompanyId company);

/// `{name}` if its shortname is free in the company, else `{name} 2` … (spec/organisation.md 2.6 step 11).
std::string free_agent_name(store::Reader& reader, CompanyId company, const std::string& name, Timestamp now);

/// What an agent is made of; every value is already checked and normalised by the caller but the manager and the name.
struct NewAgent {
  std::string name, role = "general";
  std::optional<std::string> title, icon, capabilities;
  std::optional<AgentId> reports_to;
  std::string adapter_type = "process";
  json::object adapter_config, runtime_config;
  std::optional<EnvironmentId> default_environment_id;
  std::int64_t budget_monthly_cents = 0;
  bool can_create_agents = false;
  std::optional<json::object> metadata;
  std::string status = "idle";
};

/// Inserts the agent with its membership and its grant `tasks:assign`. 404 `Manager not found`, 422 `Manager must belong
/// to same company`. Writes no activity: creation and hiring log different ones.
Result<AgentId> insert_agent(store::Transaction& tx, const CompanyScope& scope, const NewAgent& agent);

/// Pause, resume, approve, terminate (spec/organisation.md 2.10). Runs of the agent are cancelled by the engine, which
/// the emitted `agent.paused` / `agent.terminated` activities reach.
Result<> pause_agent(store::Transaction& tx, const CompanyScope& scope, AgentId agent);
Result<> resume_agent(store::Transaction& tx, const CompanyScope& scope, AgentId agent);
Result<> approve_agent(store::Transaction& tx, const CompanyScope& scope, AgentId agent);
Result<> terminate_agent(store::Transaction& tx, const CompanyScope& scope, AgentId agent);

/// A key of an agent as lists show it.
struct AgentKeyView {
  AnyId id;
  std::string name;
  Timestamp created_at;
  std::optional<Timestamp> revoked_at;
};
BOOST_DESCRIBE_STRUCT(AgentKeyView, (), (id, name, created_at, revoked_at))

/// 409 for pending and terminated agents. Only the hash of the token is stored.
Result<AgentKeyView> create_agent_key(store::Transaction& tx, const CompanyScope& scope, AgentId agent, const std::string& name,
                                      const std::string& token_hash);
/// 404 `Key not found`.
Result<> revoke_agent_key(store::Transaction& tx, const CompanyScope& scope, AgentId agent, std::string_view key_id);

}  // namespace paperclip::domain
