#include "domain/runs/watchdog.h"

#include "domain/activity/activity.h"

namespace paperclip::domain {

namespace {

struct EvaluationIssue {
  std::string origin_kind;
  std::optional<std::string> origin_id;
  std::optional<AgentId> assignee_agent_id;
};
BOOST_DESCRIBE_STRUCT(EvaluationIssue, (), (origin_kind, origin_id, assignee_agent_id))

}  // namespace

Result<HeartbeatRunWatchdogDecision> decide_on_silent_run(store::Transaction& tx, const CompanyScope& scope, RunId run, const SilenceDecision& decision) {
  if (decision.decision == WatchdogDecision::snooze && (!decision.snoozed_until || *decision.snoozed_until <= tx.now()))
    return bad_request("snoozedUntil must be a future ISO datetime");
  std::optional<EvaluationIssue> evaluation;
  if (decision.evaluation_issue_id) {
    evaluation = tx.one<EvaluationIssue>("select {} from issues where id = :1 and company_id = :2", *decision.evaluation_issue_id, scope.company_id());
    if (!evaluation || evaluation->origin_kind != "stale_active_run_evaluation" || evaluation->origin_id != run.str())
      return not_found("Evaluation issue not found");
  }
  const Actor& actor = scope.actor();
  if (!actor.is_board() && !(evaluation && actor.agent_id && evaluation->assignee_agent_id == actor.agent_id))
    return forbidden("Only the board or the assigned evaluation owner can record watchdog decisions");
  HeartbeatRunWatchdogDecision row;
  row.id = tx.new_id<AnyId>();
  row.company_id = scope.company_id();
  row.run_id = run;
  row.evaluation_issue_id = decision.evaluation_issue_id;
  row.decision = decision.decision;
  if (decision.decision == WatchdogDecision::snooze) row.snoozed_until = decision.snoozed_until;
  row.reason = decision.reason;
  row.created_by_agent_id = actor.agent_id;
  row.created_by_user_id = scope.author().user_id();
  row.created_by_run_id = actor.run_id;
  row.created_at = tx.now();
  tx.insert(table_of<HeartbeatRunWatchdogDecision>, row);
  log_activity(tx, scope.company_id(), scope.author(),
               {"heartbeat.watchdog_decision_recorded", "heartbeat_run", run.str(), json::object{{"decision", to_text(decision.decision)}}});
  return row;
}

}  // namespace paperclip::domain
