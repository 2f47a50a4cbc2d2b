#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/fields.h"
#include "base/secret.h"
#include "domain/access/scope.h"
#include "domain/agents/agent.h"
#include "store/transaction.h"

/// Agents (spec/organisation.md 2).
namespace paperclip::domain {

/// True for one of the 41 icon names (spec/organisation.md 2.1).
bool is_agent_icon(std::string_view name);
const std::vector<std::string_view>& agent_icons();

/// The agents' shortname: lower-case name, runs of other characters as `-`; the id if nothing is left.
std::string url_key(std::string_view name, std::string_view id);

/// The wire object: the row, `urlKey`, and permissions in their normal form. `restricted` blanks the two configurations.
void append_agent_json(std::string& out, const Agent& agent, bool restricted = false);
/// The same with `chainOfCommand` and `access`.
void append_agent_detail_json(std::string& out, store::Reader& reader, const Agent& agent, bool restricted = false);

/// Nothing for an unknown id. Spending is that of the current UTC month.
std::optional<Agent> agent_view(store::Reader& reader, AgentId id);
/// All but terminated ones.
std::vector<Agent> agents_of_company(store::Reader& reader, CompanyId company);

/// `{name}` if its shortname is free in the company, else `{name} 2` … (spec/organisation.md 2.6 step 11).
std::string free_agent_name(store::Reader& reader, CompanyId company, const std::string& name, Timestamp now);

/// What an agent is made of; every value is already checked and normalised by the caller but the manager and the name.
struct NewAgent {
  std::optional<AgentId> id;  // chosen by the caller when files are named after it; else a fresh one
  std::string name, role = "general";
  std::optional<std::string> title, icon, capabilities;
  std::optional<AgentId> reports_to;
  std::string adapter_type = "process";
  json::object adapter_config, runtime_config;
  std::optional<EnvironmentId> default_environment_id;
  std::int64_t budget_monthly_cents = 0;
  bool can_create_agents = false;
  std::optional<json::object> metadata;
  AgentStatus status = AgentStatus::idle;
};

/// 404 `Manager not found`, 422 `Manager must belong to same company`.
Result<> check_manager_of_new_agent(store::Reader& reader, const CompanyScope& scope, const NewAgent& agent);

/// Inserts the agent with its membership and its grant `tasks:assign`. 404 `Manager not found`, 422 `Manager must belong
/// to same company`. Writes no activity: creation and hiring log different ones.
Result<AgentId> insert_agent(store::Transaction& tx, const CompanyScope& scope, const NewAgent& agent);

/// Pause, resume, approve, terminate (spec/organisation.md 2.10). Pausing and terminating cancel the agent's live runs.
Result<> pause_agent(store::Transaction& tx, const CompanyScope& scope, AgentId agent);
Result<> resume_agent(store::Transaction& tx, const CompanyScope& scope, AgentId agent);
Result<> approve_agent(store::Transaction& tx, const CompanyScope& scope, AgentId agent);
Result<> terminate_agent(store::Transaction& tx, const CompanyScope& scope, AgentId agent);

/// A key of an agent as lists show it.
struct AgentKeyView {
  AgentApiKeyId id;
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
