#pragma once

#include <string>
#include <vector>

#include "base/fields.h"
#include "domain/access/scope.h"
#include "domain/agents/adapter_rules.h"
#include "domain/agents/agent.h"
#include "store/transaction.h"

/// Checks of an agent's configuration that creation, hiring and updates share (spec/organisation.md 2.6).
namespace paperclip::domain {

/// True if `env`, when present, is a map of strings and bindings.
bool has_valid_env_shape(const json::object& adapter_config);

/// 403 when an agent sends instruction keys or host-executed workspace commands, in the configuration itself or in a
/// model profile of the runtime configuration; the message lists the paths. Boards may send anything.
Result<> refuse_agent_only_keys(const Actor& actor, const json::object* adapter_config, const json::object* runtime_config);

/// The default environment must be the company's and of a driver the adapter can use; `creating` also asks that it is
/// active, and picks the wording (spec/organisation.md 2.6 step 9, environments.md 7.2).
Result<> check_default_environment(store::Reader& reader, const CompanyScope& scope, const AdapterRules& adapters,
                                   std::string_view adapter_type, const std::optional<EnvironmentId>& environment, bool creating);

/// `heartbeat.enabled` false unless boolean, `heartbeat.maxConcurrentRuns` 20 unless a number.
void fill_heartbeat_defaults(json::object& runtime_config);

/// The shared keys that survive a change of adapter type (spec/organisation.md 2.8).
const std::vector<std::string_view>& instruction_keys();

}  // namespace paperclip::domain
