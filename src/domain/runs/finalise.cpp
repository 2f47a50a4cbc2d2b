#include "domain/runs/finalise.h"

#include <stdexcept>

#include "base/text.h"
#include "base/write_json.h"
#include "domain/budgets/enforcement.h"
#include "domain/environments/held_directory.h"
#include "domain/environments/run_lease.h"
#include "domain/runs/comment_policy.h"
#include "domain/runs/continuation.h"
#include "domain/runs/continuation_summary.h"
#include "domain/runs/issue_release.h"
#include "domain/runs/liveness_evidence.h"
#include "domain/runs/new_run.h"
#include "domain/runs/run_comment.h"
#include "domain/runs/run_context.h"
#include "domain/runs/run_cost.h"
#include "domain/runs/run_events.h"
#include "os/crash_point.h"

namespace paperclip::domain {

namespace {

bool contains(std::string_view text, std::string_view part) { return lower(text).find(part) != std::string::npos; }

struct Outcome {
  RunStatus status;
  std::optional<std::string> error, error_code;
};

// What happened, in words (spec/execution.md 13.1 steps 2 and 3). A cancel that came first stays.
Outcome decide(const StoredRun& run, const RunReport& report) {
  if (run.status == RunStatus::cancelled)
    return {RunStatus::cancelled, run.error ? run.error : std::optional<std::string>(report.error_message.empty() ? "Cancelled" : report.error_message),
            run.error_code ? run.error_code : std::optional<std::string>("cancelled")};
  if (report.timed_out) return {RunStatus::timed_out, report.error_message.empty() ? "Timed out" : report.error_message, "timeout"};
  if (!report.broke && report.exit_code.value_or(0) == 0 && report.error_message.empty()) return {RunStatus::succeeded, std::nullopt, std::nullopt};
  return {RunStatus::failed, report.error_message.empty() ? "Adapter failed" : report.error_message,
          report.error_code.empty() ? "adapter_failed" : report.error_code};
}

RawJson result_json(const RunReport& report, const Outcome& outcome) {
  json::object result = report.result.is_object() ? report.result.get_object() : json::object();
  if (!report.result.is_object() && !report.result.is_null()) result["result"] = report.result;
  if (!report.error_family.empty()) result["errorFamily"] = report.error_family;
  if (report.retry_not_before)
    for (std::string_view key : {"transientRetryNotBefore", "retryNotBefore"}) result[key] = to_iso(*report.retry_not_before);
  if (!report.model_profile.is_null()) result["modelProfile"] = report.model_profile;
  result["stopReason"] = stop_reason(outcome.status, outcome.error, outcome.error_code, report.result);
  result["effectiveTimeoutSec"] = report.timeout_seconds == static_cast<double>(static_cast<std::int64_t>(report.timeout_seconds))
                                      ? json::value(static_cast<std::int64_t>(report.timeout_seconds))
                                      : json::value(report.timeout_seconds);
  if (report.timeout_ms) result["effectiveTimeoutMs"] = *report.timeout_ms;
  result["timeoutConfigured"] = report.timeout_configured;
  result["timeoutSource"] = report.timeout_configured ? "config" : "default";
  result["timeoutFired"] = outcome.status == RunStatus::timed_out;
  if (!report.summary.empty() && !result.contains("summary")) result["summary"] = report.summary;
  return RawJson(json::value(result));
}

WakeupStatus wakeup_status(RunStatus status) {
  switch (status) {
    case RunStatus::succeeded: return WakeupStatus::completed;
    case RunStatus::timed_out: return WakeupStatus::timed_out;
    case RunStatus::cancelled: return WakeupStatus::cancelled;
    default: return WakeupStatus::failed;
  }
}

void write_end(store::Transaction& tx, StoredRun& run, const RunReport& report, const Outcome& outcome, const std::optional<RawJson>& usage, const SessionAfter& session) {
  run.status = outcome.status;
  if (!run.finished_at) run.finished_at = tx.now();
  run.error = outcome.error;
  run.error_code = outcome.error_code;
  run.exit_code = report.exit_code;
  run.signal = report.signal;
  run.usage_json = usage;
  run.result_json = result_json(report, outcome);
  run.session_id_after = session.display_id;
  run.stdout_excerpt = report.stdout_excerpt;
  run.stderr_excerpt = report.stderr_excerpt;
  run.log_bytes = report.log_bytes ? report.log_bytes : run.log_bytes;
  run.log_sha256 = report.log_sha256 ? report.log_sha256 : run.log_sha256;
  if (report.progress.at) {
    run.last_output_at = report.progress.at;
    run.last_output_seq = report.progress.seq;
    run.last_output_stream = report.progress.stream;
    run.last_output_bytes = report.progress.bytes;
  }
  tx.execute("update heartbeat_runs set status = :1, finished_at = :2, error = :3, error_code = :4, exit_code = :5, signal = :6, usage_json = :7, "
             "result_json = :8, session_id_after = :9, stdout_excerpt = :10, stderr_excerpt = :11, log_bytes = :12, log_sha256 = :13, "
             "last_output_at = :14, last_output_seq = :15, last_output_stream = :16, last_output_bytes = :17, liveness_state = :18, "
             "liveness_reason = :19, last_useful_action_at = :20, next_action = :21, updated_at = :22, fence = fence + 1 where id = :23",
             run.status, run.finished_at, run.error, run.error_code, run.exit_code, run.signal, run.usage_json, run.result_json, run.session_id_after,
             run.stdout_excerpt, run.stderr_excerpt, run.log_bytes, run.log_sha256, run.last_output_at, run.last_output_seq, run.last_output_stream,
             run.last_output_bytes, run.liveness_state, run.liveness_reason, run.last_useful_action_at, run.next_action, tx.now(), run.id);
  if (report.log_ref) tx.execute("update heartbeat_runs set log_store = 'local_file', log_ref = :1 where id = :2 and log_ref is null", *report.log_ref, run.id);
}

void say_end(store::Transaction& tx, const RunIdentity& id, const RunReport& report, const Outcome& outcome) {
  if (report.broke && outcome.status != RunStatus::cancelled) {
    append_run_event(tx, id, {"error", "error", outcome.error.value_or("Adapter failed")});
    return;
  }
  const std::string word(to_text(outcome.status));
  append_run_event(tx, id,
                   {"lifecycle", outcome.status == RunStatus::succeeded ? "info" : "error", "run " + word,
                    json::object{{"status", word}, {"exitCode", report.exit_code ? json::value(*report.exit_code) : json::value()}}});
}

}  // namespace

std::string stop_reason(RunStatus status, const std::optional<std::string>& error, const std::optional<std::string>& error_code, const json::value& result) {
  switch (status) {
    case RunStatus::succeeded: return "completed";
    case RunStatus::timed_out: return "timeout";
    case RunStatus::cancelled:
      if (error && contains(*error, "budget")) return "budget_paused";
      if (error && contains(*error, "pause")) return "paused";
      return "cancelled";
    default: break;
  }
  const auto said = text_at(result, "stopReason");
  for (std::string_view code : {"max_turns_exhausted", "turn_limit_exhausted"})
    if (said == code || error_code == code) return "max_turns_exhausted";
  return error_code == "process_lost" ? "process_lost" : "adapter_failed";
}

Result<Finalised> finalise_run(store::Transaction& tx, RunId id, std::int64_t fence, const RunReport& report) {
  auto found = tx.one<StoredRun>("select {} from heartbeat_runs where id = :1 {for update}", id);
  if (!found) return not_found("Heartbeat run not found");
  StoredRun& run = *found;
  if (run.fence != fence)
    return conflict("The run is in other hands", json::object{{"runId", id.view()}, {"fence", run.fence}, {"yourFence", fence}});
  const Outcome outcome = decide(run, report);
  if (run.status != outcome.status && !run_transitions.allow(run.status, outcome.status))
    throw std::logic_error("run " + id.str() + " cannot go from " + std::string(to_text(run.status)) + " to " + std::string(to_text(outcome.status)));
  const bool was_cancelled = run.status == RunStatus::cancelled;
  const RunIdentity identity{run.id, run.company_id, run.agent_id};
  // Locked before any row that refers to it: two ends of one agent's runs that both hold it shared by such rows, and both
  // want to write it, wait for each other on PostgreSQL until one is broken off, and again when it comes back.
  const auto agent = tx.one<WakeAgent>("select {} from agents where id = :1 {for update}", run.agent_id);
  if (!agent) return not_found("Agent not found");
  const json::object context = context_of(run.context_snapshot);

  const SessionAfter session = session_after(report.session_before, report.broke ? SessionReport{} : report.session);
  const RunUsage usage = run_usage(tx, run.agent_id, id, report.usage, session.display_id);
  std::optional<WorkIssue> issue;
  if (run.context_issue_id) issue = lock_work_issue(tx, run.company_id, *run.context_issue_id);

  run.status = outcome.status;
  const Liveness liveness = classify_run(tx, run, issue, report);
  run.liveness_state = liveness.state;
  run.liveness_reason = liveness.reason;
  run.last_useful_action_at = liveness.last_useful_action_at;
  run.next_action = liveness.next_action;
  crash_point("terminal.write.before");
  write_end(tx, run, report, outcome, usage_json(usage, report.usage, report.session_before, session), session);
  crash_point("terminal.write.after");
  if (!was_cancelled) {
    move_wakeup(tx, run.wakeup_request_id, wakeup_status(outcome.status), outcome.error);
    emit_run_status(tx, id);
    say_end(tx, identity, report, outcome);
  }

  const auto result = run.result_json->parse();
  if (issue) refresh_continuation_summary(tx, {run, *agent, context, issue, result}, report);
  if (outcome.status == RunStatus::succeeded && issue) post_summary_comment(tx, run, *issue, result);
  const EndedRun ended{run, *agent, context, issue, result};
  if (outcome.status == RunStatus::failed && is_max_turns_failure(outcome.error_code, result)) schedule_max_turn_continuation(tx, ended);
  else if (outcome.status == RunStatus::failed && is_transient_failure(outcome.error_code, result)) schedule_transient_retry(tx, ended);
  const bool retried = report.lost && outcome.status == RunStatus::failed && retry_lost_run(tx, ended);
  if (issue && !retried) {
    // The lock may have moved on to a retry.
    issue = find_work_issue(tx, run.company_id, issue->id);
    apply_comment_policy(tx, {run, *agent, context, issue, result});
  }
  release_issue_and_promote(tx, run);
  if (issue && outcome.status == RunStatus::succeeded) continue_unfinished_work(tx, {run, *agent, context, issue, result});

  const std::int64_t cents = usage.known ? cost_cents(report.usage) : 0;
  add_to_runtime_state(tx, *agent, id, outcome.status, session.session_id, outcome.error, usage.tokens, cents);
  store_session(tx, *agent, id, report.session_before.task_key, session, outcome.status == RunStatus::succeeded ? std::nullopt : outcome.error);
  settle_agent(tx, run.company_id, run.agent_id, outcome.status);
  release_run_leases(tx, identity, outcome.status, outcome.error);
  if (cents > 0 || usage.tokens.any()) record_run_cost(tx, run, context, report.usage, usage.tokens, cents);
  evaluate_limits_after_run(tx, run.company_id, run.agent_id);
  Finalised finalised{outcome.status, {}};
  if (tx.exists("select 1 from heartbeat_runs where agent_id = :1 and status = 'queued'", run.agent_id)) finalised.waiting_agents.push_back(run.agent_id);
  if (run.context_issue_id)
    for (const auto& waiting : tx.column<AgentId>("select distinct agent_id from heartbeat_runs where context_issue_id = :1 and agent_id <> :2 and status = 'queued'",
                                                  *run.context_issue_id, run.agent_id))
      finalised.waiting_agents.push_back(waiting);
  const auto others = waiting_for_directories_of(tx, id);
  finalised.waiting_agents.insert(finalised.waiting_agents.end(), others.begin(), others.end());
  return finalised;
}

void record_output_progress(store::Transaction& tx, RunId run, std::int64_t fence, const OutputProgress& progress) {
  tx.execute("update heartbeat_runs set last_output_at = :1, last_output_seq = :2, last_output_stream = :3, last_output_bytes = :4, updated_at = :5 "
             "where id = :6 and fence = :7 and status = 'running'",
             progress.at, progress.seq, progress.stream, progress.bytes, tx.now(), run, fence);
}

void settle_agent(store::Transaction& tx, CompanyId company, AgentId agent, RunStatus outcome) {
  const auto status = tx.value<std::string>("select status from agents where id = :1 {for update}", agent);
  if (!status) return;
  std::string next = *status;
  if (*status != "paused" && *status != "terminated" && *status != "pending_approval") {
    const bool busy = tx.exists("select 1 from heartbeat_runs where agent_id = :1 and status = 'running'", agent);
    next = busy ? "running" : outcome == RunStatus::succeeded || outcome == RunStatus::cancelled ? "idle" : "error";
  }
  tx.execute("update agents set status = :1, last_heartbeat_at = :2, updated_at = :2 where id = :3", next, tx.now(), agent);
  emit_agent_status(tx, company, agent, next, to_text(outcome), tx.now());
}

}  // namespace paperclip::domain
