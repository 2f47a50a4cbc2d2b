#include "domain/access/scope.h"

#include <algorithm>

namespace paperclip::domain {

Actor local_board() {
  Actor actor;
  actor.kind = ActorKind::board;
  actor.source = ActorSource::local_implicit;
  actor.user_id = "local-board";
  actor.user_name = "Local Board";
  actor.is_instance_admin = true;
  return actor;
}

CompanyScope CompanyScope::internal(CompanyId company) {
  Actor actor;
  actor.user_id = "system";
  return CompanyScope(company, std::move(actor));
}

Result<CompanyScope> authorise_company(const Actor& actor, CompanyId company, bool write) {
  if (actor.kind == ActorKind::none) return unauthorized();
  if (actor.is_agent()) {
    if (actor.company_id != company) return forbidden("Agent key cannot access another company");
    return CompanyScope(company, actor);
  }
  if (actor.is_local_implicit()) return CompanyScope(company, actor);
  const auto at = std::find_if(actor.memberships.begin(), actor.memberships.end(),
                               [&](const ActorMembership& m) { return m.company_id == company; });
  if (at == actor.memberships.end()) return forbidden("User does not have access to this company");
  if (write && !actor.is_instance_admin) {
    if (!at->active) return forbidden("User does not have active company access");
    if (at->role == "viewer") return forbidden("Viewer access is read-only");
  }
  return CompanyScope(company, actor);
}

Result<> require_board(const Actor& actor) {
  if (!actor.is_board()) return forbidden("Board access required");
  return {};
}

Result<> require_instance_admin(const Actor& actor, const char* message) {
  if (!actor.is_board()) return forbidden("Board access required");
  if (!actor.is_local_implicit() && !actor.is_instance_admin) return forbidden(message);
  return {};
}

}  // namespace paperclip::domain
