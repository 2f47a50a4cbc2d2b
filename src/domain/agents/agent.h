#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <optional>
#include <string>

#include "base/id.h"
#include "base/json.h"
#include "base/time.h"
#include "domain/actor_type.h"
#include "domain/schema/table_of.h"

/// Agents, their keys and the history of their configuration (spec/organisation.md 2).
namespace paperclip::domain {

enum class AgentStatus { active, paused, idle, running, error, pending_approval, terminated };
BOOST_DESCRIBE_ENUM(AgentStatus, active, paused, idle, running, error, pending_approval, terminated)

/// An employee of a company. Role and adapter are text: imports and plugins bring their own.
struct Agent {
  AgentId id;
  CompanyId company_id;
  std::string name;
  std::string role = "general";
  std::optional<std::string> title;
  std::optional<std::string> icon;
  AgentStatus status = AgentStatus::idle;
  std::optional<AgentId> reports_to;
  std::optional<std::string> capabilities;
  std::string adapter_type = "process";
  RawJson adapter_config{std::string("{}")};
  RawJson runtime_config{std::string("{}")};
  std::optional<EnvironmentId> default_environment_id;
  std::int64_t budget_monthly_cents = 0;
  std::int64_t spent_monthly_cents = 0;
  std::optional<PauseReason> pause_reason;
  std::optional<Timestamp> paused_at;
  RawJson permissions{std::string("{}")};
  std::optional<Timestamp> last_heartbeat_at;
  std::optional<RawJson> metadata;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(Agent, (),
                      (id, company_id, name, role, title, icon, status, reports_to, capabilities, adapter_type,
                       adapter_config, runtime_config, default_environment_id, budget_monthly_cents,
                       spent_monthly_cents, pause_reason, paused_at, permissions, last_heartbeat_at, metadata,
                       created_at, updated_at))
template <>
inline constexpr std::string_view table_of<Agent> = "agents";

/// A long-lived key that acts as its agent.
struct AgentApiKey {
  AgentApiKeyId id;
  AgentId agent_id;
  CompanyId company_id;
  std::string name;
  std::string key_hash;
  std::optional<Timestamp> last_used_at;
  std::optional<Timestamp> revoked_at;
  Timestamp created_at;
};
BOOST_DESCRIBE_STRUCT(AgentApiKey, (), (id, agent_id, company_id, name, key_hash, last_used_at, revoked_at, created_at))
template <>
inline constexpr std::string_view table_of<AgentApiKey> = "agent_api_keys";

/// A change of an agent's configuration, redacted before and after.
struct AgentConfigRevision {
  AgentConfigRevisionId id;
  CompanyId company_id;
  AgentId agent_id;
  std::optional<AgentId> created_by_agent_id;
  std::optional<std::string> created_by_user_id;
  std::string source = "patch";
  std::optional<AgentConfigRevisionId> rolled_back_from_revision_id;
  RawJson changed_keys{std::string("[]")};
  RawJson before_config;
  RawJson after_config;
  Timestamp created_at;
};
BOOST_DESCRIBE_STRUCT(AgentConfigRevision, (),
                      (id, company_id, agent_id, created_by_agent_id, created_by_user_id, source,
                       rolled_back_from_revision_id, changed_keys, before_config, after_config, created_at))
template <>
inline constexpr std::string_view table_of<AgentConfigRevision> = "agent_config_revisions";

}  // namespace paperclip::domain
