#include "domain/runs/cancel.h"

#include "domain/environments/run_lease.h"
#include "domain/runs/finalise.h"
#include "domain/runs/issue_release.h"
#include "domain/runs/new_run.h"
#include "domain/runs/run_context.h"
#include "domain/runs/run_events.h"

namespace paperclip::domain {

namespace {

json::object stop_metadata(const std::string& reason) {
  return {{"stopReason", stop_reason(RunStatus::cancelled, reason, std::nullopt, nullptr)},
          {"effectiveTimeoutSec", 0},
          {"timeoutConfigured", false},
          {"timeoutSource", "default"},
          {"timeoutFired", false}};
}

std::vector<StoredRun> live_runs(store::Transaction& tx, CompanyId company, std::string_view which, const auto&... args) {
  return tx.all<StoredRun>("select {} from heartbeat_runs r where r.company_id = :1 and r.status in ('queued', 'running', 'scheduled_retry') " +
                               std::string(which) + " order by r.created_at, r.id",
                           company, args...);
}

int cancel_all(store::Transaction& tx, const std::vector<StoredRun>& runs, const std::string& reason, CancelledRuns which) {
  int cancelled = 0;
  for (const auto& run : runs) {
    if (which == CancelledRuns::waiting && run.status == RunStatus::running) continue;
    cancel_run_row(tx, run, reason);
    ++cancelled;
  }
  return cancelled;
}

}  // namespace

void cancel_run_row(store::Transaction& tx, const StoredRun& before, const std::string& reason, const std::string& error_code) {
  StoredRun run = before;
  const bool was_running = run.status == RunStatus::running;
  run.status = RunStatus::cancelled;
  run.error = reason;
  run.error_code = error_code;
  run.finished_at = tx.now();
  json::object result = context_of(run.result_json);
  for (auto& item : stop_metadata(reason)) result[item.key()] = item.value();
  run.result_json = RawJson(json::value(result));
  if (tx.execute("update heartbeat_runs set status = 'cancelled', finished_at = :1, error = :2, error_code = :3, result_json = :4, "
                 "liveness_state = 'failed', liveness_reason = 'Run ended with status cancelled', updated_at = :1 where id = :5 and status = :6",
                 tx.now(), reason, error_code, run.result_json, run.id, before.status) == 0)
    return;
  const RunIdentity identity{run.id, run.company_id, run.agent_id};
  move_wakeup(tx, run.wakeup_request_id, WakeupStatus::cancelled, reason);
  emit_run_status(tx, run.id);
  append_run_event(tx, identity, {"lifecycle", "warn", "run cancelled", json::object{{"status", "cancelled"}, {"reason", reason}}});
  if (was_running) return;  // the rest follows when its process is gone
  release_issue_and_promote(tx, run);
  release_run_leases(tx, identity, run.status, run.error);
}

Result<HeartbeatRun> cancel_run(store::Transaction& tx, const CompanyScope& scope, RunId id, const std::string& reason) {
  const auto run = tx.one<StoredRun>("select {} from heartbeat_runs where id = :1 and company_id = :2 {for update}", id, scope.company_id());
  if (!run) return not_found("Heartbeat run not found");
  if (is_live(run->status)) cancel_run_row(tx, *run, reason);
  return *tx.one<HeartbeatRun>("select {} from heartbeat_runs where id = :1", id);
}

int cancel_runs_of_agent(store::Transaction& tx, CompanyId company, AgentId agent, const std::string& reason, CancelledRuns which) {
  return cancel_all(tx, live_runs(tx, company, "and r.agent_id = :2", agent), reason, which);
}

int cancel_pending_wakes(store::Transaction& tx, CompanyId company, std::optional<AgentId> agent, std::optional<ProjectId> project, const std::string& reason) {
  int cancelled = 0;
  for (const auto& wakeup : tx.all<AgentWakeupRequest>(
           "select {} from agent_wakeup_requests where company_id = :1 and status in ('queued', 'deferred_issue_execution') and run_id is null", company)) {
    if (agent && wakeup.agent_id != *agent) continue;
    if (project) {
      const auto issue = text_at(json::value(context_of(wakeup.payload)), "issueId");
      const auto id = issue ? IssueId::parse(*issue) : std::nullopt;
      if (!id || !tx.exists("select 1 from issues where id = :1 and company_id = :2 and project_id = :3", *id, company, *project)) continue;
    }
    move_wakeup(tx, wakeup.id, WakeupStatus::cancelled, reason);
    ++cancelled;
  }
  return cancelled;
}

int cancel_work_of_company(store::Transaction& tx, CompanyId company, std::optional<ProjectId> project, const std::string& reason, CancelledRuns which) {
  // Parked wakes first: they must not be promoted by the very runs that end here.
  cancel_pending_wakes(tx, company, std::nullopt, project, reason);
  const auto runs = project ? live_runs(tx, company,
                                        "and (r.context_snapshot ->> 'projectId' = cast(:2 as text) or exists (select 1 from issues i where "
                                        "i.id = r.context_issue_id and i.project_id = :2))",
                                        *project)
                            : live_runs(tx, company, "");
  return cancel_all(tx, runs, reason, which);
}

}  // namespace paperclip::domain
