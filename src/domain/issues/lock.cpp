#include "domain/issues/lock.h"

#include <algorithm>

#include "base/write_json.h"
#include "domain/access/permissions.h"
#include "domain/activity/activity.h"
#include "domain/issues/blockers.h"
#include "domain/issues/closed_workspace.h"
#include "domain/issues/issue_rows.h"
#include "domain/runs/work_issue.h"
#include "domain/wakeups/interaction_wake.h"
#include "domain/wakeups/wake.h"

namespace paperclip::domain {

namespace {

struct ProjectPause {
  std::optional<Timestamp> paused_at;
  std::optional<std::string> pause_reason;
};
BOOST_DESCRIBE_STRUCT(ProjectPause, (), (paused_at, pause_reason))

struct RunOrigin {
  std::optional<RawJson> context_snapshot;
  std::optional<WakeupId> wakeup_request_id;
};
BOOST_DESCRIBE_STRUCT(RunOrigin, (), (context_snapshot, wakeup_request_id))

json::value id_or_null(const auto& id) { return id ? json::value(id->view()) : json::value(nullptr); }

// Who holds it stands in every refusal, so that a caller knows whom to wait for.
json::object conflict_details(store::Reader& reader, const Issue& issue) {
  json::object details{{"issueId", issue.id.view()},
                       {"status", to_text(issue.status)},
                       {"assigneeAgentId", id_or_null(issue.assignee_agent_id)},
                       {"checkoutRunId", id_or_null(issue.checkout_run_id)},
                       {"executionRunId", id_or_null(issue.execution_run_id)}};
  if (const auto holder = lock_holder(reader, issue)) details["holder"] = to_json(*holder);
  return details;
}

// A live lock that outlived its run is taken off (spec/issues.md 6.3).
void clear_execution_run_if_over(store::Transaction& tx, Issue& issue) {
  if (!issue.execution_run_id || !run_is_over(tx, *issue.execution_run_id)) return;
  tx.execute(
      "update issues set execution_run_id = null, execution_agent_name_key = null, execution_locked_at = null "
      "where id = :1 and execution_run_id = :2",
      issue.id, *issue.execution_run_id);
  issue.execution_run_id.reset();
  issue.execution_agent_name_key.reset();
  issue.execution_locked_at.reset();
}

// The run takes the place of whoever held the issue.
void adopt(store::Transaction& tx, Issue& issue, RunId run) {
  tx.execute(
      "update issues set checkout_run_id = :2, execution_run_id = :2, execution_locked_at = :3, updated_at = :3, "
      "lock_fence = lock_fence + 1 where id = :1",
      issue.id, run, tx.now());
  issue.checkout_run_id = issue.execution_run_id = run;
  issue.execution_locked_at = issue.updated_at = tx.now();
}

bool is_mine(const Issue& issue, AgentId agent) {
  return issue.status == IssueStatus::in_progress && issue.assignee_agent_id == agent;
}

enum class Hold { same, adopted_free, adopted_stale, refused };

// The fence: a run that is over takes nothing from one that came after it, dead or alive. What it still does is late.
bool is_behind(store::Reader& reader, RunId run, RunId holder) {
  return run_is_over(reader, run) &&
         reader.exists("select 1 from heartbeat_runs r join heartbeat_runs h on h.id = :2 where r.id = :1 and r.created_at < h.created_at", run, holder);
}

// What the run of the assignee makes of the lock as it is; the run is given.
Hold hold_for(store::Transaction& tx, Issue& issue, RunId run) {
  if (!issue.checkout_run_id) {
    if (issue.execution_run_id && *issue.execution_run_id != run) return Hold::refused;
    adopt(tx, issue, run);
    return Hold::adopted_free;
  }
  if (*issue.checkout_run_id == run) return Hold::same;
  if (!run_is_over(tx, *issue.checkout_run_id) || is_behind(tx, run, *issue.checkout_run_id)) return Hold::refused;
  adopt(tx, issue, run);
  return Hold::adopted_stale;
}

// 6.2: the assignee's run holds the issue, or may take it over.
Result<> assert_checkout_owner(store::Transaction& tx, const CompanyScope& scope, Issue& issue) {
  const AgentId agent = *scope.actor().agent_id;
  const RunId run = *scope.actor().run_id;
  clear_execution_run_if_over(tx, issue);
  const auto previous = issue.checkout_run_id;
  switch (hold_for(tx, issue, run)) {
    case Hold::same:
    case Hold::adopted_free: return {};
    case Hold::adopted_stale:
      log_activity(tx, scope.company_id(), scope.author(),
                   {"issue.checkout_lock_adopted", "issue", issue.id.str(),
                    json::value{{"previousCheckoutRunId", previous->view()},
                                {"checkoutRunId", run.view()},
                                {"reason", "stale_checkout_run"}}});
      return {};
    case Hold::refused: break;
  }
  auto details = conflict_details(tx, issue);
  details["actorAgentId"] = agent.view();
  details["actorRunId"] = run.view();
  return conflict("Issue run ownership conflict", std::move(details));
}

Result<> require_unpaused_project(store::Reader& reader, const Issue& issue) {
  if (!issue.project_id) return {};
  const auto pause = reader.one<ProjectPause>("select {} from projects where id = :1", *issue.project_id);
  if (!pause || !pause->paused_at) return {};
  return conflict(pause->pause_reason == "budget" ? "Project is paused because its budget hard-stop was reached"
                                                  : "Project is paused");
}

// A run that answers a comment may work under a pause (spec/work-domain.md 10.6).
bool answers_comment(store::Reader& reader, CompanyId company, IssueId issue, AgentId agent, RunId run) {
  const auto origin = reader.one<RunOrigin>(
      "select {} from heartbeat_runs where id = :1 and company_id = :2 and agent_id = :3", run, company, agent);
  if (!origin || !origin->context_snapshot) return false;
  const json::value context = origin->context_snapshot->parse();
  if (!context.is_object()) return false;
  return is_verified_interaction(reader, company, issue, context.get_object(),
                                 {std::nullopt, std::nullopt, agent, run, origin->wakeup_request_id});
}

// 6.1, from the row on. Everything it decides on is locked.
Result<Issue> claim_locked(store::Transaction& tx, CompanyId company, Issue issue, const CheckoutBody& request,
                           const std::optional<RunId>& run) {
  TRY(require_assignable_agent(tx, company, request.agent_id));
  if (const auto hold = active_pause_hold(tx, company, issue.id)) {
    if (!run || !answers_comment(tx, company, issue.id, request.agent_id, *run))
      return conflict("Issue checkout blocked by active subtree pause hold",
                      json::value{{"issueId", issue.id.view()},
                                  {"holdId", hold->id.view()},
                                  {"rootIssueId", hold->root_issue_id.view()},
                                  {"mode", hold->mode},
                                  {"securityPrinciples", {"Complete Mediation", "Fail Securely", "Secure Defaults"}}});
  }
  clear_execution_run_if_over(tx, issue);
  TRY(require_ready(tx, company, issue.id));
  const auto free_for = [&](const std::optional<RunId>& holder) { return !holder || (run && *holder == *run); };
  const bool expected = std::find(request.expected_statuses.begin(), request.expected_statuses.end(), issue.status) !=
                        request.expected_statuses.end();
  const bool assignee_fits =
      !issue.assignee_agent_id || (*issue.assignee_agent_id == request.agent_id && free_for(issue.checkout_run_id));
  if (expected && assignee_fits && free_for(issue.execution_run_id)) {
    const bool new_holder = issue.checkout_run_id != run || issue.execution_run_id != run;
    tx.execute(
        "update issues set assignee_agent_id = :2, assignee_user_id = null, checkout_run_id = :3, execution_run_id = "
        ":3, "
        "status = 'in_progress', started_at = :4, updated_at = :4, lock_fence = lock_fence + :5 where id = :1",
        issue.id, request.agent_id, run, tx.now(), new_holder ? 1 : 0);
    issue.assignee_agent_id = request.agent_id;
    issue.assignee_user_id.reset();
    issue.checkout_run_id = issue.execution_run_id = run;
    issue.status = IssueStatus::in_progress;
    issue.started_at = issue.updated_at = tx.now();
    return issue;
  }
  if (is_mine(issue, request.agent_id)) {
    if (!run && !issue.checkout_run_id) return issue;
    if (run && hold_for(tx, issue, *run) != Hold::refused) return issue;
  }
  return conflict("Issue checkout conflict", conflict_details(tx, issue));
}

}  // namespace

std::optional<LockHolder> lock_holder(store::Reader& reader, const Issue& issue) {
  const auto run = issue.execution_run_id ? issue.execution_run_id : issue.checkout_run_id;
  if (!run) return std::nullopt;
  return reader.one<LockHolder>(
      "select r.id, r.agent_id, a.name, r.status, r.status in ('queued', 'running', 'scheduled_retry') from "
      "heartbeat_runs r "
      "join agents a on a.id = r.agent_id where r.id = :1 and r.company_id = :2",
      *run, issue.company_id);
}

void clear_lock(Issue& issue) {
  issue.checkout_run_id.reset();
  issue.execution_run_id.reset();
  issue.execution_agent_name_key.reset();
  issue.execution_locked_at.reset();
}

Result<Issue> claim_issue(store::Transaction& tx, CompanyId company, IssueId id, const CheckoutBody& request,
                          const std::optional<RunId>& run) {
  return claim_locked(tx, company, TRY(lock_issue(tx, company, id)), request, run);
}

Result<Issue> check_out_issue(store::Transaction& tx, const CompanyScope& scope, IssueId id,
                              const CheckoutBody& request) {
  const Actor& actor = scope.actor();
  Issue issue = TRY(lock_issue(tx, scope.company_id(), id));
  TRY(require_unpaused_project(tx, issue));
  if (actor.is_agent() && *actor.agent_id != request.agent_id) return forbidden("Agent can only checkout as itself");
  TRY(require_open_workspace(tx, issue));
  if (actor.is_agent() && !actor.run_id) return unauthorized("Agent run id required");
  issue = TRY(
      claim_locked(tx, scope.company_id(), std::move(issue), request, actor.is_agent() ? actor.run_id : std::nullopt));
  log_activity(tx, scope.company_id(), scope.author(),
               {"issue.checked_out", "issue", issue.id.str(), json::value{{"agentId", request.agent_id.view()}}});
  if (!actor.is_agent()) {
    WakeRequest wake;
    wake.source = "assignment";
    wake.trigger_detail = "system";
    wake.reason = "issue_checked_out";
    wake.payload = json::object{{"issueId", issue.id.view()}, {"mutation", "checkout"}};
    wake.requested_by = scope.author();
    wake.context = json::object{{"issueId", issue.id.view()}, {"source", "issue.checkout"}};
    wake_quietly(tx, request.agent_id, wake);
  }
  return issue;
}

Result<Issue> release_issue(store::Transaction& tx, const CompanyScope& scope, IssueId id) {
  const Actor& actor = scope.actor();
  Issue issue = TRY(lock_issue(tx, scope.company_id(), id));
  TRY(require_mutation(tx, scope, issue));
  if (actor.is_agent()) {
    if (!actor.run_id) return unauthorized("Agent run id required");
    if (issue.assignee_agent_id && *issue.assignee_agent_id != *actor.agent_id)
      return conflict("Only assignee can release issue");
    if (issue.status == IssueStatus::in_progress && issue.checkout_run_id && *issue.checkout_run_id != *actor.run_id &&
        !run_is_over(tx, *issue.checkout_run_id)) {
      json::object details{{"issueId", issue.id.view()},
                           {"assigneeAgentId", id_or_null(issue.assignee_agent_id)},
                           {"checkoutRunId", issue.checkout_run_id->view()},
                           {"actorRunId", actor.run_id->view()}};
      if (const auto holder = lock_holder(tx, issue)) details["holder"] = to_json(*holder);
      return conflict("Only checkout run can release issue", std::move(details));
    }
  }
  tx.execute(
      "update issues set status = 'todo', assignee_agent_id = null, checkout_run_id = null, execution_run_id = null, "
      "execution_agent_name_key = null, execution_locked_at = null, updated_at = :2, lock_fence = lock_fence + 1 where "
      "id = :1",
      issue.id, tx.now());
  issue.status = IssueStatus::todo;
  issue.assignee_agent_id.reset();
  clear_lock(issue);
  issue.updated_at = tx.now();
  log_activity(tx, scope.company_id(), scope.author(), {"issue.released", "issue", issue.id.str()});
  return issue;
}

Result<ForcedRelease> force_release_issue(store::Transaction& tx, const CompanyScope& scope, IssueId id,
                                          bool clear_assignee) {
  Issue issue = TRY(lock_issue(tx, scope.company_id(), id));
  ForcedRelease out;
  out.checkout_run_id = issue.checkout_run_id;
  out.execution_run_id = issue.execution_run_id;
  clear_lock(issue);
  if (clear_assignee) issue.assignee_agent_id.reset();
  issue.updated_at = tx.now();
  tx.execute(
      "update issues set assignee_agent_id = :2, checkout_run_id = null, execution_run_id = null, "
      "execution_agent_name_key = null, "
      "execution_locked_at = null, updated_at = :3, lock_fence = lock_fence + 1 where id = :1",
      issue.id, issue.assignee_agent_id, issue.updated_at);
  log_activity(tx, scope.company_id(), scope.author(),
               {"issue.admin_force_release", "issue", issue.id.str(),
                json::value{{"issueId", issue.id.view()},
                            {"actorUserId", scope.actor().user_id},
                            {"prevCheckoutRunId", id_or_null(out.checkout_run_id)},
                            {"prevExecutionRunId", id_or_null(out.execution_run_id)},
                            {"clearAssignee", clear_assignee}}});
  out.issue = std::move(issue);
  return out;
}

bool may_override(store::Reader& reader, CompanyId company, AgentId agent, AgentId assignee) {
  const auto standing = agent_standing(reader, agent);
  if (standing.is_ceo || standing.can_create_agents) return true;
  if (reader.exists(
          "with recursive managers(id, depth) as ("
          "select reports_to, 1 from agents where id = :1 and company_id = :2 "
          "union all select a.reports_to, m.depth + 1 from agents a join managers m on a.id = m.id where m.depth < 50) "
          "select 1 from managers where id = :3",
          assignee, company, agent))
    return true;
  return has_grant(reader, company, "agent", agent.view(), "tasks:manage_active_checkouts");
}

Result<> require_mutation(store::Transaction& tx, const CompanyScope& scope, Issue& issue) {
  const Actor& actor = scope.actor();
  if (!actor.is_agent() || !issue.assignee_agent_id) return {};
  const AgentId agent = *actor.agent_id;
  const AgentId assignee = *issue.assignee_agent_id;
  if (assignee != agent) {
    if (may_override(tx, scope.company_id(), agent, assignee)) return {};
    json::object details{
        {"issueId", issue.id.view()}, {"assigneeAgentId", assignee.view()}, {"actorAgentId", agent.view()}};
    if (issue.status == IssueStatus::in_progress) {
      if (const auto holder = lock_holder(tx, issue)) details["holder"] = to_json(*holder);
      return conflict("Issue is checked out by another agent", std::move(details));
    }
    details["status"] = to_text(issue.status);
    details["securityPrinciples"] = json::array{"Least Privilege", "Complete Mediation", "Fail Securely"};
    return forbidden("Agent cannot mutate another agent's issue", std::move(details));
  }
  if (issue.status != IssueStatus::in_progress) return {};
  if (!actor.run_id) return unauthorized("Agent run id required");
  return assert_checkout_owner(tx, scope, issue);
}

}  // namespace paperclip::domain
