#include "domain/runs/claim_gate.h"

#include "domain/activity/activity.h"
#include "domain/budgets/enforcement.h"
#include "domain/budgets/invocation_block.h"
#include "domain/runs/cancel.h"
#include "domain/runs/issue_lock.h"
#include "domain/runs/issue_release.h"
#include "domain/runs/new_run.h"
#include "domain/runs/run_events.h"
#include "domain/wakeups/interaction_wake.h"
#include "domain/wakeups/wake_context.h"

namespace paperclip::domain {

namespace {

using Kind = ClaimRefusal::Kind;

// Nothing of a paused subtree starts, unless the agent is talked to.
std::optional<ClaimRefusal> pause_gate(store::Transaction& tx, const StoredRun& run, const json::object& context, const WorkIssue& issue) {
  const auto hold = active_pause_hold(tx, issue.company_id, issue.id);
  if (!hold) return std::nullopt;
  WakeOrigin origin;
  origin.agent_id = run.agent_id;
  origin.run_id = run.id;
  origin.wakeup_id = run.wakeup_request_id;
  if (is_verified_interaction(tx, issue.company_id, issue.id, context, origin)) return std::nullopt;
  log_activity(tx, issue.company_id, Author::system("heartbeat"),
               {"issue.tree_hold_run_interrupted", "heartbeat_run", run.id.str(),
                json::object{{"issueId", issue.id.view()},
                             {"holdId", hold->id.view()},
                             {"rootIssueId", hold->root_issue_id.view()},
                             {"source", "heartbeat.claim_queued_run"},
                             {"securityPrinciples", json::array{"Complete Mediation", "Fail Securely", "Secure Defaults"}}}});
  return ClaimRefusal{Kind::cancel, "cancelled", "Cancelled because the issue's subtree is paused"};
}

std::optional<ClaimRefusal> stale_gate(const StoredRun& run, const json::object& context, const WorkIssue& issue) {
  const bool interaction = is_comment_wake(context);
  const bool has_comment = !wake_comment_ids(context).empty();
  const auto stale = [](const char* code, const char* message) { return ClaimRefusal{Kind::stale, code, message}; };
  if (issue.assignee_agent_id != run.agent_id && !interaction)
    return stale("issue_assignee_changed", "Cancelled because the issue is assigned to somebody else");
  if (issue.is_closed() && !context_flag(context, "resumeIntent") && !context_flag(context, "followUpRequested") && !has_comment)
    return stale("issue_terminal_status", "Cancelled because the issue is closed");
  if (context_text(context, "retryReason") == "max_turns_continuation") {
    if (issue.status != "in_progress") return stale("issue_not_in_progress", "Cancelled because the issue is no longer in progress");
    if (issue.execution_run_id != run.id) return stale("issue_execution_lock_changed", "Cancelled because another run executes the issue");
  }
  if (const auto participant = review_participant(issue); participant && participant != run.agent_id && !has_comment)
    return stale("issue_review_participant_changed", "Cancelled because the review is somebody else's turn");
  return std::nullopt;
}

}  // namespace

std::optional<ClaimRefusal> claim_gate(store::Transaction& tx, const StoredRun& run, const WakeAgent& agent, const json::object& context,
                                       const std::optional<WorkIssue>& issue) {
  if (!is_invokable(agent.status)) return ClaimRefusal{Kind::cancel, "cancelled", "Cancelled because the agent is not invokable"};
  std::optional<ProjectId> project;
  if (issue) project = issue->project_id;
  else if (const auto text = context_text(context, "projectId")) project = ProjectId::parse(*text);
  if (const auto block = find_invocation_block(tx, run.company_id, run.agent_id, project)) {
    if (block->limit) enforce_limit(tx, *block->limit);
    return ClaimRefusal{Kind::cancel, "cancelled", block->reason};
  }
  if (!run.context_issue_id) return std::nullopt;
  if (!issue) return ClaimRefusal{Kind::stale, "issue_not_found", "Cancelled because the issue is gone"};
  if (auto refusal = pause_gate(tx, run, context, *issue)) return refusal;
  if (!is_comment_wake(context) && is_blocked(tx, run.company_id, issue->id))
    return ClaimRefusal{Kind::blocked, "issue_dependencies_blocked", "Cancelled because the issue waits for others"};
  return stale_gate(run, context, *issue);
}

void refuse_claim(store::Transaction& tx, const StoredRun& run, const ClaimRefusal& refusal) {
  if (refusal.kind == Kind::cancel) return cancel_run_row(tx, run, refusal.message, refusal.code);
  const json::object result{{"stopReason", refusal.code},
                            {"effectiveTimeoutSec", 0},
                            {"timeoutConfigured", false},
                            {"timeoutSource", refusal.kind == Kind::blocked ? "dependency_gate" : "stale_queued_run_gate"},
                            {"timeoutFired", false}};
  tx.execute("update heartbeat_runs set status = 'cancelled', finished_at = :1, error = :2, error_code = :3, result_json = :4, updated_at = :1 "
             "where id = :5 and status = 'queued'",
             tx.now(), refusal.message, refusal.code, RawJson(json::value(result)), run.id);
  move_wakeup(tx, run.wakeup_request_id, WakeupStatus::skipped, refusal.message);
  if (run.context_issue_id) clear_execution_lock(tx, run.company_id, *run.context_issue_id, run.id);
  append_run_event(tx, {run.id, run.company_id, run.agent_id}, {"lifecycle", "warn", refusal.message, json::object{{"code", refusal.code}}});
  emit_run_status(tx, run.id);
  if (run.context_issue_id) promote_parked_wake(tx, run.company_id, *run.context_issue_id);
}

}  // namespace paperclip::domain
