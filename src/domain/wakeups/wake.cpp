#include "domain/wakeups/wake.h"

#include "domain/activity/activity.h"
#include "domain/budgets/enforcement.h"
#include "domain/budgets/invocation_block.h"
#include "domain/runs/new_run.h"
#include "domain/runs/sessions.h"
#include "domain/wakeups/enqueue.h"
#include "domain/wakeups/heartbeat_policy.h"
#include "domain/wakeups/interaction_wake.h"
#include "domain/wakeups/wake_context.h"

namespace paperclip::domain {

namespace {

std::optional<IssueId> issue_of(const json::object& context) {
  const auto text = context_text(context, "issueId");
  return text ? IssueId::parse(*text) : std::nullopt;
}

std::optional<ProjectId> project_of(store::Reader& reader, CompanyId company, const json::object& context) {
  if (const auto text = context_text(context, "projectId")) return ProjectId::parse(*text);
  const auto issue = issue_of(context);
  if (!issue) return std::nullopt;
  return reader.value<ProjectId>("select project_id from issues where id = :1 and company_id = :2", *issue, company);
}

// A wake that names an earlier run goes on in that run's session (spec/execution.md 4.1.3).
void resume_from_run(store::Reader& reader, const WakeAgent& agent, const json::object& payload, json::object& context) {
  const auto text = context_text(payload, "resumeFromRunId");
  const auto run = text ? RunId::parse(*text) : std::nullopt;
  if (!run) return;
  const auto resumed = session_to_resume(reader, agent, *run);
  if (!resumed) return;
  context["resumeFromRunId"] = run->view();
  if (resumed->display_id) context["resumeSessionDisplayId"] = *resumed->display_id;
  if (resumed->params) context["resumeSessionParams"] = *resumed->params;
  for (std::string_view key : {"issueId", "taskId", "taskKey"})
    if (!context_text(context, key))
      if (auto value = context_text(resumed->context, key)) context[key] = *value;
}

}  // namespace

void record_skip(store::Transaction& tx, const Enqueue& wake, std::string_view code, std::optional<json::object> payload) {
  WakeRequest request = wake.request;
  request.reason = std::string(code);
  if (payload) request.payload = std::move(payload);
  tx.insert("agent_wakeup_requests", wakeup_of(tx, wake.agent.company_id, wake.agent.id, request, WakeupStatus::skipped));
}

WakeOutcome skipped(std::string_view code) { return {WakeResult::skipped, std::nullopt, std::string(code)}; }

WakeAttempt attempt_wakeup(store::Transaction& tx, AgentId agent_id, const WakeRequest& request) {
  const auto agent = tx.one<WakeAgent>("select {} from agents where id = :1", agent_id);
  if (!agent) return {{}, not_found("Agent not found")};
  Enqueue wake{*agent, request, enrich_wake_context(request), {}, {}};
  const json::object no_payload;
  resume_from_run(tx, *agent, request.payload ? *request.payload : no_payload, wake.context);
  wake.task_key = derive_task_key(wake.context, request.payload ? &*request.payload : nullptr);

  const auto project = project_of(tx, agent->company_id, wake.context);
  if (const auto block = find_invocation_block(tx, agent->company_id, agent->id, project)) {
    record_skip(tx, wake, "budget.blocked");
    if (block->limit) enforce_limit(tx, *block->limit);
    return {skipped("budget.blocked"), block->error()};
  }
  if (!is_invokable(agent->status))
    return {skipped("agent.not_invokable"),
            conflict("Agent is not invokable in its current state", json::object{{"status", agent->status}})};

  const HeartbeatPolicy policy = heartbeat_policy(agent->runtime_config.parse());
  const bool timer = request.source == "timer";
  if (timer ? !policy.enabled : !policy.wake_on_demand) {
    const std::string_view code = timer ? "heartbeat.disabled" : "heartbeat.wakeOnDemand.disabled";
    record_skip(tx, wake, code);
    return {skipped(code), std::nullopt};
  }

  const auto issue = issue_of(wake.context);
  if (issue) {
    if (const auto hold = active_pause_hold(tx, agent->company_id, *issue)) {
      WakeOrigin origin;
      if (request.requested_by) {
        origin.actor_type = request.requested_by->type;
        origin.actor_id = request.requested_by->id;
      }
      if (!is_verified_interaction(tx, agent->company_id, *issue, wake.context, origin)) {
        record_skip(tx, wake, "issue_tree_hold_active");
        log_activity(tx, agent->company_id, request.requested_by.value_or(Author::system("heartbeat")),
                     {"issue.tree_hold_wakeup_deferred", "issue", issue->str(),
                      json::object{{"agentId", agent->id.view()}, {"holdId", hold->id.view()}, {"rootIssueId", hold->root_issue_id.view()},
                                   {"source", request.source}, {"reason", request.reason ? json::value(*request.reason) : json::value()}}});
        return {skipped("issue_tree_hold_active"), std::nullopt};
      }
      set_tree_hold(wake.context, *hold);
    }
  }
  wake.session_id_before = session_before(tx, *agent, wake.context, wake.task_key);
  return {issue ? enqueue_for_issue(tx, wake, *issue) : enqueue_without_issue(tx, wake), std::nullopt};
}

Result<WakeOutcome> enqueue_wakeup(store::Transaction& tx, AgentId agent, const WakeRequest& request) {
  auto attempt = attempt_wakeup(tx, agent, request);
  if (attempt.refusal) return *std::move(attempt.refusal);
  return std::move(attempt.outcome);
}

void wake_quietly(store::Transaction& tx, AgentId agent, const WakeRequest& request) {
  // What was refused by policy or budget has left its row; an agent that is out of service has nothing to record.
  (void)attempt_wakeup(tx, agent, request);
}

void set_tree_hold(json::object& context, const PauseHold& hold) {
  context["treeHoldInteraction"] = true;
  context["activeTreeHold"] = json::object{{"holdId", hold.id.view()},
                                           {"rootIssueId", hold.root_issue_id.view()},
                                           {"mode", hold.mode},
                                           {"reason", hold.reason ? json::value(*hold.reason) : json::value()},
                                           {"releasePolicy", hold.release_policy.parse()},
                                           {"interaction", true}};
}

}  // namespace paperclip::domain
