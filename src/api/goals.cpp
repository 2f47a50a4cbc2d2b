#include "api/all_routes.h"
#include "api/services.h"
#include "domain/goals/goals.h"
#include "store/database.h"

namespace paperclip::api {

namespace {

Result<std::optional<Located>> locate_goal(store::Reader& reader, const Call&, std::string_view reference) {
  const auto id = GoalId::parse(reference);
  if (!id) return std::optional<Located>();
  const auto company = reader.value<CompanyId>("select company_id from goals where id = :1", *id);
  if (!company) return std::optional<Located>();
  return std::optional<Located>({*company, id->str()});
}
constexpr EntityKind goal_kind{"Goal not found", locate_goal};

Result<Answer> list_goals(Call& call) {
  return ok(call.services.database.read([&](store::Reader& reader) {
    return reader.all<domain::Goal>("select {} from goals where company_id = :1 order by created_at, id limit 10000", call.company_id());
  }));
}

Result<Answer> get_goal(Call& call) {
  const auto goal = call.services.database.read(
      [&](store::Reader& reader) { return reader.one<domain::Goal>("select {} from goals where id = :1", call.entity<GoalId>()); });
  if (!goal) return not_found("Goal not found");
  return ok(*goal);
}

Result<Answer> create_goal(Call& call, const domain::NewGoal& body) {
  return created(TRY(call.services.database.write([&](store::Transaction& tx) { return domain::create_goal(tx, call.scope(), body); })));
}

Result<Answer> update_goal(Call& call, const domain::GoalPatch& body) {
  return ok(TRY(call.services.database.write(
      [&](store::Transaction& tx) { return domain::update_goal(tx, call.scope(), call.entity<GoalId>(), body, *call.body); })));
}

Result<Answer> delete_goal(Call& call) {
  return ok(TRY(call.services.database.write([&](store::Transaction& tx) { return domain::delete_goal(tx, call.scope(), call.entity<GoalId>()); })));
}

}  // namespace

void add_goal_routes(Routes& routes) {
  routes.get("/api/companies/{companyId}/goals", list_goals).company();
  routes.post("/api/companies/{companyId}/goals", create_goal).company();
  routes.get("/api/goals/{id}", get_goal).entity(goal_kind);
  routes.patch("/api/goals/{id}", update_goal).entity(goal_kind);
  routes.remove("/api/goals/{id}", delete_goal).entity(goal_kind);
}

}  // namespace paperclip::api
