#include "domain/runs/issue_release.h"

#include "domain/activity/activity.h"
#include "domain/budgets/invocation_block.h"
#include "domain/runs/issue_lock.h"
#include "domain/runs/new_run.h"
#include "domain/runs/run_context.h"
#include "domain/runs/sessions.h"
#include "domain/runs/stranded.h"
#include "domain/wakeups/enqueue.h"
#include "domain/wakeups/interaction_wake.h"
#include "domain/wakeups/wake_context.h"

namespace paperclip::domain {

namespace {

constexpr std::string_view parked_context = "_paperclipWakeContext";

std::optional<Author> requester(const AgentWakeupRequest& wakeup) {
  if (!wakeup.requested_by_actor_type || !wakeup.requested_by_actor_id) return std::nullopt;
  return Author{std::string(to_text(*wakeup.requested_by_actor_type)), *wakeup.requested_by_actor_id, std::nullopt, std::nullopt};
}

void end_parked(store::Transaction& tx, const AgentWakeupRequest& wakeup, WakeupStatus to, const char* why) { move_wakeup(tx, wakeup.id, to, why); }

// A person's comment on a closed issue opens it again; an agent's never does.
void reopen_if_asked(store::Transaction& tx, WorkIssue& issue, const AgentWakeupRequest& wakeup, const json::object& context) {
  if (!issue.is_closed() || wake_comment_ids(context).empty()) return;
  if (wakeup.requested_by_actor_type != ActorType::user && context_text(context, "wakeReason") != "issue_reopened_via_comment") return;
  const std::string from = issue.status;
  issue.status = "todo";
  tx.execute("update issues set status = 'todo', execution_state = null, completed_at = null, cancelled_at = null, updated_at = :1 "
             "where id = :2 and company_id = :3",
             tx.now(), issue.id, issue.company_id);
  log_activity(tx, issue.company_id, requester(wakeup).value_or(Author::system("heartbeat")),
               {"issue.updated", "issue", issue.id.str(),
                json::object{{"status", "todo"},
                             {"reopened", true},
                             {"reopenedFrom", from},
                             {"source", "deferred_comment_wake"},
                             {"identifier", issue.identifier ? json::value(*issue.identifier) : json::value()}}});
}

// The parked wake becomes a run, through the row it already has.
void promote(store::Transaction& tx, const WorkIssue& issue, const WakeAgent& agent, const AgentWakeupRequest& wakeup, json::object payload, json::object context) {
  payload.erase(parked_context);
  WakeRequest request;
  request.source = to_text(wakeup.source);
  if (wakeup.trigger_detail) request.trigger_detail = to_text(*wakeup.trigger_detail);
  request.payload = payload;
  request.context = std::move(context);
  context = enrich_wake_context(request);
  const auto task_key = derive_task_key(context);
  const RunId id = tx.new_id<RunId>();
  tx.execute("update agent_wakeup_requests set status = 'queued', reason = 'issue_execution_promoted', run_id = :1, finished_at = null, "
             "error = null, updated_at = :2 where id = :3",
             id, tx.now(), wakeup.id);
  NewRun run;
  run.company_id = issue.company_id;
  run.agent_id = agent.id;
  run.invocation_source = wakeup.source;
  run.trigger_detail = wakeup.trigger_detail;
  run.wakeup_id = wakeup.id;
  run.session_id_before = session_before(tx, agent, context, task_key);
  run.context = std::move(context);
  create_run(tx, run, id);
  if (issue.assignee_agent_id == agent.id) stamp_execution_lock(tx, issue.company_id, issue.id, id, agent_name_key(agent.name));
}

// True when a parked wake was promoted.
bool promote_oldest(store::Transaction& tx, WorkIssue& issue) {
  const auto parked = tx.all<AgentWakeupRequest>(
      "select {} from agent_wakeup_requests where company_id = :1 and status = 'deferred_issue_execution' and payload ->> 'issueId' = :2 "
      "order by requested_at, id",
      issue.company_id, issue.id.view());
  for (const auto& wakeup : parked) {
    const auto agent = tx.one<WakeAgent>("select {} from agents where id = :1 and company_id = :2", wakeup.agent_id, issue.company_id);
    if (!agent || !is_invokable(agent->status)) {
      end_parked(tx, wakeup, WakeupStatus::failed, "Deferred wake could not be promoted: the agent is not invokable");
      continue;
    }
    json::object payload = context_of(wakeup.payload);
    json::object context;
    if (const auto* stored = payload.if_contains(parked_context); stored != nullptr && stored->is_object()) context = stored->get_object();
    if (const auto hold = active_pause_hold(tx, issue.company_id, issue.id)) {
      WakeOrigin origin{requester(wakeup) ? std::optional(requester(wakeup)->type) : std::nullopt, wakeup.requested_by_actor_id, agent->id, std::nullopt, wakeup.id};
      if (!is_verified_interaction(tx, issue.company_id, issue.id, context, origin)) {
        end_parked(tx, wakeup, WakeupStatus::cancelled, "Deferred wake cancelled: the issue's subtree is paused");
        continue;
      }
      set_tree_hold(context, *hold);
    }
    reopen_if_asked(tx, issue, wakeup, context);
    promote(tx, issue, *agent, wakeup, std::move(payload), std::move(context));
    return true;
  }
  return false;
}

// Work that nobody would go on with is taken up once; the second time a person has to look (spec/execution.md 16.3.3).
void recover(store::Transaction& tx, const WorkIssue& issue, const StoredRun& run) {
  const bool unsuccessful = run.status == RunStatus::failed || run.status == RunStatus::timed_out || run.status == RunStatus::cancelled;
  if (!unsuccessful || (issue.status != "todo" && issue.status != "in_progress")) return;
  if (issue.assignee_user_id || issue.assignee_agent_id != run.agent_id) return;
  if (tx.exists("select 1 from heartbeat_runs where context_issue_id = :1 and company_id = :2 and id <> :3 and status in ('queued', 'running', 'scheduled_retry')",
                issue.id, issue.company_id, run.id))
    return;
  if (active_pause_hold(tx, issue.company_id, issue.id)) return;
  const auto agent = tx.one<WakeAgent>("select {} from agents where id = :1 and company_id = :2", run.agent_id, run.company_id);
  // OURS: the work of an agent that is paused waits for it; the reference escalates it.
  if (!agent || !is_invokable(agent->status)) return;
  // The same for a budget: what it stopped goes on when it lets work go on.
  if (find_invocation_block(tx, issue.company_id, agent->id, issue.project_id)) return;
  const bool todo = issue.status == "todo";
  const auto before = context_text(context_of(run.context_snapshot), "retryReason");
  if (issue.origin_kind == "stranded_issue_recovery" || before == (todo ? "assignment_recovery" : "issue_continuation_needed"))
    return escalate_stranded_issue(tx, issue, run.id);
  const RunId recovery = queue_recovery_run(tx, issue, *agent, todo ? RecoveryKind::assignment : RecoveryKind::continuation, run.id);
  stamp_execution_lock(tx, issue.company_id, issue.id, recovery, agent_name_key(agent->name));
}

}  // namespace

void promote_parked_wake(store::Transaction& tx, CompanyId company, IssueId id) {
  auto issue = lock_work_issue(tx, company, id);
  if (!issue || (issue->execution_run_id && !is_run_over(tx, company, *issue->execution_run_id))) return;
  if (tx.exists("select 1 from heartbeat_runs where context_issue_id = :1 and company_id = :2 and status in ('queued', 'running', 'scheduled_retry')", id, company)) return;
  (void)promote_oldest(tx, *issue);
}

void release_issue_and_promote(store::Transaction& tx, const StoredRun& run) {
  std::optional<WorkIssue> issue;
  if (run.context_issue_id) issue = lock_work_issue(tx, run.company_id, *run.context_issue_id);
  if (!issue) issue = tx.one<WorkIssue>("select {} from issues where execution_run_id = :1 and company_id = :2 {for update}", run.id, run.company_id);
  if (!issue) return;
  if (issue->execution_run_id && issue->execution_run_id != run.id) return;
  if (issue->execution_run_id) clear_execution_lock(tx, issue->company_id, issue->id, run.id);
  if (promote_oldest(tx, *issue)) return;
  recover(tx, *issue, run);
}

}  // namespace paperclip::domain
