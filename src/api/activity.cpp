#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "api/all_routes.h"
#include "api/services.h"
#include "domain/activity/activity.h"
#include "domain/activity/activity_log.h"
#include "domain/redaction/redaction.h"
#include "store/database.h"

namespace paperclip::api {

namespace {

struct CreateActivityBody {
  Default<domain::ActorType> actor_type{domain::ActorType::system};
  Text<1> actor_id, action, entity_type, entity_id;
  std::optional<AgentId> agent_id;
  std::optional<JsonObject> details;
};
BOOST_DESCRIBE_STRUCT(CreateActivityBody, (), (actor_type, actor_id, action, entity_type, entity_id, agent_id, details))

// `limit`: whole, 1..500; anything that is no number is the default.
int list_limit(const Query& query) {
  const auto text = query.text("limit");
  if (!text) return 100;
  char* end = nullptr;
  const double number = std::strtod(text->c_str(), &end);
  if (end == text->c_str() || *end != '\0' || std::isnan(number)) return 100;
  return static_cast<int>(std::clamp(std::floor(number), 1.0, 500.0));
}

// A row on a hidden issue is left out.
Result<Answer> list_activity(Call& call) {
  const auto agent = call.query.text("agentId"), type = call.query.text("entityType"), entity = call.query.text("entityId");
  std::string body = "[";
  const auto append = [&](const domain::ActivityLog& row) {
    if (body.size() > 1) body += ',';
    append_json(body, row);
  };
  call.services.database.read([&](store::Reader& reader) {
    std::string sql = "select {a} from activity_log a where a.company_id = :1";
    // The filters are few; each combination is a statement of its own.
    std::vector<std::string> filters;
    if (agent) sql += " and a.agent_id = :" + std::to_string((filters.push_back(*agent), filters.size() + 1));
    if (type) sql += " and a.entity_type = :" + std::to_string((filters.push_back(*type), filters.size() + 1));
    if (entity) sql += " and a.entity_id = :" + std::to_string((filters.push_back(*entity), filters.size() + 1));
    sql += std::string(" and not (a.entity_type = 'issue' and exists (select 1 from issues i where cast(i.id as text) = a.entity_id and i.hidden_at is not null))"
           " order by a.created_at desc, a.ordinal desc, a.id desc limit ") + std::to_string(list_limit(call.query));
    if (agent && !AgentId::parse(*agent)) return 0;
    if (filters.empty()) reader.each<domain::ActivityLog>(sql, append, call.company_id());
    else if (filters.size() == 1) reader.each<domain::ActivityLog>(sql, append, call.company_id(), filters[0]);
    else if (filters.size() == 2) reader.each<domain::ActivityLog>(sql, append, call.company_id(), filters[0], filters[1]);
    else reader.each<domain::ActivityLog>(sql, append, call.company_id(), filters[0], filters[1], filters[2]);
    return 0;
  });
  return ok_json(body + "]");
}

// A plain insert: neither a live event nor a plugin event (spec/work-domain.md 5.2).
Result<Answer> create_activity(Call& call, const CreateActivityBody& body) {
  domain::ActivityLog row{ActivityId(), call.company_id(), *body.actor_type, body.actor_id, body.action, body.entity_type, body.entity_id,
                  body.agent_id, std::nullopt, std::nullopt, Timestamp{}};
  if (body.details) row.details = RawJson(domain::redact(json::value(body.details->value)));
  TRY(call.services.database.write([&](store::Transaction& tx) -> Result<> {
    if (!tx.exists("select 1 from companies where id = :1", call.company_id())) return not_found("Company not found");
    if (body.agent_id && !tx.exists("select 1 from agents where id = :1 and company_id = :2", *body.agent_id, call.company_id()))
      return unprocessable("Agent must belong to same company");
    row.id = tx.new_id<ActivityId>();
    row.created_at = tx.now();
    tx.insert("activity_log", row);
    domain::note_activity(tx, call.company_id(), body.action, body.entity_type, body.entity_id);
    return {};
  }));
  return created(row);
}

}  // namespace

void add_activity_routes(Routes& routes) {
  routes.get("/api/companies/{companyId}/activity", list_activity).company();
  routes.post("/api/companies/{companyId}/activity", create_activity).company().callers(board);
}

}  // namespace paperclip::api
