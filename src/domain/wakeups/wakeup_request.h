#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <optional>
#include <string>

#include "base/id.h"
#include "base/json.h"
#include "base/time.h"
#include "domain/actor_type.h"
#include "domain/schema/table_of.h"

/// Requests for an agent's attention (spec/execution.md 1.3, 2.2).
namespace paperclip::domain {

/// What set a run off.
enum class InvocationSource { timer, assignment, on_demand, automation };
BOOST_DESCRIBE_ENUM(InvocationSource, timer, assignment, on_demand, automation)

enum class TriggerDetail { manual, ping, callback, system };
BOOST_DESCRIBE_ENUM(TriggerDetail, manual, ping, callback, system)

enum class WakeupStatus {
  queued,
  deferred_issue_execution,
  claimed,
  coalesced,
  skipped,
  completed,
  failed,
  timed_out,
  cancelled
};
BOOST_DESCRIBE_ENUM(WakeupStatus, queued, deferred_issue_execution, claimed, coalesced, skipped, completed, failed,
                    timed_out, cancelled)

/// A request to wake an agent, and what became of it.
struct AgentWakeupRequest {
  WakeupId id;
  CompanyId company_id;
  AgentId agent_id;
  InvocationSource source{};
  std::optional<TriggerDetail> trigger_detail;
  std::optional<std::string> reason;
  std::optional<RawJson> payload;
  WakeupStatus status = WakeupStatus::queued;
  int coalesced_count = 0;
  std::optional<ActorType> requested_by_actor_type;
  std::optional<std::string> requested_by_actor_id;
  std::optional<std::string> idempotency_key;
  std::optional<RunId> run_id;
  Timestamp requested_at;
  std::optional<Timestamp> claimed_at;
  std::optional<Timestamp> finished_at;
  std::optional<std::string> error;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(AgentWakeupRequest, (),
                      (id, company_id, agent_id, source, trigger_detail, reason, payload, status, coalesced_count,
                       requested_by_actor_type, requested_by_actor_id, idempotency_key, run_id, requested_at,
                       claimed_at, finished_at, error, created_at, updated_at))
template <>
inline constexpr std::string_view table_of<AgentWakeupRequest> = "agent_wakeup_requests";

}  // namespace paperclip::domain
