#pragma once

#include <optional>
#include <string>

#include "base/fields.h"
#include "base/write_json.h"
#include "domain/access/scope.h"
#include "domain/goals/goal.h"
#include "store/transaction.h"

/// Goals (spec/work-domain.md 1).
namespace paperclip::domain {

struct NewGoal {
  Text<1> title;
  std::optional<std::string> description;
  Default<GoalLevel> level{GoalLevel::task};
  Default<GoalStatus> status{GoalStatus::planned};
  std::optional<GoalId> parent_id;
  std::optional<AgentId> owner_agent_id;
};
BOOST_DESCRIBE_STRUCT(NewGoal, (), (title, description, level, status, parent_id, owner_agent_id))

struct GoalPatch {
  Omit<Text<1>> title;
  Patch<std::string> description;
  Omit<GoalLevel> level;
  Omit<GoalStatus> status;
  Patch<GoalId> parent_id;
  Patch<AgentId> owner_agent_id;
};
BOOST_DESCRIBE_STRUCT(GoalPatch, (), (title, description, level, status, parent_id, owner_agent_id))

/// 422 for a parent or owner that is not in the company (OURS).
Result<Goal> create_goal(store::Transaction& tx, const CompanyScope& scope, const NewGoal& goal);
/// `sent` is the request body, which the activity entry records. 404 `Goal not found`.
Result<Goal> update_goal(store::Transaction& tx, const CompanyScope& scope, GoalId id, const GoalPatch& patch, const json::value& sent);
/// 409 while issues, projects or child goals refer to it (OURS; 500 upstream).
Result<Goal> delete_goal(store::Transaction& tx, const CompanyScope& scope, GoalId id);

/// The goal an issue falls back to: the oldest active root goal of level company, else the oldest root company goal,
/// else the oldest company goal (spec/issues.md 11.1).
std::optional<GoalId> default_company_goal(store::Reader& reader, CompanyId company);

}  // namespace paperclip::domain
