#pragma once

#include "base/fields.h"
#include "domain/access/scope.h"
#include "domain/agents/adapter_rules.h"
#include "domain/agents/agent.h"
#include "store/transaction.h"

/// Changing an agent, and the record of what its configuration was (spec/organisation.md 2.8, 2.9).
namespace paperclip::domain {

/// What an update may change; the wire's body is read into it.
struct AgentChanges {
  Omit<std::string> name, role;
  Patch<std::string> title, icon, capabilities;
  Patch<AgentId> reports_to;
  Omit<std::string> adapter_type;
  Omit<JsonObject> adapter_config;
  bool replace_adapter_config = false;
  Omit<JsonObject> runtime_config;
  Patch<EnvironmentId> default_environment_id;
  Omit<std::int64_t> budget_monthly_cents, spent_monthly_cents;
  Patch<JsonObject> metadata;
  Omit<AgentStatus> status;
};

/// How the change is remembered.
struct RevisionSource {
  std::string source = "patch";
  std::optional<AgentConfigRevisionId> rolled_back_from;
};

/// Applies the changes and writes a revision if a tracked field really differs. Writes no activity.
/// `strict_secrets` as for `normalise_env`. Errors as in spec/organisation.md 2.8.
Result<> update_agent(store::Transaction& tx, const CompanyScope& scope, AgentId id, const AgentChanges& changes, const AdapterRules& adapters,
                      bool strict_secrets, const RevisionSource& source = {});

/// The changes that bring a stored snapshot back. 422 `Cannot roll back a revision that contains redacted secret values`,
/// 422 `Invalid revision snapshot…`.
Result<AgentChanges> changes_of_snapshot(const json::value& snapshot);

/// The agent, or a caller that may change any: itself, a CEO, or whoever may create agents (spec/organisation.md 2.4).
Result<> require_update_agent(store::Reader& reader, const CompanyScope& scope, AgentId target);

/// Stores `canCreateAgents` and the grant `tasks:assign` that follows from it.
Result<> set_agent_permissions(store::Transaction& tx, const CompanyScope& scope, AgentId agent, bool can_create_agents, bool can_assign_tasks);

/// Removes the agent and what is only about it; what it did elsewhere stays, without its name (OURS: the reference
/// fails once costs refer to it). 404 `Agent not found`; 409 while it has a live run.
Result<> delete_agent(store::Transaction& tx, const CompanyScope& scope, AgentId agent);

}  // namespace paperclip::domain
