#pragma once

#include <optional>
#include <string>

#include "domain/runs/run_states.h"
#include "domain/wakeups/wake.h"
#include "domain/wakeups/wakeup_states.h"
#include "store/transaction.h"

/// Making wakeups and runs. Every run has a wakeup that asked for it.
namespace paperclip::domain {

/// A wakeup's row from a request. `reason` replaces the request's where policy says more than the caller did.
AgentWakeupRequest wakeup_of(store::Transaction& tx, CompanyId company, AgentId agent, const WakeRequest& request, WakeupStatus status);

struct NewRun {
  CompanyId company_id;
  AgentId agent_id;
  InvocationSource invocation_source = InvocationSource::automation;
  std::optional<TriggerDetail> trigger_detail = TriggerDetail::system;
  RunStatus status = RunStatus::queued;  // or scheduled_retry
  WakeupId wakeup_id;
  json::object context;
  std::optional<std::string> session_id_before;
  std::optional<RunId> retry_of_run_id;
  int process_loss_retry_count = 0;
  std::optional<Timestamp> scheduled_retry_at;
  int scheduled_retry_attempt = 0;
  std::optional<std::string> scheduled_retry_reason;
  int continuation_attempt = 0;
};

/// Inserts the run and, when it is queued, lets the engine know.
HeartbeatRun create_run(store::Transaction& tx, const NewRun& run, RunId id);
inline HeartbeatRun create_run(store::Transaction& tx, const NewRun& run) { return create_run(tx, run, tx.new_id<RunId>()); }

/// A run that the server itself asks for (retries, recovery): wakeup and run, linked.
struct FollowUp {
  CompanyId company_id;
  AgentId agent_id;
  std::string reason;
  json::object payload;
  std::optional<std::string> idempotency_key;
  NewRun run;  // ids of company, agent and wakeup are filled in
};
HeartbeatRun create_follow_up(store::Transaction& tx, FollowUp follow_up);

/// Sets a wakeup's status; the transition must be one of the table's. Ends it when the status is final.
void move_wakeup(store::Transaction& tx, const std::optional<WakeupId>& wakeup, WakeupStatus to,
                 std::optional<std::string> error = std::nullopt);

}  // namespace paperclip::domain
