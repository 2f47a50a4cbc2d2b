#include "domain/access/permissions.h"

#include <boost/describe/class.hpp>

#include "base/json.h"

namespace paperclip::domain {

namespace {

struct StandingRow {
  std::string role;
  RawJson permissions;
};
BOOST_DESCRIBE_STRUCT(StandingRow, (), (role, permissions))

bool board_may(store::Reader& reader, const CompanyScope& scope, std::string_view key) {
  const Actor& actor = scope.actor();
  if (actor.is_local_implicit() || actor.is_instance_admin) return true;
  return !actor.user_id.empty() && has_grant(reader, scope.company_id(), "user", actor.user_id, key);
}

}  // namespace

bool has_grant(store::Reader& reader, CompanyId company, std::string_view principal_type, std::string_view principal_id,
               std::string_view permission_key) {
  return reader.exists(
      "select 1 from company_memberships m join principal_permission_grants g on g.company_id = m.company_id "
      "and g.principal_type = m.principal_type and g.principal_id = m.principal_id "
      "where m.company_id = :1 and m.principal_type = :2 and m.principal_id = :3 and m.status = 'active' and g.permission_key = :4",
      company, principal_type, principal_id, permission_key);
}

AgentStanding agent_standing(store::Reader& reader, AgentId agent) {
  const auto row = reader.one<StandingRow>("select role, permissions from agents where id = :1", agent);
  if (!row) return {};
  const json::value permissions = row->permissions.parse();
  const auto* flag = member(permissions, "canCreateAgents");
  const bool is_ceo = row->role == "ceo";
  return {is_ceo, flag != nullptr && flag->is_bool() ? flag->get_bool() : is_ceo};
}

bool can_create_agents(store::Reader& reader, const CompanyScope& scope) {
  const Actor& actor = scope.actor();
  if (!actor.is_agent()) return board_may(reader, scope, "agents:create");
  return agent_standing(reader, *actor.agent_id).can_create_agents ||
         has_grant(reader, scope.company_id(), "agent", actor.agent_id->view(), "agents:create");
}

Result<> require_create_agents(store::Reader& reader, const CompanyScope& scope) {
  if (can_create_agents(reader, scope)) return {};
  return forbidden(scope.actor().is_agent() ? "Missing permission: can create agents" : "Missing permission: agents:create");
}

Result<> require_manage_agents(store::Reader& reader, const CompanyScope& scope) {
  if (scope.actor().is_agent()) return forbidden("Board access required");
  return require_create_agents(reader, scope);
}

Result<> require_assign_tasks(store::Reader& reader, const CompanyScope& scope) {
  const Actor& actor = scope.actor();
  if (!actor.is_agent()) {
    if (board_may(reader, scope, "tasks:assign")) return {};
    return forbidden("Missing permission: tasks:assign");
  }
  if (has_grant(reader, scope.company_id(), "agent", actor.agent_id->view(), "tasks:assign")) return {};
  const auto standing = agent_standing(reader, *actor.agent_id);
  if (standing.is_ceo || standing.can_create_agents) return {};
  return forbidden("Missing permission: tasks:assign");
}

}  // namespace paperclip::domain
