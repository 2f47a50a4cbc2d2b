#pragma once

#include <optional>

#include "base/json.h"
#include "domain/waiting/wait.h"
#include "store/reader.h"

namespace paperclip::domain {

/// A wake that has no running run, with its run if it has one.
struct WaitingWake {
  WakeupId id;
  AgentId agent_id;
  std::string source;
  std::optional<std::string> reason;
  std::string status;  // queued | deferred_issue_execution
  std::optional<RawJson> payload;
  std::optional<std::string> requested_by_actor_type, requested_by_actor_id;
  Timestamp requested_at;
  std::optional<RunId> run_id;
  std::optional<std::string> run_status;
  std::optional<IssueId> context_issue_id;
  std::optional<Timestamp> scheduled_retry_at;
  int scheduled_retry_attempt = 0;
  std::optional<std::string> scheduled_retry_reason;
  Timestamp queued_at;

  std::optional<IssueId> issue() const;
};
BOOST_DESCRIBE_STRUCT(WaitingWake, (),
                      (id, agent_id, source, reason, status, payload, requested_by_actor_type, requested_by_actor_id, requested_at, run_id, run_status,
                       context_issue_id, scheduled_retry_at, scheduled_retry_attempt, scheduled_retry_reason, queued_at))

/// `select … from … where w.status in (…)`: to be followed by ` and …`; the wakes that wait.
extern const std::string_view waiting_wakes;

/// What this wake waits for. `agent_wait` is what keeps the agent's whole queue, if something does.
Wait wake_wait(store::Reader& reader, CompanyId company, const WaitingWake& wake, const std::optional<Wait>& agent_wait);

}  // namespace paperclip::domain
