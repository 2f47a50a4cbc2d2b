#include "domain/issues/patch_wakes.h"

#include "base/write_json.h"
#include "domain/issues/issue_wakes.h"

namespace paperclip::domain {

namespace {

json::value or_null(const auto& value) { return value ? to_json(*value) : json::value(nullptr); }

// How the run is told what the stage wants of it.
json::object stage_context(const ExecutionState& state, std::string_view role) {
  const bool decides = role != "executor";
  return {{"wakeRole", role},
          {"stageId", or_null(state.current_stage_id)},
          {"stageType", or_null(state.current_stage_type)},
          {"currentParticipant", or_null(state.current_participant)},
          {"returnAssignee", or_null(state.return_assignee)},
          {"reviewRequest", or_null(state.review_request)},
          {"lastDecisionOutcome", or_null(state.last_decision_outcome)},
          {"allowedActions",
           decides ? json::array{"approve", "request_changes"} : json::array{"address_changes", "resubmit"}}};
}

// True if the stage's wake took the place of an assignment's.
bool add_stage_wake(PendingWakes& wakes, const IssueEdit& edit, const StageTransition& transition,
                    const CommentCircumstances& circumstances) {
  if (!transition.sets_state || !transition.state) return false;
  const ExecutionState& state = *transition.state;
  const auto before = parse_state(edit.before.execution_state);
  std::optional<AgentId> agent;
  std::string reason;
  std::string_view role;
  if (state.status == StageProgress::pending) {
    const bool same = before && before->status == StageProgress::pending &&
                      before->current_stage_id == state.current_stage_id &&
                      before->current_participant == state.current_participant;
    if (same || !state.current_participant) return false;
    agent = state.current_participant->agent_id;
    const bool review = state.current_stage_type == ExecutionStageType::review;
    reason = review ? "execution_review_requested" : "execution_approval_requested";
    role = review ? "reviewer" : "approver";
  } else if (state.status == StageProgress::changes_requested && transition.decision && state.return_assignee) {
    agent = state.return_assignee->agent_id;
    reason = "execution_changes_requested";
    role = "executor";
  }
  if (!agent) return false;
  const IssueId issue = edit.next.id;
  const json::object stage = stage_context(state, role);
  json::object payload{{"issueId", issue.view()}, {"mutation", "update"}, {"executionStage", stage}};
  json::object context{{"issueId", issue.view()},
                       {"taskId", issue.view()},
                       {"wakeReason", reason},
                       {"source", "issue.execution_stage"},
                       {"executionStage", stage}};
  if (circumstances.interrupted_run_id)
    payload["interruptedRunId"] = context["interruptedRunId"] = circumstances.interrupted_run_id->view();
  wakes.add(*agent, issue, "assignment", reason, std::move(payload), std::move(context));
  return true;
}

void add_circumstances_but_reopening(json::object& to, const CommentCircumstances& circumstances) {
  CommentCircumstances rest = circumstances;
  rest.reopened_from.reset();
  add_circumstances(to, rest);
}

void add_assignment_wake(PendingWakes& wakes, const Issue& issue, const CommentCircumstances& circumstances,
                         const std::optional<IssueComment>& comment) {
  json::object payload{{"issueId", issue.id.view()}, {"mutation", "update"}};
  json::object context{{"issueId", issue.id.view()}, {"source", "issue.update"}};
  if (comment) {
    context["wakeCommentId"] = comment->id.view();
    payload["commentId"] = context["commentId"] = comment->id.view();
    context["taskId"] = issue.id.view();
  }
  add_circumstances_but_reopening(payload, circumstances);
  add_circumstances_but_reopening(context, circumstances);
  wakes.add(*issue.assignee_agent_id, issue.id, "assignment", "issue_assigned", std::move(payload), std::move(context));
}

void add_status_wake(PendingWakes& wakes, const Issue& issue, const CommentCircumstances& circumstances) {
  json::object payload{{"issueId", issue.id.view()}, {"mutation", "update"}};
  json::object context{{"issueId", issue.id.view()}, {"source", "issue.status_change"}};
  add_circumstances_but_reopening(payload, circumstances);
  add_circumstances_but_reopening(context, circumstances);
  wakes.add(*issue.assignee_agent_id, issue.id, "automation", "issue_status_changed", std::move(payload),
            std::move(context));
}

}  // namespace

void wake_after_patch(store::Transaction& tx, const CompanyScope& scope, const IssueEdit& edit,
                      const StageTransition& transition, const CommentCircumstances& circumstances,
                      const IssuePatchBody& body, const std::optional<IssueComment>& comment) {
  const Issue& before = edit.before;
  const Issue& now = edit.next;
  const bool by_status = body.status.has_value();
  const bool reopened = circumstances.reopened_from.has_value();
  const bool assignee_changed = edit.changes_assignee();
  PendingWakes wakes(scope.author());
  const bool staged = add_stage_wake(wakes, edit, transition, circumstances);
  if (!staged && assignee_changed && now.assignee_agent_id && now.status != IssueStatus::backlog)
    add_assignment_wake(wakes, now, circumstances, comment);
  if (!assignee_changed && now.assignee_agent_id) {
    const bool left_backlog = by_status && before.status == IssueStatus::backlog && now.status != IssueStatus::backlog;
    const bool unblocked =
        before.status == IssueStatus::blocked && now.status == IssueStatus::todo && (by_status || reopened);
    const bool taken_up = by_status && is_terminal(before.status) && now.status == IssueStatus::todo;
    if (left_backlog || unblocked || taken_up) add_status_wake(wakes, now, circumstances);
  }
  if (comment) {
    if (!assignee_changed)
      add_comment_wake(wakes, now, *comment, scope.author(), is_terminal(before.status), circumstances);
    for (const auto& agent : mentioned_agents(tx, scope.company_id(), comment->body, scope.author()))
      add_mention_wake(wakes, agent, *comment, true);
  }
  if (now.status == IssueStatus::done && before.status != IssueStatus::done) add_unblocked_wakes(tx, now, wakes);
  if (is_terminal(now.status) && !is_terminal(before.status)) add_children_done_wake(tx, now, wakes);
  wakes.raise(tx);
}

}  // namespace paperclip::domain
