#include "domain/runs/claim.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <set>

#include "domain/environments/held_directory.h"
#include "domain/environments/run_lease.h"
#include "domain/environments/selection.h"
#include "domain/issues/lock.h"
#include "domain/runs/claim_gate.h"
#include "domain/runs/finalise.h"
#include "domain/runs/issue_lock.h"
#include "domain/runs/new_run.h"
#include "domain/runs/run_context.h"
#include "domain/runs/run_events.h"
#include "domain/runs/usage.h"
#include "domain/wakeups/heartbeat_policy.h"
#include "domain/wakeups/interaction_wake.h"
#include "domain/wakeups/wake_context.h"

namespace paperclip::domain {

namespace {

struct QueuedRun {
  RunId id;
  std::optional<IssueId> context_issue_id;
  std::optional<Timestamp> scheduled_retry_at;
  Timestamp created_at;

  Timestamp queued_since() const { return std::max(created_at, scheduled_retry_at.value_or(created_at)); }
};
BOOST_DESCRIBE_STRUCT(QueuedRun, (), (id, context_issue_id, scheduled_retry_at, created_at))

/// OURS: after this, a queued run goes before all that is more urgent, so that each has its turn.
constexpr std::chrono::minutes old_age{10};

struct IssueUrgency {
  IssueId id;
  IssueStatus status;
  IssuePriority priority;
};
BOOST_DESCRIBE_STRUCT(IssueUrgency, (), (id, status, priority))

// What is blocked comes last, what is under way first, then by priority and age (spec/execution.md 5.1). What has waited
// too long goes first, the oldest before the others.
std::vector<QueuedRun> by_urgency(store::Reader& reader, std::vector<QueuedRun> queue) {
  if (queue.size() < 2) return queue;
  std::vector<IssueId> ids;
  for (const auto& run : queue)
    if (run.context_issue_id) ids.push_back(*run.context_issue_id);
  std::map<IssueId, IssueUrgency> issues;
  std::set<IssueId> blocked;
  if (!ids.empty()) {
    reader.each<IssueUrgency>("select {} from issues where id in {list :1}", [&](const IssueUrgency& issue) { issues.emplace(issue.id, issue); }, ids);
    for (const auto& id : reader.column<IssueId>("select distinct r.related_issue_id from issue_relations r join issues b on b.id = r.issue_id "
                                                 "where r.type = 'blocks' and b.status <> 'done' and r.related_issue_id in {list :1}", ids))
      blocked.insert(id);
  }
  const auto rank = [&](const QueuedRun& run) -> std::pair<int, int> {
    if (reader.now() - run.queued_since() >= old_age) return {-1, 0};
    if (!run.context_issue_id) return {2, 4};
    const auto issue = issues.find(*run.context_issue_id);
    if (issue == issues.end()) return {2, 4};
    const int urgency = static_cast<int>(issue->second.priority);
    if (blocked.contains(issue->first)) return {3, urgency};
    return {issue->second.status == IssueStatus::in_progress ? 0 : 1, urgency};
  };
  std::stable_sort(queue.begin(), queue.end(), [&](const QueuedRun& a, const QueuedRun& b) { return rank(a) < rank(b); });
  return queue;
}

// One run at a time works on an issue. One that was cancelled keeps its lease until its process is gone.
bool is_taken(store::Reader& reader, IssueId issue) {
  return reader.exists("select 1 from heartbeat_runs where context_issue_id = :1 and status = 'running'", issue) ||
         reader.exists("select 1 from environment_leases l join heartbeat_runs r on r.id = l.heartbeat_run_id "
                       "where l.issue_id = :1 and l.status = 'active' and l.cleanup_status is null and r.status = 'cancelled'",
                       issue);
}

// One run at a time works in a directory that is the workspace itself.
bool gets_its_directory(store::Transaction& tx, const WakeAgent& agent, const QueuedRun& run) {
  const auto directory = in_place_directory_of_queued(tx, agent.company_id, agent.id, run.context_issue_id);
  return !directory || take_directory(tx, *directory, run.id);
}

// The working claim that the server makes for the agent (spec/execution.md 6.3).
Result<> check_out(store::Transaction& tx, RunSetup& setup) {
  auto& issue = setup.issue;
  if (!issue || issue->assignee_agent_id != setup.agent.id) return {};
  const auto reason = context_text(setup.context, "wakeReason");
  const bool open = issue->status == "todo" || issue->status == "backlog" || issue->status == "blocked" || issue->status == "in_progress";
  if (!open || !reason || *reason == "issue_comment_mentioned" || reason->starts_with("execution_")) return {};
  if (is_blocked(tx, issue->company_id, issue->id)) return {};
  CheckoutBody request{setup.agent.id, {IssueStatus::todo, IssueStatus::backlog, IssueStatus::blocked}};
  auto outcome = tx.nested([&] { return claim_issue(tx, issue->company_id, issue->id, request, setup.run.id); });
  if (!outcome && outcome.error().message != "Issue checkout conflict") return std::move(outcome).error();
  setup.checked_out = outcome.ok();
  issue = find_work_issue(tx, issue->company_id, issue->id);
  return {};
}

// Everything that may still go wrong, and what a run has from its first moment. An error ends the run.
Result<RunSetup> set_up(store::Transaction& tx, const StoredRun& run, const ClaimOptions& options) {
  RunSetup setup = TRY(read_run_setup(tx, run, options.profiles));
  TRY(check_out(tx, setup));
  const std::optional<IssueId> issue = setup.issue ? std::optional(setup.issue->id) : std::nullopt;
  const auto wanted = select_environment(tx, {run.company_id, issue, setup.agent.default_environment_id});
  Environment environment = TRY(choose_environment(tx, run.company_id, wanted));
  const std::string& adapter = setup.agent.adapter_type;
  TRY(check_adapter_can_work_in(environment, adapter, options.runs_remotely ? options.runs_remotely(adapter) : is_remote_adapter(adapter)));
  if (environment.driver != EnvironmentDriver::local && !options.remote_places)
    return unprocessable("Environment driver \"" + std::string(to_text(environment.driver)) + "\" is not registered in the environment runtime yet.");
  setup.environment_id = environment.id;
  setup.environment_name = environment.name;
  setup.environment_driver = to_text(environment.driver);
  setup.lease_id = open_lease(tx, {{run.id, run.company_id, run.agent_id}, environment, issue, std::nullopt, std::nullopt});
  setup.environment = std::move(environment);
  return setup;
}

void start_agent(store::Transaction& tx, const WakeAgent& agent) {
  tx.execute("update agents set status = 'running', updated_at = :1 where id = :2 and status in ('active', 'idle', 'error')", tx.now(), agent.id);
  emit_agent_status(tx, agent.company_id, agent.id, "running", "running");
}

// One run: gates, then the claim itself, then its set-up. Nothing if it does not run.
std::optional<RunSetup> claim_one(store::Transaction& tx, const WakeAgent& agent, RunId id, const ClaimOptions& options) {
  auto found = tx.one<StoredRun>("select {} from heartbeat_runs where id = :1 {for update}", id);
  if (!found || found->status != RunStatus::queued) return std::nullopt;
  StoredRun& run = *found;
  const json::object context = context_of(run.context_snapshot);
  std::optional<WorkIssue> issue;
  if (run.context_issue_id) issue = lock_work_issue(tx, run.company_id, *run.context_issue_id);
  if (const auto refusal = claim_gate(tx, run, agent, context, issue)) {
    refuse_claim(tx, run, *refusal);
    return std::nullopt;
  }
  run.status = RunStatus::running;
  if (!run.started_at) run.started_at = tx.now();
  ++run.fence;
  if (tx.execute("update heartbeat_runs set status = 'running', started_at = :1, fence = :2, updated_at = :3 where id = :4 and status = 'queued'",
                 run.started_at, run.fence, tx.now(), id) == 0)
    return std::nullopt;
  move_wakeup(tx, run.wakeup_request_id, WakeupStatus::claimed);
  if (issue && issue->assignee_agent_id == agent.id && (!issue->execution_run_id || issue->execution_run_id == id || is_run_over(tx, run.company_id, *issue->execution_run_id)))
    stamp_execution_lock(tx, run.company_id, issue->id, id, agent_name_key(agent.name));
  emit_run_status(tx, id);
  const RunIdentity identity{run.id, run.company_id, run.agent_id};
  auto setup = tx.nested([&] { return set_up(tx, run, options); });
  if (!setup) {
    RunReport report;
    report.broke = true;
    report.error_message = setup.error().message;
    report.session_before.task_key = derive_task_key(context);
    (void)finalise_run(tx, id, run.fence, report);
    return std::nullopt;
  }
  start_agent(tx, agent);
  append_run_event(tx, identity, {"lifecycle", "info", "run started"});
  return *std::move(setup);
}

}  // namespace

Claims claim_queued_runs(store::Transaction& tx, AgentId agent_id, const ClaimOptions& options) {
  Claims claims;
  const auto agent = tx.one<WakeAgent>("select {} from agents where id = :1 {for update}", agent_id);
  if (!agent || !is_invokable(agent->status)) return claims;
  const auto running = tx.value<std::int64_t>("select count(*) from heartbeat_runs where agent_id = :1 and status = 'running'", agent_id).value_or(0);
  const std::int64_t limit = heartbeat_policy(agent->runtime_config.parse()).max_concurrent_runs;
  const std::int64_t slots = std::min<std::int64_t>(limit - running, options.free_slots);
  const auto queue = tx.all<QueuedRun>("select {} from heartbeat_runs where agent_id = :1 and status = 'queued' order by created_at, id limit 500", agent_id);
  if (slots <= 0) {
    claims.machine_full = !queue.empty() && running < limit;
    return claims;
  }
  for (const auto& run : by_urgency(tx, queue)) {
    if (static_cast<std::int64_t>(claims.runs.size()) >= slots) {
      claims.machine_full = slots == options.free_slots;
      break;
    }
    if (run.context_issue_id && is_taken(tx, *run.context_issue_id)) continue;
    if (!gets_its_directory(tx, *agent, run)) continue;
    if (auto claimed = claim_one(tx, *agent, run.id, options)) claims.runs.push_back(*std::move(claimed));
  }
  return claims;
}

Result<> record_start(store::Transaction& tx, const RunSetup& setup, const StartFacts& facts) {
  const RunId id = setup.run.id;
  const auto stored = tx.one<StoredRun>("select {} from heartbeat_runs where id = :1 {for update}", id);
  if (!stored || stored->status != RunStatus::running || stored->fence != setup.run.fence)
    return conflict("The run is over or in other hands", json::object{{"runId", id.view()}});
  json::object context = context_of(stored->context_snapshot);
  for (const auto& item : facts.context) context[item.key()] = item.value();
  tx.execute("update heartbeat_runs set context_snapshot = :1, session_id_before = :2, log_store = 'local_file', log_ref = :3, updated_at = :4 where id = :5",
             RawJson(json::value(context)), setup.session.display_id ? setup.session.display_id : stored->session_id_before, facts.log_ref, tx.now(), id);
  if (setup.lease_id && !facts.lease_metadata.empty()) describe_lease(tx, *setup.lease_id, facts.lease_metadata);
  if (!facts.invocation.is_null())
    append_run_event(tx, {id, stored->company_id, stored->agent_id}, {"adapter.invoke", "info", "adapter invocation", facts.invocation});
  return {};
}

void requeue_unstarted(store::Transaction& tx, RunId id) {
  const auto run = tx.one<StoredRun>("select {} from heartbeat_runs where id = :1 {for update}", id);
  if (!run || run->status != RunStatus::running) return;
  const RunIdentity identity{run->id, run->company_id, run->agent_id};
  tx.execute("update heartbeat_runs set status = 'queued', started_at = null, fence = fence + 1, updated_at = :1 where id = :2", tx.now(), id);
  move_wakeup(tx, run->wakeup_request_id, WakeupStatus::queued);
  release_run_leases(tx, identity, RunStatus::cancelled, std::nullopt);
  append_run_event(tx, identity, {"lifecycle", "warn", "The server restarted before the run had started a process; queued again"});
  emit_run_queued(tx, *run);
}

}  // namespace paperclip::domain
