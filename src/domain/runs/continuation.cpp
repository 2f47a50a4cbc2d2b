#include "domain/runs/continuation.h"

#include "domain/budgets/invocation_block.h"
#include "domain/issues/comments.h"
#include "domain/runs/productivity_review.h"
#include "domain/wakeups/wake.h"

namespace paperclip::domain {

namespace {

constexpr int most_attempts = 2;
constexpr std::string_view exhausted_opening = "Bounded liveness continuation exhausted";

void say_exhausted(store::Transaction& tx, const EndedRun& ended, std::string_view state) {
  const WorkIssue& issue = *ended.issue;
  if (tx.exists("select 1 from issue_comments where issue_id = :1 and created_by_run_id = :2 and body like 'Bounded liveness continuation exhausted%'", issue.id, ended.run.id)) return;
  const std::string body = std::string(exhausted_opening) + "\n\nThe agent was asked " + std::to_string(most_attempts) +
                           " times to go on with this issue, and its last run still ended as `" + std::string(state) +
                           "`. Please say what should happen next, or move the issue.";
  Author author = Author::system("heartbeat");
  author.run_id = ended.run.id;
  insert_comment(tx, issue.company_id, issue.id, author, body);
}

}  // namespace

void continue_unfinished_work(store::Transaction& tx, const EndedRun& ended) {
  const auto state = ended.run.liveness_state;
  if (!ended.issue || (state != RunLivenessState::plan_only && state != RunLivenessState::empty_response)) return;
  const auto issue = find_work_issue(tx, ended.run.company_id, ended.issue->id);
  if (!issue || issue->assignee_agent_id != ended.run.agent_id || !issue->execution_state.is_null()) return;
  if (issue->status != "todo" && issue->status != "in_progress") return;
  if (!is_invokable(ended.agent.status)) return;
  // Somebody goes on already.
  if (tx.exists("select 1 from heartbeat_runs where context_issue_id = :1 and company_id = :2 and status in ('queued', 'running', 'scheduled_retry')",
                issue->id, issue->company_id))
    return;
  if (find_invocation_block(tx, issue->company_id, ended.run.agent_id, issue->project_id)) return;
  // An open productivity review decides first.
  if (held_by_review(tx, *issue, "run_liveness_continuation")) return;
  const std::string word(to_text(*state));
  const int attempt = ended.run.continuation_attempt + 1;
  if (attempt > most_attempts) return say_exhausted(tx, ended, word);
  const std::string key = "run_liveness_continuation:" + issue->id.str() + ":" + ended.run.id.str() + ":" + word + ":" + std::to_string(attempt);
  if (tx.exists("select 1 from agent_wakeup_requests where company_id = :1 and idempotency_key = :2 and status in ('queued', 'deferred_issue_execution', 'completed')",
                issue->company_id, key))
    return;
  WakeRequest wake;
  wake.source = "automation";
  wake.trigger_detail = "system";
  wake.reason = "run_liveness_continuation";
  wake.idempotency_key = key;
  wake.requested_by = Author::system("heartbeat");
  wake.payload = json::object{{"issueId", issue->id.view()}, {"sourceRunId", ended.run.id.view()}};
  wake.context = json::object{
      {"issueId", issue->id.view()},
      {"taskId", issue->id.view()},
      {"source", "run.liveness_continuation"},
      {"livenessContinuationAttempt", attempt},
      {"livenessContinuationMaxAttempts", most_attempts},
      {"livenessContinuationSourceRunId", ended.run.id.view()},
      {"livenessContinuationState", word},
      {"livenessContinuationReason", ended.run.liveness_reason ? json::value(*ended.run.liveness_reason) : json::value()},
      {"livenessContinuationInstruction", ended.run.next_action ? json::value("Do now what you announced: " + *ended.run.next_action)
                                                                : json::value("Take the first concrete step now, or say on the issue what keeps you from it.")}};
  wake_quietly(tx, ended.run.agent_id, wake);
}

}  // namespace paperclip::domain
