#include "domain/issues/monitor_check.h"

#include "base/write_json.h"
#include "domain/activity/activity.h"
#include "domain/issues/comments.h"
#include "domain/issues/create_issue.h"
#include "domain/issues/execution_policy.h"
#include "domain/issues/issue_rows.h"
#include "domain/wakeups/wake.h"

namespace paperclip::domain {

namespace {

constexpr std::chrono::minutes claim_lasts{5};

json::value or_null(const auto& value) { return value ? to_json(*value) : json::value(nullptr); }

// Where a monitor stands: the plan and how often it was tried.
struct Appointment {
  Issue& issue;
  MonitorPlan plan;
  int attempt = 0;  // this one
  bool manual = false;
};

json::object common_payload(const Appointment& due) {
  return {{"issueId", due.issue.id.view()},
          {"nextCheckAt", to_iso(due.plan.next_check_at)},
          {"monitorAttemptCount", due.attempt},
          {"monitorNotes", or_null(due.plan.notes)},
          {"serviceName", or_null(due.plan.service_name)},
          {"timeoutAt", or_null(due.plan.timeout_at)},
          {"maxAttempts", or_null(due.plan.max_attempts)},
          {"recoveryPolicy", or_null(due.plan.recovery_policy)},
          {"source", due.manual ? "manual" : "scheduled"}};
}

WakeRequest wake_for(const Appointment& due, std::string reason, std::string key, json::object payload) {
  WakeRequest wake;
  wake.source = due.manual ? "on_demand" : "automation";
  wake.trigger_detail = due.manual ? "manual" : "system";
  wake.reason = reason;
  wake.idempotency_key = std::move(key);
  wake.requested_by = Author::system("issue_monitor");
  wake.context = payload;
  wake.context["source"] = "issue.monitor";
  wake.context["wakeReason"] = std::move(reason);
  wake.context["manualTrigger"] = due.manual;
  wake.payload = std::move(payload);
  return wake;
}

// Takes the plan off the issue; what became of it stays in the state.
void retire(store::Transaction& tx, const Appointment& due, MonitorStatus status,
            std::optional<MonitorClearReason> reason) {
  Issue& issue = due.issue;
  auto policy = parse_policy(issue.execution_policy);
  if (policy) {
    policy->monitor.reset();
    if (policy->stages.empty()) policy.reset();
  }
  ExecutionState state = parse_state(issue.execution_state).value_or(ExecutionState{});
  MonitorState monitor = state.monitor.value_or(MonitorState{});
  monitor.status = status;
  monitor.next_check_at.reset();
  if (status == MonitorStatus::triggered) {
    issue.monitor_attempt_count = monitor.attempt_count = due.attempt;
    issue.monitor_last_triggered_at = monitor.last_triggered_at = tx.now();
  } else {
    monitor.cleared_at = tx.now();
    monitor.clear_reason = reason;
  }
  state.monitor = std::move(monitor);
  issue.execution_policy = stored_json(policy);
  issue.execution_state = stored_json(std::optional(std::move(state)));
  issue.monitor_next_check_at.reset();
  issue.monitor_wake_requested_at.reset();
  issue.updated_at = tx.now();
  tx.update(table_of<Issue>, issue);
}

void log_monitor(store::Transaction& tx, const Appointment& due, const Author& author, std::string_view action,
                 json::object extra) {
  json::object details{
      {"identifier", or_null(due.issue.identifier)},   {"nextCheckAt", to_iso(due.plan.next_check_at)},
      {"attemptedAttemptCount", due.attempt},          {"notes", or_null(due.plan.notes)},
      {"serviceName", or_null(due.plan.service_name)}, {"timeoutAt", or_null(due.plan.timeout_at)},
      {"maxAttempts", or_null(due.plan.max_attempts)}, {"recoveryPolicy", or_null(due.plan.recovery_policy)},
      {"source", due.manual ? "manual" : "scheduled"}};
  for (const auto& item : extra) details[item.key()] = item.value();
  log_activity(tx, due.issue.company_id, author, {action, "issue", due.issue.id.str(), std::move(details)});
}

// An open recovery issue of this issue, or a new child of it.
Result<Issue> recovery_issue(store::Transaction& tx, const Appointment& due, MonitorClearReason reason) {
  const Issue& issue = due.issue;
  auto open = tx.one<Issue>(
      "select {} from issues where company_id = :1 and origin_kind = 'stranded_issue_recovery' and origin_id = :2 "
      "and hidden_at is null and status not in ('done', 'cancelled') order by created_at limit 1",
      issue.company_id, issue.id.view());
  if (open) return *std::move(open);
  NewIssue made;
  made.title = "Recover external-service monitor for " + issue.identifier.value_or(issue.id.str());
  made.status = IssueStatus::todo;
  made.priority = IssuePriority::high;
  made.assignee_agent_id = issue.assignee_agent_id;
  made.project_id = issue.project_id;
  made.goal_id = issue.goal_id;
  made.billing_code = issue.billing_code;
  made.parent_id = issue.id;
  made.request_depth = issue.request_depth + 1;
  made.origin_kind = "stranded_issue_recovery";
  made.origin_id = issue.id.str();
  made.origin_fingerprint = "issue_monitor:" + std::string(to_text(reason));
  return insert_issue(tx, issue.company_id, made, Author::system("issue_monitor"));
}

// The bounds are reached: the monitor ends, and somebody hears of it.
void exhaust(store::Transaction& tx, const Appointment& due, const Author& author, MonitorClearReason reason) {
  const std::string word(to_text(reason));
  retire(tx, due, MonitorStatus::cleared, reason);
  log_monitor(tx, due, author, "issue.monitor_exhausted", {{"clearReason", word}});
  const Issue& issue = due.issue;
  json::object payload = common_payload(due);
  payload["clearReason"] = word;
  const std::string key =
      "issue-monitor-recovery:" + issue.id.str() + ":" + word + ":" + to_iso(due.plan.next_check_at);
  switch (due.plan.recovery_policy.value_or(MonitorRecovery::wake_owner)) {
    case MonitorRecovery::wake_owner:
      wake_quietly(tx, *issue.assignee_agent_id, wake_for(due, "issue_monitor_recovery", key, std::move(payload)));
      log_monitor(tx, due, author, "issue.monitor_recovery_wake_queued", {{"clearReason", word}});
      break;
    case MonitorRecovery::create_recovery_issue: {
      const auto recovery = tx.nested([&] { return recovery_issue(tx, due, reason); });
      if (!recovery) break;
      payload["issueId"] = recovery->id.view();
      payload["sourceIssueId"] = issue.id.view();
      if (recovery->assignee_agent_id)
        wake_quietly(tx, *recovery->assignee_agent_id,
                     wake_for(due, "issue_monitor_recovery_issue", key, std::move(payload)));
      log_monitor(tx, due, author, "issue.monitor_recovery_issue_created",
                  {{"clearReason", word},
                   {"recoveryIssueId", recovery->id.view()},
                   {"recoveryIdentifier", or_null(recovery->identifier)}});
      break;
    }
    case MonitorRecovery::escalate_to_board:
      insert_comment(tx, issue.company_id, issue.id, Author::system("issue_monitor"),
                     "The monitor of this issue ended without a result (" + word + "). Somebody has to look at it.");
      log_monitor(tx, due, author, "issue.monitor_escalated_to_board", {{"clearReason", word}});
      break;
  }
}

std::optional<MonitorClearReason> limit_reached(const Appointment& due, Timestamp now) {
  if (due.plan.timeout_at && now >= *due.plan.timeout_at) return MonitorClearReason::timeout_exceeded;
  if (due.plan.max_attempts && due.attempt > *due.plan.max_attempts) return MonitorClearReason::max_attempts_exhausted;
  return std::nullopt;
}

// One attempt. The error is that of the refused wakeup.
Result<> dispatch(store::Transaction& tx, const Appointment& due, const Author& author) {
  if (const auto reason = limit_reached(due, tx.now())) {
    exhaust(tx, due, author, *reason);
    return {};
  }
  const std::string key = "issue-monitor:" + due.issue.id.str() + ":" + to_iso(due.plan.next_check_at);
  const auto woken = tx.nested([&] {
    return enqueue_wakeup(tx, *due.issue.assignee_agent_id,
                          wake_for(due, "issue_monitor_due", key, common_payload(due)));
  });
  if (!woken) {
    if (due.manual) return woken.error();
    retire(tx, due, MonitorStatus::cleared, MonitorClearReason::dispatch_skipped);
    log_monitor(tx, due, author, "issue.monitor_skipped", {{"reason", woken.error().message}});
    return {};
  }
  retire(tx, due, MonitorStatus::triggered, std::nullopt);
  log_monitor(tx, due, author, "issue.monitor_triggered", {});
  return {};
}

}  // namespace

std::vector<IssueId> claim_due_monitors(store::Transaction& tx, int limit) {
  auto due = tx.column<IssueId>(
      "select id from issues where monitor_next_check_at is not null and monitor_next_check_at <= :1 and "
      "assignee_agent_id is not null "
      "and assignee_user_id is null and status in ('in_progress', 'in_review') "
      "and (monitor_wake_requested_at is null or monitor_wake_requested_at < :2) order by monitor_next_check_at, "
      "updated_at limit :3 {for update skip locked}",
      tx.now(), tx.now() - claim_lasts, limit);
  for (const auto& id : due) tx.execute("update issues set monitor_wake_requested_at = :2 where id = :1", id, tx.now());
  return due;
}

void fire_monitor(store::Transaction& tx, IssueId id) {
  auto issue = tx.one<Issue>("select {} from issues where id = :1 {for update}", id);
  const auto plan = issue ? monitor_of(parse_policy(issue->execution_policy)) : std::nullopt;
  if (!plan || !issue->assignee_agent_id) return;
  const Appointment due{*issue, *plan, issue->monitor_attempt_count + 1, false};
  (void)dispatch(tx, due, Author::system("issue_monitor"));
}

Result<> check_monitor_now(store::Transaction& tx, const CompanyScope& scope, IssueId id) {
  Issue issue = TRY(lock_issue(tx, scope.company_id(), id));
  if (scope.actor().is_agent() && scope.actor().agent_id != issue.assignee_agent_id)
    return forbidden("Only the assignee agent or a board user can manage issue monitors");
  const auto plan = monitor_of(parse_policy(issue.execution_policy));
  if (!plan || !issue.monitor_next_check_at) return conflict("Issue has no scheduled monitor");
  if (!issue.assignee_agent_id || issue.assignee_user_id) return conflict("Issue monitor requires an agent assignee");
  if (issue.status != IssueStatus::in_progress && issue.status != IssueStatus::in_review)
    return conflict("Issue monitor can only run while the issue is in progress or in review");
  if (issue.monitor_wake_requested_at && *issue.monitor_wake_requested_at > tx.now() - claim_lasts)
    return conflict("Issue monitor check is already in progress");
  const Appointment due{issue, *plan, issue.monitor_attempt_count + 1, true};
  return dispatch(tx, due, scope.author());
}

}  // namespace paperclip::domain
