#include "domain/wakeups/enqueue.h"

#include "base/write_json.h"
#include "domain/runs/issue_lock.h"
#include "domain/runs/new_run.h"
#include "domain/runs/retries.h"
#include "domain/wakeups/wake_context.h"

namespace paperclip::domain {

namespace {

struct LiveRun {
  RunId id;
  AgentId agent_id;
  RunStatus status;
  RawJson context_snapshot;
};
BOOST_DESCRIBE_STRUCT(LiveRun, (), (id, agent_id, status, context_snapshot))

struct DeferredWake {
  WakeupId id;
  RawJson payload;
};
BOOST_DESCRIBE_STRUCT(DeferredWake, (), (id, payload))

// A comment, or the answer to a request for approval, must reach the agent: a run that is under way cannot take it in.
bool needs_follow_up(const json::object& context) {
  return !wake_comment_ids(context).empty() || context_text(context, "wakeReason") == "approval_approved";
}

WakeOutcome queue_run(store::Transaction& tx, const Enqueue& wake) {
  AgentWakeupRequest wakeup = wakeup_of(tx, wake.agent.company_id, wake.agent.id, wake.request, WakeupStatus::queued);
  const RunId id = tx.new_id<RunId>();
  wakeup.run_id = id;
  tx.insert("agent_wakeup_requests", wakeup);
  NewRun run;
  run.company_id = wake.agent.company_id;
  run.agent_id = wake.agent.id;
  run.invocation_source = wakeup.source;
  run.trigger_detail = wakeup.trigger_detail;
  run.wakeup_id = wakeup.id;
  run.context = wake.context;
  run.session_id_before = wake.session_id_before;
  if (const auto* attempt = wake.context.if_contains("livenessContinuationAttempt"); attempt != nullptr && attempt->is_int64())
    run.continuation_attempt = static_cast<int>(attempt->get_int64());
  create_run(tx, run, id);
  return {WakeResult::queued, id, {}};
}

WakeOutcome fold_into(store::Transaction& tx, const Enqueue& wake, const LiveRun& run, std::optional<std::string> reason) {
  const auto existing = run.context_snapshot.parse();
  const auto merged = merge_wake_context(existing.is_object() ? existing.get_object() : json::object(), wake.context);
  tx.execute("update heartbeat_runs set context_snapshot = :1, updated_at = :2 where id = :3", RawJson(json::value(merged)), tx.now(), run.id);
  WakeRequest request = wake.request;
  request.reason = std::move(reason);
  AgentWakeupRequest wakeup = wakeup_of(tx, wake.agent.company_id, wake.agent.id, request, WakeupStatus::coalesced);
  wakeup.coalesced_count = 1;
  wakeup.run_id = run.id;
  tx.insert("agent_wakeup_requests", wakeup);
  return {WakeResult::coalesced, run.id, {}};
}

// At most one parked wake per agent and issue; later ones are folded into it.
WakeOutcome park(store::Transaction& tx, const Enqueue& wake, IssueId issue) {
  constexpr std::string_view context_key = "_paperclipWakeContext";
  json::object payload = wake.request.payload.value_or(json::object());
  payload["issueId"] = issue.view();
  std::optional<DeferredWake> parked;
  tx.each<DeferredWake>(
      "select {} from agent_wakeup_requests where company_id = :1 and agent_id = :2 and status = 'deferred_issue_execution' order by requested_at, id",
      [&](const DeferredWake& row) {
        if (text_at(row.payload.parse(), "issueId") != issue.str()) return true;
        parked = row;
        return false;
      },
      wake.agent.company_id, wake.agent.id);
  if (!parked) {
    WakeRequest request = wake.request;
    request.reason = "issue_execution_deferred";
    payload[context_key] = wake.context;
    request.payload = std::move(payload);
    tx.insert("agent_wakeup_requests", wakeup_of(tx, wake.agent.company_id, wake.agent.id, request, WakeupStatus::deferred_issue_execution));
    return {WakeResult::deferred, std::nullopt, {}};
  }
  json::object merged = parked->payload.parse().as_object();
  json::object context;
  if (const auto* stored = merged.if_contains(context_key); stored != nullptr && stored->is_object()) context = stored->get_object();
  for (const auto& item : payload) merged[item.key()] = item.value();
  merged[context_key] = merge_wake_context(context, wake.context);
  tx.execute("update agent_wakeup_requests set payload = :1, coalesced_count = coalesced_count + 1, updated_at = :2 where id = :3",
             RawJson(json::value(merged)), tx.now(), parked->id);
  return {WakeResult::deferred, std::nullopt, {}};
}

// A retry that waits for its time gives way when its issue has moved on (spec/execution.md 4.2.2).
bool cancel_if_stale(store::Transaction& tx, const WorkIssue& issue, const LiveRun& run) {
  if (run.status != RunStatus::scheduled_retry) return false;
  if (issue.assignee_agent_id != run.agent_id) {
    cancel_scheduled_retry(tx, run.id, "issue_reassigned", "The issue was given to somebody else before the retry was due");
    return true;
  }
  if (issue.status == "cancelled") {
    cancel_scheduled_retry(tx, run.id, "issue_cancelled", "The issue was cancelled before the retry was due");
    return true;
  }
  return false;
}

// The live run that executes the issue, whether or not the lock says so.
std::optional<LiveRun> find_active_run(store::Transaction& tx, const WorkIssue& issue) {
  if (issue.execution_run_id) {
    const auto holder = tx.one<LiveRun>("select {} from heartbeat_runs where id = :1 and company_id = :2", *issue.execution_run_id, issue.company_id);
    if (holder && is_live(holder->status) && !cancel_if_stale(tx, issue, *holder)) return holder;
    clear_execution_lock(tx, issue.company_id, issue.id, *issue.execution_run_id);
  }
  for (auto& run : tx.all<LiveRun>("select {} from heartbeat_runs where context_issue_id = :1 and company_id = :2 "
                                   "and status in ('queued', 'running', 'scheduled_retry') "
                                   "order by case when status = 'running' then 0 else 1 end, created_at, id",
                                   issue.id, issue.company_id)) {
    if (cancel_if_stale(tx, issue, run)) continue;
    // Only the assignee's run owns the lock; a mentioned agent's run is waited for all the same.
    if (issue.assignee_agent_id == run.agent_id) {
      const auto name = tx.value<std::string>("select name from agents where id = :1", run.agent_id);
      stamp_execution_lock(tx, issue.company_id, issue.id, run.id, agent_name_key(name.value_or("")));
    }
    return std::move(run);
  }
  return std::nullopt;
}

}  // namespace

void set_blockers(json::object& context, const std::vector<Blocker>& blockers) {
  json::array ids, summaries;
  for (const auto& blocker : blockers) {
    ids.emplace_back(blocker.id.view());
    summaries.push_back(to_json(blocker));
  }
  context["dependencyBlockedInteraction"] = true;
  context["unresolvedBlockerIssueIds"] = std::move(ids);
  context["unresolvedBlockerCount"] = blockers.size();
  context["unresolvedBlockerSummaries"] = std::move(summaries);
}

WakeOutcome enqueue_for_issue(store::Transaction& tx, Enqueue& wake, IssueId id) {
  const auto issue = lock_work_issue(tx, wake.agent.company_id, id);
  if (!issue) {
    record_skip(tx, wake, "issue_execution_issue_not_found");
    return skipped("issue_execution_issue_not_found");
  }
  const auto active = find_active_run(tx, *issue);
  if (const auto blockers = unresolved_blockers(tx, issue->company_id, id); !blockers.empty()) {
    if (is_comment_wake(wake.context)) {
      set_blockers(wake.context, blockers);
    } else if (!active) {
      json::object payload = wake.request.payload.value_or(json::object());
      payload["issueId"] = id.view();
      json::array ids;
      for (const auto& blocker : blockers) ids.emplace_back(blocker.id.view());
      payload["unresolvedBlockerIssueIds"] = std::move(ids);
      record_skip(tx, wake, "issue_dependencies_blocked", std::move(payload));
      return skipped("issue_dependencies_blocked");
    }
  }
  if (!active) return queue_run(tx, wake);
  // OURS: agents are compared by id; two may share a name.
  const bool same_agent = active->agent_id == wake.agent.id;
  if (same_agent && !(active->status == RunStatus::running && needs_follow_up(wake.context)))
    return fold_into(tx, wake, *active, "issue_execution_same_name");
  return park(tx, wake, id);
}

WakeOutcome enqueue_without_issue(store::Transaction& tx, Enqueue& wake) {
  const bool follow_up = needs_follow_up(wake.context);
  std::optional<LiveRun> queued, scheduled, running;
  tx.each<LiveRun>(
      "select {} from heartbeat_runs where agent_id = :1 and company_id = :2 and status in ('queued', 'running', 'scheduled_retry') "
      "order by created_at desc, id desc",
      [&](const LiveRun& run) {
        const auto context = run.context_snapshot.parse();
        const auto key = context.is_object() ? derive_task_key(context.get_object()) : std::nullopt;
        if (key != wake.task_key) return;
        auto& slot = run.status == RunStatus::queued ? queued : run.status == RunStatus::running ? running : scheduled;
        if (!slot) slot = run;
      },
      wake.agent.id, wake.agent.company_id);
  if (queued) return fold_into(tx, wake, *queued, wake.request.reason);
  if (scheduled) return fold_into(tx, wake, *scheduled, wake.request.reason);
  if (running && !follow_up) return fold_into(tx, wake, *running, wake.request.reason);
  return queue_run(tx, wake);
}

}  // namespace paperclip::domain
