#include "domain/runs/stranded.h"

#include "domain/budgets/invocation_block.h"
#include "domain/runs/new_run.h"
#include "domain/runs/productivity_review.h"
#include "domain/runs/run_context.h"
#include "domain/runs/sessions.h"
#include "domain/wakeups/wake.h"
#include "domain/wakeups/wake_context.h"

namespace paperclip::domain {

namespace {

struct LatestRun {
  RunId id;
  RunStatus status;
  std::optional<RunLivenessState> liveness_state;
  RawJson context_snapshot;
};
BOOST_DESCRIBE_STRUCT(LatestRun, (), (id, status, liveness_state, context_snapshot))

std::string_view reason_of(RecoveryKind kind) {
  return kind == RecoveryKind::assignment ? "issue_assignment_recovery" : "issue_continuation_needed";
}
std::string_view retry_reason_of(RecoveryKind kind) { return kind == RecoveryKind::assignment ? "assignment_recovery" : "issue_continuation_needed"; }
std::string_view source_of(RecoveryKind kind) {
  switch (kind) {
    case RecoveryKind::assignment: return "issue.assignment_recovery";
    case RecoveryKind::continuation: return "issue.continuation_recovery";
    case RecoveryKind::productive: return "issue.productive_terminal_continuation_recovery";
  }
  return {};
}

bool says_something_useful(const std::optional<RunLivenessState>& liveness) {
  return liveness == RunLivenessState::advanced || liveness == RunLivenessState::completed || liveness == RunLivenessState::blocked ||
         liveness == RunLivenessState::needs_followup;
}

enum class Verdict { leave, dispatch, assignment, continuation, productive, escalate };

Verdict judge(store::Transaction& tx, const WorkIssue& issue) {
  const auto latest = tx.one<LatestRun>(
      "select {} from heartbeat_runs where context_issue_id = :1 and company_id = :2 order by created_at desc, id desc limit 1", issue.id, issue.company_id);
  const auto context = latest ? context_of(latest->context_snapshot) : json::object();
  const auto recovered = context_text(context, "retryReason");
  if (issue.origin_kind == "stranded_issue_recovery" && latest && latest->status != RunStatus::succeeded) return Verdict::escalate;
  if (issue.status == "todo") {
    if (!latest) {
      const bool waiting = tx.exists("select 1 from agent_wakeup_requests where company_id = :1 and agent_id = :2 and status = 'queued' and payload ->> 'issueId' = :3",
                                     issue.company_id, *issue.assignee_agent_id, issue.id.view());
      return waiting ? Verdict::leave : Verdict::dispatch;
    }
    if (latest->status == RunStatus::succeeded) return Verdict::leave;
    return recovered == "assignment_recovery" ? Verdict::escalate : Verdict::assignment;
  }
  if (!latest) return Verdict::leave;
  if (latest->status == RunStatus::succeeded) {
    if (!says_something_useful(latest->liveness_state)) return Verdict::leave;
    const bool again = recovered == "issue_continuation_needed" && context_text(context, "source") == source_of(RecoveryKind::productive);
    return again ? Verdict::escalate : Verdict::productive;
  }
  return recovered == "issue_continuation_needed" ? Verdict::escalate : Verdict::continuation;
}

}  // namespace

RunId queue_recovery_run(store::Transaction& tx, const WorkIssue& issue, const WakeAgent& agent, RecoveryKind kind, std::optional<RunId> after) {
  json::object context{{"issueId", issue.id.view()},
                       {"taskId", issue.id.view()},
                       {"taskKey", issue.id.view()},
                       {"wakeReason", reason_of(kind)},
                       {"retryReason", retry_reason_of(kind)},
                       {"source", source_of(kind)},
                       {"wakeSource", "automation"},
                       {"wakeTriggerDetail", "system"}};
  json::object payload{{"issueId", issue.id.view()}};
  if (after) context["retryOfRunId"] = payload["retryOfRunId"] = after->view();
  FollowUp follow_up;
  follow_up.company_id = issue.company_id;
  follow_up.agent_id = agent.id;
  follow_up.reason = std::string(reason_of(kind));
  follow_up.payload = std::move(payload);
  follow_up.run.session_id_before = session_before(tx, agent, context, issue.id.str());
  follow_up.run.context = std::move(context);
  follow_up.run.retry_of_run_id = after;
  return create_follow_up(tx, std::move(follow_up)).id;
}

StrandedReport reconcile_stranded_issues(store::Transaction& tx, int limit) {
  StrandedReport report;
  // No live run and no parked wake; the rest is decided issue by issue.
  const auto candidates = tx.all<WorkIssue>(
      "select {i} from issues i join agents a on a.id = i.assignee_agent_id join companies c on c.id = i.company_id "
      "where i.status in ('todo', 'in_progress') and i.assignee_user_id is null and i.hidden_at is null and c.status = 'active' "
      "and a.status not in ('paused', 'terminated', 'pending_approval') "
      "and not exists (select 1 from heartbeat_runs r where r.context_issue_id = i.id and r.status in ('queued', 'running', 'scheduled_retry')) "
      "and not exists (select 1 from agent_wakeup_requests w where w.company_id = i.company_id and w.status = 'deferred_issue_execution' "
      "and w.payload ->> 'issueId' = cast(i.id as text)) order by i.updated_at, i.id limit :1",
      limit);
  for (const auto& issue : candidates) {
    const auto agent = tx.one<WakeAgent>("select {} from agents where id = :1", *issue.assignee_agent_id);
    if (!agent || active_pause_hold(tx, issue.company_id, issue.id) ||
        find_invocation_block(tx, issue.company_id, agent->id, issue.project_id) || is_blocked(tx, issue.company_id, issue.id)) {
      ++report.skipped;
      continue;
    }
    const auto latest = tx.value<RunId>("select id from heartbeat_runs where context_issue_id = :1 and company_id = :2 order by created_at desc, id desc limit 1",
                                        issue.id, issue.company_id);
    const Verdict verdict = judge(tx, issue);
    if ((verdict == Verdict::continuation || verdict == Verdict::productive) && is_held_by_review(tx, issue)) {
      ++report.skipped;
      continue;
    }
    switch (verdict) {
      case Verdict::leave: ++report.skipped; break;
      case Verdict::dispatch: {
        WakeRequest wake;
        wake.source = "assignment";
        wake.trigger_detail = "system";
        wake.reason = "issue_assigned";
        wake.payload = json::object{{"issueId", issue.id.view()}, {"mutation", "assigned_todo_liveness_dispatch"}};
        wake.requested_by = Author::system("heartbeat");
        wake.context = json::object{{"issueId", issue.id.view()}, {"source", "issue.assigned_todo_liveness_dispatch"}};
        wake_quietly(tx, agent->id, wake);
        ++report.dispatched;
        break;
      }
      case Verdict::assignment: queue_recovery_run(tx, issue, *agent, RecoveryKind::assignment, latest); ++report.requeued; break;
      case Verdict::continuation: queue_recovery_run(tx, issue, *agent, RecoveryKind::continuation, latest); ++report.continued; break;
      case Verdict::productive: queue_recovery_run(tx, issue, *agent, RecoveryKind::productive, latest); ++report.continued; break;
      case Verdict::escalate: escalate_stranded_issue(tx, issue, latest); ++report.escalated; break;
    }
  }
  return report;
}

}  // namespace paperclip::domain
