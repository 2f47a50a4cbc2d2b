#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <optional>
#include <string>

#include "base/id.h"
#include "base/time.h"
#include "domain/schema/table_of.h"

/// Goals (spec/work-domain.md 1).
namespace paperclip::domain {

enum class GoalLevel { company, team, agent, task };
BOOST_DESCRIBE_ENUM(GoalLevel, company, team, agent, task)

enum class GoalStatus { planned, active, achieved, cancelled };
BOOST_DESCRIBE_ENUM(GoalStatus, planned, active, achieved, cancelled)

/// Something a company wants; goals form a tree.
struct Goal {
  GoalId id;
  CompanyId company_id;
  std::string title;
  std::optional<std::string> description;
  GoalLevel level = GoalLevel::task;
  GoalStatus status = GoalStatus::planned;
  std::optional<GoalId> parent_id;
  std::optional<AgentId> owner_agent_id;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(Goal, (),
                      (id, company_id, title, description, level, status, parent_id, owner_agent_id, created_at,
                       updated_at))
template <>
inline constexpr std::string_view table_of<Goal> = "goals";

}  // namespace paperclip::domain
