#include "api/agent_kind.h"
#include "api/all_routes.h"
#include "api/issue_kind.h"
#include "api/services.h"
#include "domain/waiting/why.h"
#include "heartbeat/engine.h"
#include "store/database.h"

/// "Why is it not running?" (OURS; docs/decisions/0010).
namespace paperclip::api {

namespace {

domain::MachineSlots slots_of(const Services& services) {
  if (services.engine == nullptr) return {};
  return {services.engine->live_runs(), services.engine->most_live_runs()};
}

Result<Answer> why_agent(Call& call) {
  return call.services.database.read([&](store::Reader& reader) -> Result<Answer> {
    std::string body;
    if (!domain::append_agent_why(body, reader, call.entity<AgentId>(), slots_of(call.services))) return not_found("Agent not found");
    return ok_json(std::move(body));
  });
}

Result<Answer> why_issue(Call& call) {
  return call.services.database.read([&](store::Reader& reader) -> Result<Answer> {
    std::string body;
    if (!domain::append_issue_why(body, reader, call.entity<IssueId>(), slots_of(call.services))) return not_found("Issue not found");
    return ok_json(std::move(body));
  });
}

}  // namespace

void add_why_routes(Routes& routes) {
  routes.get("/api/agents/{id}/why", why_agent).entity(agent_kind);
  routes.get("/api/issues/{id}/why", why_issue).entity(issue_kind);
}

}  // namespace paperclip::api
