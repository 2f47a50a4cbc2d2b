#pragma once

#include <string_view>

#include "base/result.h"
#include "domain/access/scope.h"
#include "store/reader.h"

/// Grants and roles (spec/platform.md 4.1, spec/organisation.md 2.4, spec/issues.md 0.5).
namespace paperclip::domain {

/// An active membership and a grant row for that key.
bool has_grant(store::Reader& reader, CompanyId company, std::string_view principal_type, std::string_view principal_id,
               std::string_view permission_key);

/// What a decision about an agent caller needs of its row.
struct AgentStanding {
  bool is_ceo = false;
  bool can_create_agents = false;
};
AgentStanding agent_standing(store::Reader& reader, AgentId agent);

/// Local board, instance admin or a grant `agents:create`; an agent with the grant or `canCreateAgents`.
bool can_create_agents(store::Reader& reader, const CompanyScope& scope);
/// The same as an error: 403 `Missing permission: agents:create` / `Missing permission: can create agents`.
Result<> require_create_agents(store::Reader& reader, const CompanyScope& scope);
/// The "manage" level: as `require_create_agents` for boards, 403 `Board access required` for agents.
Result<> require_manage_agents(store::Reader& reader, const CompanyScope& scope);
/// 403 `Missing permission: tasks:assign` unless the caller may assign work.
Result<> require_assign_tasks(store::Reader& reader, const CompanyScope& scope);

}  // namespace paperclip::domain
