#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "base/id.h"
#include "base/json.h"
#include "base/time.h"
#include "domain/runs/heartbeat_run.h"
#include "domain/schema/table_of.h"

/// What happened in a run (spec/execution.md 1.2, 1.6).
namespace paperclip::domain {

enum class RunEventLevel { info, warn, error };
BOOST_DESCRIBE_ENUM(RunEventLevel, info, warn, error)

/// An event of a run before the database has numbered it: what is inserted. `seq` counts from 1 within the run.
struct NewHeartbeatRunEvent {
  CompanyId company_id;
  RunId run_id;
  AgentId agent_id;
  int seq = 0;
  std::string event_type;
  std::optional<OutputStream> stream;
  std::optional<RunEventLevel> level;
  std::optional<std::string> color;
  std::optional<std::string> message;
  std::optional<RawJson> payload;
  Timestamp created_at;
};
BOOST_DESCRIBE_STRUCT(NewHeartbeatRunEvent, (),
                      (company_id, run_id, agent_id, seq, event_type, stream, level, color, message, payload,
                       created_at))

/// One event of a run.
struct HeartbeatRunEvent : NewHeartbeatRunEvent {
  std::int64_t id = 0;
};
BOOST_DESCRIBE_STRUCT(HeartbeatRunEvent, (NewHeartbeatRunEvent), (id))
template <>
inline constexpr std::string_view table_of<HeartbeatRunEvent> = "heartbeat_run_events";

enum class WatchdogDecision { snooze, continue_, dismissed_false_positive };
BOOST_DESCRIBE_ENUM(WatchdogDecision, snooze, continue_, dismissed_false_positive)

/// What was decided about a run that fell silent.
struct HeartbeatRunWatchdogDecision {
  AnyId id;
  CompanyId company_id;
  RunId run_id;
  std::optional<IssueId> evaluation_issue_id;
  WatchdogDecision decision{};
  std::optional<Timestamp> snoozed_until;
  std::optional<std::string> reason;
  std::optional<AgentId> created_by_agent_id;
  std::optional<std::string> created_by_user_id;
  std::optional<RunId> created_by_run_id;
  Timestamp created_at;
};
BOOST_DESCRIBE_STRUCT(HeartbeatRunWatchdogDecision, (),
                      (id, company_id, run_id, evaluation_issue_id, decision, snoozed_until, reason,
                       created_by_agent_id, created_by_user_id, created_by_run_id, created_at))
template <>
inline constexpr std::string_view table_of<HeartbeatRunWatchdogDecision> = "heartbeat_run_watchdog_decisions";

}  // namespace paperclip::domain
