#include "domain/runs/retry_gate.h"

#include "domain/budgets/invocation_block.h"
#include "domain/wakeups/invokable.h"
#include "domain/wakeups/wake_context.h"

namespace paperclip::domain {

std::optional<AgentId> review_participant(const WorkIssue& issue) {
  if (issue.status != "in_review") return std::nullopt;
  const auto state = issue.execution_state.parse();
  const auto* participant = member(state, "currentParticipant");
  if (participant == nullptr) return std::nullopt;
  const auto agent = text_at(*participant, "agentId");
  return agent ? AgentId::parse(*agent) : std::nullopt;
}

std::optional<GateRefusal> retry_gate(store::Transaction& tx, const StoredRun& retry, const json::object& context, bool check_lock) {
  const auto reason = context_text(context, "retryReason");
  const bool max_turns = reason == "max_turns_continuation";
  std::optional<WorkIssue> issue;
  if (retry.context_issue_id) issue = lock_work_issue(tx, retry.company_id, *retry.context_issue_id);

  const auto project = issue ? issue->project_id : std::nullopt;
  if (const auto block = find_invocation_block(tx, retry.company_id, retry.agent_id, project)) return GateRefusal{"budget_blocked", block->reason};
  const auto status = tx.value<std::string>("select status from agents where id = :1 and company_id = :2", retry.agent_id, retry.company_id);
  if (!status || !is_invokable(*status)) return GateRefusal{"agent_not_invokable", "The agent cannot be invoked any more"};
  if (!retry.context_issue_id) return std::nullopt;
  if (!issue) {
    if (max_turns) return GateRefusal{"issue_not_found", "The issue is gone"};
    return std::nullopt;
  }
  if (issue->assignee_agent_id != retry.agent_id) return GateRefusal{"issue_reassigned", "The issue was given to somebody else"};
  if (issue->status == "cancelled") return GateRefusal{"issue_cancelled", "The issue was cancelled"};
  if (issue->status == "done") return GateRefusal{"issue_terminal_status", "The issue is done"};
  if (max_turns && issue->status != "in_progress") return GateRefusal{"issue_not_in_progress", "The issue is no longer in progress"};
  if (max_turns && check_lock && issue->execution_run_id != retry.id)
    return GateRefusal{"issue_execution_lock_changed", "Another run executes the issue"};
  if (const auto participant = review_participant(*issue); participant && participant != retry.agent_id)
    return GateRefusal{"issue_review_participant_changed", "The review is somebody else's turn"};
  if (active_pause_hold(tx, issue->company_id, issue->id)) return GateRefusal{"issue_paused", "The issue's subtree is paused"};
  if (is_blocked(tx, issue->company_id, issue->id)) return GateRefusal{"issue_dependencies_blocked", "The issue waits for others"};
  return std::nullopt;
}

}  // namespace paperclip::domain
