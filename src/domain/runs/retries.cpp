#include "domain/runs/retries.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "domain/runs/issue_lock.h"
#include "domain/runs/issue_release.h"
#include "domain/runs/new_run.h"
#include "domain/runs/retry_gate.h"
#include "domain/runs/run_context.h"
#include "domain/runs/run_events.h"
#include "domain/wakeups/heartbeat_policy.h"
#include "domain/wakeups/wake_context.h"

namespace paperclip::domain {

namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

constexpr std::array<milliseconds, 4> transient_delays{2min, 10min, 30min, 2h};

// The delay, up to a quarter more or less, so that agents that failed together do not come back together.
milliseconds jittered(Random& random, milliseconds delay) {
  const double factor = 0.75 + 0.5 * (static_cast<double>(random.next() >> 11) / 9007199254740992.0);
  return std::max<milliseconds>(1s, milliseconds(static_cast<std::int64_t>(static_cast<double>(delay.count()) * factor)));
}

int next_attempt(const StoredRun& run, std::string_view reason) {
  return run.scheduled_retry_reason == reason ? run.scheduled_retry_attempt + 1 : 1;
}

json::value issue_payload(const EndedRun& ended) {
  json::object payload{{"retryOfRunId", ended.run.id.view()}};
  if (ended.issue) payload["issueId"] = ended.issue->id.view();
  return payload;
}

// The lock goes on to the retry, so that the issue stays held while it waits.
void pass_lock_on(store::Transaction& tx, const EndedRun& ended, RunId retry) {
  if (!ended.issue || ended.issue->execution_run_id != ended.run.id) return;
  stamp_execution_lock(tx, ended.issue->company_id, ended.issue->id, retry, agent_name_key(ended.agent.name));
}

HeartbeatRun schedule(store::Transaction& tx, const EndedRun& ended, std::string_view retry_reason, std::string_view wake_reason, int attempt,
             Timestamp due, json::object context, std::optional<std::string> key = std::nullopt) {
  context["retryReason"] = retry_reason;
  context["wakeReason"] = wake_reason;
  context["retryOfRunId"] = ended.run.id.view();
  context["scheduledRetryAttempt"] = attempt;
  context["scheduledRetryAt"] = to_iso(due);
  FollowUp follow_up;
  follow_up.company_id = ended.run.company_id;
  follow_up.agent_id = ended.run.agent_id;
  follow_up.reason = std::string(wake_reason);
  follow_up.payload = issue_payload(ended).as_object();
  follow_up.idempotency_key = std::move(key);
  follow_up.run.status = RunStatus::scheduled_retry;
  follow_up.run.context = std::move(context);
  follow_up.run.session_id_before = ended.run.session_id_after ? ended.run.session_id_after : ended.run.session_id_before;
  follow_up.run.retry_of_run_id = ended.run.id;
  follow_up.run.scheduled_retry_at = due;
  follow_up.run.scheduled_retry_attempt = attempt;
  follow_up.run.scheduled_retry_reason = std::string(retry_reason);
  follow_up.run.continuation_attempt = ended.run.continuation_attempt;
  const HeartbeatRun retry = create_follow_up(tx, std::move(follow_up));
  pass_lock_on(tx, ended, retry.id);
  return retry;
}

void say_exhausted(store::Transaction& tx, const StoredRun& run, int attempts) {
  append_run_event(tx, {run.id, run.company_id, run.agent_id},
                   {"lifecycle", "warn",
                    "Bounded retry exhausted after " + std::to_string(attempts) + " scheduled attempts; no further automatic retry will be queued"});
}

std::string_view fallback_mode(int attempt) {
  static constexpr std::array<std::string_view, 4> modes{"same_session", "safer_invocation", "fresh_session", "fresh_session_safer_invocation"};
  return modes[static_cast<std::size_t>(std::clamp(attempt, 1, 4) - 1)];
}

}  // namespace

bool is_transient_failure(const std::optional<std::string>& error_code, const json::value& result) {
  return text_at(result, "errorFamily") == "transient_upstream" || error_code == "codex_transient_upstream" ||
         error_code == "claude_transient_upstream";
}

bool is_max_turns_failure(const std::optional<std::string>& error_code, const json::value& result) {
  const auto reason = text_at(result, "stopReason");
  for (std::string_view code : {"max_turns_exhausted", "turn_limit_exhausted"})
    if (reason == code || error_code == code) return true;
  return false;
}

void schedule_transient_retry(store::Transaction& tx, const EndedRun& ended) {
  const int attempt = next_attempt(ended.run, "transient_failure");
  if (attempt > static_cast<int>(transient_delays.size())) return say_exhausted(tx, ended.run, attempt - 1);
  Timestamp due = tx.now() + jittered(tx.random(), transient_delays[static_cast<std::size_t>(attempt - 1)]);
  json::object context = base_context(ended.context);
  context["errorFamily"] = "transient_upstream";
  if (const auto not_before = text_at(ended.result, "retryNotBefore"))
    if (const auto time = parse_iso(*not_before)) {
      due = std::max(due, *time);
      context["transientRetryNotBefore"] = *not_before;
    }
  if (ended.agent.adapter_type == "codex_local") context["codexTransientFallbackMode"] = fallback_mode(attempt);
  schedule(tx, ended, "transient_failure", "transient_failure_retry", attempt, due, std::move(context));
}

