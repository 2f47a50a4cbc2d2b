#include <algorithm>

#include "api/agent_kind.h"
#include "api/all_routes.h"
#include "api/run_kind.h"
#include "api/services.h"
#include "base/crypto.h"
#include "domain/access/permissions.h"
#include "domain/activity/activity.h"
#include "domain/agents/agents.h"
#include "store/database.h"

namespace paperclip::api {

namespace {

using AgentRow = domain::Agent;

struct CreateKeyBody {
  Default<Text<1>> name{Text<1>("default")};
};
BOOST_DESCRIBE_STRUCT(CreateKeyBody, (), (name))

// Whether the caller sees other agents' configurations.
bool sees_configurations(store::Reader& reader, const Call& call, std::optional<AgentId> agent) {
  if (agent && call.actor.is_agent() && call.actor.agent_id == agent) return true;
  return domain::can_create_agents(reader, call.scope());
}

std::string agent_json(const AgentRow& agent) {
  std::string body;
  domain::append_agent_json(body, agent);
  return body;
}

Result<AgentRow> current(Call& call) {
  auto agent = call.services.database.read([&](store::Reader& reader) { return domain::agent_view(reader, call.entity<AgentId>()); });
  if (!agent) return not_found("Agent not found");
  return *std::move(agent);
}

Result<Answer> list_agents(Call& call) {
  if (!call.query.all().empty()) {
    std::vector<std::string> sorted;
    for (const auto& [name, value] : call.query.all()) sorted.push_back(name);
    std::sort(sorted.begin(), sorted.end());
    std::string names;
    for (const auto& name : sorted) (names += names.empty() ? "" : ", ") += name;
    return bad_request((call.query.all().size() == 1 ? "Unsupported query parameter: " : "Unsupported query parameters: ") + names);
  }
  return ok_json(call.services.database.read([&](store::Reader& reader) {
    const bool restricted = !sees_configurations(reader, call, std::nullopt);
    std::string body = "[";
    for (const auto& agent : domain::agents_of_company(reader, call.company_id())) {
      if (body.size() > 1) body += ',';
      domain::append_agent_json(body, agent, restricted);
    }
    return body + "]";
  }));
}

Result<Answer> agent_detail(Call& call, AgentId id) {
  return call.services.database.read([&](store::Reader& reader) -> Result<Answer> {
    const auto agent = domain::agent_view(reader, id);
    if (!agent) return not_found("Agent not found");
    std::string body;
    domain::append_agent_detail_json(body, reader, *agent, !sees_configurations(reader, call, id));
    return ok_json(std::move(body));
  });
}

Result<Answer> get_agent(Call& call) { return agent_detail(call, call.entity<AgentId>()); }

Result<Answer> get_me(Call& call) {
  call.company_scope.emplace(TRY(domain::authorise_company(call.actor, *call.actor.company_id, false)));
  return agent_detail(call, *call.actor.agent_id);
}

template <Result<> (*Rule)(store::Transaction&, const domain::CompanyScope&, AgentId)>
Result<Answer> change_lifecycle(Call& call) {
  TRY(call.services.database.write([&](store::Transaction& tx) -> Result<> {
    TRY(domain::require_manage_agents(tx, call.scope()));
    return Rule(tx, call.scope(), call.entity<AgentId>());
  }));
  settle_cancelled(call.services);
  return ok_json(agent_json(TRY(current(call))));
}

Result<Answer> list_keys(Call& call) {
  return call.services.database.read([&](store::Reader& reader) -> Result<Answer> {
    TRY(domain::require_manage_agents(reader, call.scope()));
    return ok(reader.all<domain::AgentKeyView>("select {} from agent_api_keys where agent_id = :1 order by created_at desc, id desc", call.entity<AgentId>()));
  });
}

Result<Answer> create_key(Call& call, const CreateKeyBody& body) {
  const std::string token = "pcp_" + call.services.random.hex(24);
  const std::string hash = sha256_hex(token);
  const auto key = TRY(call.services.database.write([&](store::Transaction& tx) -> Result<domain::AgentKeyView> {
    TRY(domain::require_manage_agents(tx, call.scope()));
    return domain::create_agent_key(tx, call.scope(), call.entity<AgentId>(), *body.name, hash);
  }));
  std::string out;
  JsonObjectWriter(out).field("id", key.id).field("name", key.name).field("token", token).field("createdAt", key.created_at).end();
  return ok_json(std::move(out), 201);
}

Result<Answer> revoke_key(Call& call) {
  TRY(call.services.database.write([&](store::Transaction& tx) -> Result<> {
    TRY(domain::require_manage_agents(tx, call.scope()));
    return domain::revoke_agent_key(tx, call.scope(), call.entity<AgentId>(), call.param("keyId"));
  }));
  return ok_true();
}

struct OrgRow {
  AgentId id;
  std::string name, role, status;
  std::optional<AgentId> reports_to;
};
BOOST_DESCRIBE_STRUCT(OrgRow, (), (id, name, role, status, reports_to))

void append_reports(std::string& out, const std::vector<OrgRow>& rows, const std::optional<AgentId>& manager, int depth) {
  out += '[';
  bool first = true;
  for (const auto& row : rows) {
    if (row.reports_to != manager || depth > 50) continue;
    if (!first) out += ',';
    first = false;
    JsonObjectWriter writer(out);
    writer.field("id", row.id).field("name", row.name).field("role", row.role).field("status", row.status);
    append_reports(writer.begin("reports"), rows, row.id, depth + 1);
    writer.end();
  }
  out += ']';
}

Result<Answer> org_chart(Call& call) {
  const auto rows = call.services.database.read([&](store::Reader& reader) {
    return reader.all<OrgRow>("select {} from agents where company_id = :1 and status <> 'terminated' order by created_at, id limit 10000", call.company_id());
  });
  std::string body;
  append_reports(body, rows, std::nullopt, 0);
  return ok_json(std::move(body));
}

Result<std::optional<Located>> locate_agent(store::Reader& reader, const Call& call, std::string_view reference) {
  if (is_strict_uuid(reference)) {
    const auto company = reader.value<CompanyId>("select company_id from agents where id = :1", *AgentId::parse(reference));
    if (!company) return std::optional<Located>();
    return std::optional<Located>({*company, AgentId::parse(reference)->str()});
  }
  // A shortname: of the agent's own company, or of the one the query names (spec/organisation.md 2.3).
  std::optional<CompanyId> company = call.actor.company_id;
  if (const auto named = call.query.text("companyId")) {
    company = CompanyId::parse(*named);
    if (!company) return std::optional<Located>();
    TRY(domain::authorise_company(call.actor, *company, false));
  }
  if (!company) return unprocessable("Agent shortname lookup requires companyId query parameter");
  std::vector<std::string> matches;
  reader.each<std::pair<AgentId, std::string>>(
      "select id, name from agents where company_id = :1 and status <> 'terminated'",
      [&](const std::pair<AgentId, std::string>& agent) {
        if (equals_ignoring_case(domain::url_key(agent.second, agent.first.view()), reference)) matches.push_back(agent.first.str());
      },
      *company);
  if (matches.empty()) return std::optional<Located>();
  if (matches.size() > 1) return conflict("Agent shortname is ambiguous in this company. Use the agent ID.");
  return std::optional<Located>({*company, matches.front()});
}

}  // namespace

const EntityKind agent_kind{"Agent not found", locate_agent};

void add_agent_routes(Routes& routes) {
  routes.get("/api/companies/{companyId}/agents", list_agents).company();
  routes.get("/api/companies/{companyId}/org", org_chart).company();
  routes.get("/api/agents/me", get_me).callers(agent, "Agent authentication required", 401);
  routes.get("/api/agents/{id}", get_agent).entity(agent_kind);
  routes.post("/api/agents/{id}/pause", change_lifecycle<domain::pause_agent>).entity(agent_kind);
  routes.post("/api/agents/{id}/resume", change_lifecycle<domain::resume_agent>).entity(agent_kind);
  routes.post("/api/agents/{id}/approve", change_lifecycle<domain::approve_agent>).entity(agent_kind);
  routes.post("/api/agents/{id}/terminate", change_lifecycle<domain::terminate_agent>).entity(agent_kind);
  routes.get("/api/agents/{id}/keys", list_keys).entity(agent_kind);
  routes.post("/api/agents/{id}/keys", create_key).entity(agent_kind);
  routes.remove("/api/agents/{id}/keys/{keyId}", revoke_key).entity(agent_kind);
}

}  // namespace paperclip::api
