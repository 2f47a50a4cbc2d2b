#pragma once

#include <string>

#include "domain/runs/run_states.h"
#include "domain/runs/work_issue.h"
#include "domain/wakeups/invokable.h"
#include "store/transaction.h"

/// Second chances: passing failures, used-up turns, lost processes (spec/execution.md 18).
namespace paperclip::domain {

/// A run that is over, as far as its retries need it.
struct EndedRun {
  const StoredRun& run;
  const WakeAgent& agent;
  const json::object& context;
  std::optional<WorkIssue> issue;
  json::value result;  // result_json
};

/// Waits and tries again after a passing failure of the model's service: 2, 10, 30 minutes, 2 hours, each ±25 %.
void schedule_transient_retry(store::Transaction& tx, const EndedRun& ended);
/// Goes on soon after a run that used up its turns, within the agent's policy.
void schedule_max_turn_continuation(store::Transaction& tx, const EndedRun& ended);
/// Tries once more after the process was lost; false if that was done before, or the agent may not work now.
bool retry_lost_run(store::Transaction& tx, const EndedRun& ended);

/// True if the failure is one that passes by itself.
bool is_transient_failure(const std::optional<std::string>& error_code, const json::value& result);
bool is_max_turns_failure(const std::optional<std::string>& error_code, const json::value& result);

/// Ends a retry that waits for its time: run and wakeup cancelled, lock freed, the reason in its events.
void cancel_scheduled_retry(store::Transaction& tx, RunId run, std::string_view code, std::string message);

/// Puts up to `limit` retries whose time has come into the queue, or cancels them where a gate says so
/// (spec/execution.md 18.3). Returns how many were looked at.
int promote_due_retries(store::Transaction& tx, int limit = 50);

}  // namespace paperclip::domain
