#include "domain/issues/follow_up.h"

#include "domain/activity/activity.h"
#include "domain/issues/blockers.h"
#include "domain/issues/lock.h"
#include "domain/runs/cancel.h"
#include "domain/runs/work_issue.h"

namespace paperclip::domain {

namespace {

json::value issue_and_status(const Issue& issue) {
  return {{"issueId", issue.id.view()}, {"status", to_text(issue.status)}};
}

bool is_resumable(IssueStatus status) {
  return status == IssueStatus::done || status == IssueStatus::blocked || status == IssueStatus::todo ||
         status == IssueStatus::in_progress;
}

}  // namespace

Result<> require_follow_up(store::Reader& reader, const CompanyScope& scope, const Issue& issue,
                           const FollowUpIntent& intent) {
  const Actor& actor = scope.actor();
  if (!intent.resume && !(intent.reopen && actor.is_agent())) return {};
  if (issue.status == IssueStatus::cancelled)
    return conflict("Cancelled issues must be restored through the dedicated restore flow", issue_and_status(issue));
  if (!is_resumable(issue.status))
    return conflict("Issue is not resumable through comment follow-up intent", issue_and_status(issue));
  if (const auto hold = active_pause_hold(reader, issue.company_id, issue.id))
    return conflict("Issue follow-up blocked by active subtree pause hold",
                    json::value{{"issueId", issue.id.view()},
                                {"holdId", hold->id.view()},
                                {"rootIssueId", hold->root_issue_id.view()},
                                {"mode", hold->mode}});
  if (actor.is_agent()) {
    if (!issue.assignee_agent_id)
      return conflict("Issue follow-up requires an assigned agent",
                      json::value{{"issueId", issue.id.view()}, {"actorAgentId", actor.agent_id->view()}});
    if (*issue.assignee_agent_id != *actor.agent_id &&
        !may_override(reader, issue.company_id, *actor.agent_id, *issue.assignee_agent_id))
      return forbidden("Agent cannot request follow-up for another agent's issue");
  }
  if (issue.status == IssueStatus::blocked) {
    const auto open = unresolved_blocker_ids(reader, issue.company_id, issue.id);
    json::array ids;
    for (const auto& id : open) ids.push_back(json::value(id.view()));
    if (!open.empty())
      return conflict("Issue follow-up blocked by unresolved blockers",
                      json::value{{"issueId", issue.id.view()}, {"unresolvedBlockerIssueIds", std::move(ids)}});
  }
  return {};
}

bool moves_to_todo(store::Reader& reader, const CompanyScope& scope, const Issue& issue, const FollowUpIntent& intent,
                   const std::optional<AgentId>& assignee) {
  const bool blocked = issue.status == IssueStatus::blocked;
  if (!is_terminal(issue.status) && !blocked) return false;
  const bool spoken_to = scope.author().type == "user" && assignee.has_value();
  if (!intent.reopen && !intent.resume && !spoken_to) return false;
  return !blocked || unresolved_blocker_ids(reader, issue.company_id, issue.id).empty();
}

std::optional<RunId> running_run(store::Reader& reader, const Issue& issue) {
  if (issue.execution_run_id) {
    const auto run =
        reader.value<RunId>("select id from heartbeat_runs where id = :1 and company_id = :2 and status = 'running'",
                            *issue.execution_run_id, issue.company_id);
    if (run) return run;
  }
  if (!issue.assignee_agent_id) return std::nullopt;
  return reader.value<RunId>(
      "select id from heartbeat_runs where context_issue_id = :1 and agent_id = :2 and company_id = :3 "
      "and status = 'running' order by created_at desc, id desc limit 1",
      issue.id, *issue.assignee_agent_id, issue.company_id);
}

std::optional<RunId> stop_running_run(store::Transaction& tx, const CompanyScope& scope, const Issue& issue,
                                      std::optional<RunId> run, std::string_view source) {
  if (!run) return std::nullopt;
  const auto agent = tx.value<AgentId>("select agent_id from heartbeat_runs where id = :1", *run);
  json::object details{{"agentId", agent ? json::value(agent->view()) : json::value(nullptr)},
                       {"source", source},
                       {"issueId", issue.id.view()}};
  const auto cancelled = tx.nested([&] { return cancel_run(tx, scope, *run); });
  if (!cancelled) details["error"] = cancelled.error().message;
  log_activity(
      tx, scope.company_id(), scope.author(),
      {cancelled ? "heartbeat.cancelled" : "heartbeat.cancel_failed", "heartbeat_run", run->str(), std::move(details)});
  return cancelled ? run : std::nullopt;
}

}  // namespace paperclip::domain
