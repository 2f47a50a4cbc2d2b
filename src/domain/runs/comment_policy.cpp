#include "domain/runs/comment_policy.h"

#include "domain/budgets/invocation_block.h"
#include "domain/runs/issue_lock.h"
#include "domain/runs/new_run.h"
#include "domain/runs/run_context.h"
#include "domain/runs/run_events.h"
#include "domain/wakeups/wake_context.h"

namespace paperclip::domain {

namespace {

void set_status(store::Transaction& tx, RunId run, RunIssueCommentStatus status, const std::optional<CommentId>& comment = std::nullopt,
                const std::optional<Timestamp>& queued_at = std::nullopt) {
  tx.execute("update heartbeat_runs set issue_comment_status = :1, issue_comment_satisfied_by_comment_id = :2, issue_comment_retry_queued_at = :3 where id = :4",
             status, comment, queued_at, run);
}

bool must_comment(const json::object& context) {
  const auto reason = context_text(context, "wakeReason");
  return reason == "issue_assigned" || reason == "execution_review_requested" || reason == "execution_approval_requested" ||
         reason == "execution_changes_requested";
}

}  // namespace

void apply_comment_policy(store::Transaction& tx, const EndedRun& ended) {
  if (!ended.issue) return;
  const RunIdentity run{ended.run.id, ended.run.company_id, ended.run.agent_id};
  const auto comment = tx.value<CommentId>(
      "select id from issue_comments where created_by_run_id = :1 and issue_id = :2 order by created_at desc, id desc limit 1", run.id, ended.issue->id);
  if (comment) return set_status(tx, run.id, RunIssueCommentStatus::satisfied, comment);
  if (context_text(ended.context, "retryReason") == "missing_issue_comment") {
    set_status(tx, run.id, RunIssueCommentStatus::retry_exhausted);
    append_run_event(tx, run, {"lifecycle", "warn", "Run ended without an issue comment after one retry; no further comment wake will be queued"});
    return;
  }
  if (!must_comment(ended.context)) return;
  // Whoever stopped the agent or the run wants no further one; what is unfinished is taken up when the agent may work again.
  if (!is_invokable(ended.agent.status) || find_invocation_block(tx, run.company_id, run.agent_id, ended.issue->project_id)) {
    set_status(tx, run.id, RunIssueCommentStatus::retry_exhausted);
    append_run_event(tx, run, {"lifecycle", "warn", "Run ended without an issue comment; its agent may not work now, so no comment wake is queued"});
    return;
  }
  if (tx.exists("select 1 from agent_wakeup_requests where company_id = :1 and agent_id = :2 and status = 'deferred_issue_execution' and payload ->> 'issueId' = :3",
                run.company_id, run.agent_id, ended.issue->id.view())) {
    append_run_event(tx, run, {"lifecycle", "info", "Run ended without an issue comment; a deferred comment wake follows anyway"});
    return;
  }
  if (ended.issue->execution_run_id != run.id) {
    set_status(tx, run.id, RunIssueCommentStatus::retry_exhausted);
    append_run_event(tx, run, {"lifecycle", "warn", "Run ended without an issue comment, and its issue is in other hands"});
    return;
  }
  json::object context = base_context(ended.context);
  context["wakeReason"] = "missing_issue_comment";
  context["retryReason"] = "missing_issue_comment";
  context["missingIssueCommentForRunId"] = run.id.view();
  context["retryOfRunId"] = run.id.view();
  FollowUp follow_up;
  follow_up.company_id = run.company_id;
  follow_up.agent_id = run.agent_id;
  follow_up.reason = "missing_issue_comment";
  follow_up.payload = json::object{{"issueId", ended.issue->id.view()}, {"retryOfRunId", run.id.view()}};
  follow_up.run.context = std::move(context);
  follow_up.run.session_id_before = ended.run.session_id_after ? ended.run.session_id_after : ended.run.session_id_before;
  follow_up.run.retry_of_run_id = run.id;
  const HeartbeatRun retry = create_follow_up(tx, std::move(follow_up));
  stamp_execution_lock(tx, run.company_id, ended.issue->id, retry.id, agent_name_key(ended.agent.name));
  set_status(tx, run.id, RunIssueCommentStatus::retry_queued, std::nullopt, tx.now());
  append_run_event(tx, run, {"lifecycle", "warn", "Run ended without an issue comment; queued one follow-up wake to require a comment"});
}

}  // namespace paperclip::domain
