#include "domain/goals/goals.h"

#include "domain/activity/activity.h"

namespace paperclip::domain {

namespace {

Result<> check_references(store::Reader& reader, const CompanyScope& scope, const std::optional<GoalId>& parent,
                          const std::optional<AgentId>& owner, const std::optional<GoalId>& self) {
  if (parent) {
    if (parent == self) return unprocessable("A goal cannot be its own parent");
    if (!reader.exists("select 1 from goals where id = :1 and company_id = :2", *parent, scope.company_id()))
      return unprocessable("Parent goal must belong to same company");
    std::optional<GoalId> above = parent;
    for (int depth = 0; above && self && depth < 100; ++depth) {
      above = reader.value<GoalId>("select parent_id from goals where id = :1", *above);
      if (above == self) return unprocessable("Goal parents cannot form a cycle");
    }
  }
  if (owner && !reader.exists("select 1 from agents where id = :1 and company_id = :2", *owner, scope.company_id()))
    return unprocessable("Owner agent must belong to same company");
  return {};
}

// The goal routes record no run (spec/work-domain.md 1).
void log_goal(store::Transaction& tx, const CompanyScope& scope, GoalId id, std::string_view action, json::value details = nullptr) {
  Author author = scope.author();
  author.run_id.reset();
  log_activity(tx, scope.company_id(), author, {action, "goal", id.str(), std::move(details)});
}

std::optional<Goal> find_goal(store::Reader& reader, const CompanyScope& scope, GoalId id) {
  return reader.one<Goal>("select {} from goals where id = :1 and company_id = :2", id, scope.company_id());
}

}  // namespace

Result<Goal> create_goal(store::Transaction& tx, const CompanyScope& scope, const NewGoal& goal) {
  TRY(check_references(tx, scope, goal.parent_id, goal.owner_agent_id, std::nullopt));
  if (!tx.exists("select 1 from companies where id = :1", scope.company_id())) return not_found("Company not found");
  Goal row{tx.new_id<GoalId>(), scope.company_id(), goal.title, goal.description, *goal.level, *goal.status,
               goal.parent_id, goal.owner_agent_id, tx.now(), tx.now()};
  tx.insert("goals", row);
  log_goal(tx, scope, row.id, "goal.created", json::value{{"title", row.title}});
  return row;
}

Result<Goal> update_goal(store::Transaction& tx, const CompanyScope& scope, GoalId id, const GoalPatch& patch, const json::value& sent) {
  auto row = find_goal(tx, scope, id);
  if (!row) return not_found("Goal not found");
  TRY(check_references(tx, scope, patch.parent_id.optional(), patch.owner_agent_id.optional(), id));
  if (patch.title) row->title = *patch.title;
  patch.description.apply(row->description);
  if (patch.level) row->level = *patch.level;
  if (patch.status) row->status = *patch.status;
  patch.parent_id.apply(row->parent_id);
  patch.owner_agent_id.apply(row->owner_agent_id);
  row->updated_at = tx.now();
  tx.update("goals", *row);
  log_goal(tx, scope, id, "goal.updated", sent);
  return *std::move(row);
}

Result<Goal> delete_goal(store::Transaction& tx, const CompanyScope& scope, GoalId id) {
  auto row = find_goal(tx, scope, id);
  if (!row) return not_found("Goal not found");
  const char* user = tx.exists("select 1 from issues where goal_id = :1", id)     ? "issues"
                     : tx.exists("select 1 from projects where goal_id = :1", id) ? "projects"
                     : tx.exists("select 1 from goals where parent_id = :1", id)  ? "child goals"
                                                                                  : nullptr;
  if (user != nullptr) return conflict(std::string("Cannot delete a goal that ") + user + " refer to. Move them to another goal first.");
  tx.execute("delete from goals where id = :1", id);
  log_goal(tx, scope, id, "goal.deleted");
  return *std::move(row);
}

std::optional<GoalId> default_company_goal(store::Reader& reader, CompanyId company) {
  return reader.value<GoalId>(
      "select id from goals where company_id = :1 and level = 'company' "
      "order by case when parent_id is null and status = 'active' then 0 when parent_id is null then 1 else 2 end, created_at, id limit 1", company);
}

}  // namespace paperclip::domain
