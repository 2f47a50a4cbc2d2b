#pragma once

#include <boost/describe/class.hpp>
#include <optional>
#include <string>

#include "base/id.h"
#include "base/json.h"
#include "base/time.h"
#include "domain/actor_type.h"
#include "domain/schema/table_of.h"

/// The audit trail (spec/work-domain.md 5.1).
namespace paperclip::domain {

/// Who did what to which thing; written once, never changed.
struct ActivityLog {
  ActivityId id;
  CompanyId company_id;
  ActorType actor_type = ActorType::system;
  std::string actor_id;
  std::string action;
  std::string entity_type;
  std::string entity_id;
  std::optional<AgentId> agent_id;
  std::optional<RunId> run_id;
  std::optional<RawJson> details;
  Timestamp created_at;
};
BOOST_DESCRIBE_STRUCT(ActivityLog, (),
                      (id, company_id, actor_type, actor_id, action, entity_type, entity_id, agent_id, run_id, details,
                       created_at))
template <>
inline constexpr std::string_view table_of<ActivityLog> = "activity_log";

}  // namespace paperclip::domain
