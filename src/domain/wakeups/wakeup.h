#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <optional>
#include <string>

#include "base/id.h"
#include "base/json.h"
#include "base/time.h"
#include "base/transitions.h"

/// A request for an agent's attention (spec/execution.md 1.3, 2.2).
namespace paperclip::domain {

enum class WakeupStatus {
  queued,                    // has a run that waits
  deferred_issue_execution,  // parked behind another run of its issue
  claimed,                   // its run was claimed
  coalesced,                 // folded into a run that was there
  skipped,                   // refused by policy, or its queued run by a gate
  completed,
  failed,
  timed_out,
  cancelled
};
BOOST_DESCRIBE_ENUM(WakeupStatus, queued, deferred_issue_execution, claimed, coalesced, skipped, completed, failed, timed_out,
                    cancelled)

inline constexpr auto wakeup_transitions = transitions<WakeupStatus>({
    {WakeupStatus::queued, WakeupStatus::claimed, "its run was claimed"},
    {WakeupStatus::queued, WakeupStatus::skipped, "a gate at the claim refused its run"},
    {WakeupStatus::queued, WakeupStatus::cancelled, "its run was cancelled before it started"},
    {WakeupStatus::queued, WakeupStatus::failed, "its run could not start"},
    {WakeupStatus::deferred_issue_execution, WakeupStatus::queued, "promoted when the issue was released"},
    {WakeupStatus::deferred_issue_execution, WakeupStatus::failed, "its agent can no longer be invoked"},
    {WakeupStatus::deferred_issue_execution, WakeupStatus::cancelled, "its issue was put on hold, or its scope stopped"},
    {WakeupStatus::claimed, WakeupStatus::queued, "OURS: its run goes back into the queue"},
    {WakeupStatus::claimed, WakeupStatus::completed, "its run succeeded"},
    {WakeupStatus::claimed, WakeupStatus::failed, "its run failed"},
    {WakeupStatus::claimed, WakeupStatus::timed_out, "its run timed out"},
    {WakeupStatus::claimed, WakeupStatus::cancelled, "its run was cancelled"},
});

/// A row of `agent_wakeup_requests`.
struct Wakeup {
  WakeupId id;
  CompanyId company_id;
  AgentId agent_id;
  std::string source;
  std::optional<std::string> trigger_detail, reason;
  RawJson payload;
  WakeupStatus status = WakeupStatus::queued;
  int coalesced_count = 0;
  std::optional<std::string> requested_by_actor_type, requested_by_actor_id, idempotency_key;
  std::optional<RunId> run_id;
  Timestamp requested_at;
  std::optional<Timestamp> claimed_at, finished_at;
  std::optional<std::string> error;
  Timestamp created_at, updated_at;
};
BOOST_DESCRIBE_STRUCT(Wakeup, (),
                      (id, company_id, agent_id, source, trigger_detail, reason, payload, status, coalesced_count,
                       requested_by_actor_type, requested_by_actor_id, idempotency_key, run_id, requested_at, claimed_at,
                       finished_at, error, created_at, updated_at))

}  // namespace paperclip::domain