void schedule_max_turn_continuation(store::Transaction& tx, const EndedRun& ended) {
  const auto policy = max_turn_continuation(ended.agent.runtime_config.parse());
  if (!policy.enabled || policy.max_attempts == 0) return;
  const int attempt = next_attempt(ended.run, "max_turns_continuation");
  if (attempt > policy.max_attempts) return say_exhausted(tx, ended.run, attempt - 1);
  json::object context = base_context(ended.context);
  context["retryReason"] = "max_turns_continuation";
  if (ended.issue && (ended.issue->execution_run_id != ended.run.id || retry_gate(tx, ended.run, context, false))) return;
  const std::string key = "max-turn-continuation:" + ended.run.company_id.str() + ":" +
                          (ended.issue ? ended.issue->id.str() : std::string("no-issue")) + ":" + ended.run.id.str() + ":" + std::to_string(attempt);
  const auto existing = tx.value<WakeupId>(
      "select w.id from agent_wakeup_requests w join heartbeat_runs r on r.id = w.run_id where w.company_id = :1 and w.idempotency_key = :2 "
      "and r.status in ('queued', 'running', 'scheduled_retry')",
      ended.run.company_id, key);
  if (existing) {
    tx.execute("update agent_wakeup_requests set coalesced_count = coalesced_count + 1, updated_at = :1 where id = :2", tx.now(), *existing);
    return;
  }
  schedule(tx, ended, "max_turns_continuation", "max_turns_continuation_retry", attempt, tx.now() + policy.delay, std::move(context), key);
}

bool retry_lost_run(store::Transaction& tx, const EndedRun& ended) {
  if (ended.run.process_loss_retry_count >= 1 || !is_invokable(ended.agent.status)) return false;
  json::object context = base_context(ended.context);
  context["wakeReason"] = "process_lost_retry";
  context["retryReason"] = "process_lost";
  context["retryOfRunId"] = ended.run.id.view();
  FollowUp follow_up;
  follow_up.company_id = ended.run.company_id;
  follow_up.agent_id = ended.run.agent_id;
  follow_up.reason = "process_lost_retry";
  follow_up.payload = issue_payload(ended).as_object();
  follow_up.run.context = std::move(context);
  follow_up.run.session_id_before = ended.run.session_id_before;
  follow_up.run.retry_of_run_id = ended.run.id;
  follow_up.run.process_loss_retry_count = ended.run.process_loss_retry_count + 1;
  const HeartbeatRun retry = create_follow_up(tx, std::move(follow_up));
  pass_lock_on(tx, ended, retry.id);
  return true;
}

void cancel_scheduled_retry(store::Transaction& tx, RunId id, std::string_view code, std::string message) {
  const auto run = tx.one<StoredRun>("select {} from heartbeat_runs where id = :1 {for update}", id);
  if (!run || run->status != RunStatus::scheduled_retry) return;
  tx.execute("update heartbeat_runs set status = 'cancelled', finished_at = :1, error = :2, error_code = :3, updated_at = :1 where id = :4",
             tx.now(), message, code, id);
  move_wakeup(tx, run->wakeup_request_id, WakeupStatus::cancelled, message);
  if (run->context_issue_id) clear_execution_lock(tx, run->company_id, *run->context_issue_id, id);
  append_run_event(tx, {id, run->company_id, run->agent_id},
                   {"lifecycle", "warn", "Scheduled retry cancelled: " + message, json::object{{"code", code}}});
  emit_run_status(tx, id);
}

int promote_due_retries(store::Transaction& tx, int limit) {
  const auto due = tx.all<StoredRun>(
      "select {} from heartbeat_runs where status = 'scheduled_retry' and scheduled_retry_at <= :1 order by scheduled_retry_at, id limit :2",
      tx.now(), limit);
  for (const auto& run : due) {
    const auto context = context_of(run.context_snapshot);
    if (const auto refusal = retry_gate(tx, run, context, true)) {
      cancel_scheduled_retry(tx, run.id, refusal->code, refusal->message);
      if (run.context_issue_id) promote_parked_wake(tx, run.company_id, *run.context_issue_id);
      continue;
    }
    if (tx.execute("update heartbeat_runs set status = 'queued', updated_at = :1 where id = :2 and status = 'scheduled_retry'", tx.now(), run.id) == 0)
      continue;
    append_run_event(tx, {run.id, run.company_id, run.agent_id}, {"lifecycle", "info", "Scheduled retry is due; queued"});
    emit_run_queued(tx, run);
  }
  return static_cast<int>(due.size());
}

}  // namespace paperclip::domain
