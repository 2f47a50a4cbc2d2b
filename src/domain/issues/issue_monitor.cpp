#include "domain/issues/issue_monitor.h"

#include "base/write_json.h"
#include "domain/activity/activity.h"

namespace paperclip::domain {

namespace {

MonitorState scheduled(const MonitorPlan& plan, const Issue& issue) {
  MonitorState state;
  state.next_check_at = plan.next_check_at;
  state.last_triggered_at = issue.monitor_last_triggered_at;
  state.attempt_count = issue.monitor_attempt_count;
  state.notes = plan.notes;
  state.scheduled_by = plan.scheduled_by;
  state.kind = plan.kind;
  state.service_name = plan.service_name;
  state.external_ref = plan.external_ref;
  state.timeout_at = plan.timeout_at;
  state.max_attempts = plan.max_attempts;
  state.recovery_policy = plan.recovery_policy;
  return state;
}

// Why the plan cannot stand; nothing if it can.
std::optional<MonitorClearReason> obstacle(const MonitorPlan& plan, const Issue& issue, Timestamp now) {
  if (issue.status == IssueStatus::done) return MonitorClearReason::done;
  if (issue.status == IssueStatus::cancelled) return MonitorClearReason::cancelled;
  if (!issue.assignee_agent_id || issue.assignee_user_id) return MonitorClearReason::invalid_assignee;
  if (issue.status != IssueStatus::in_progress && issue.status != IssueStatus::in_review)
    return MonitorClearReason::invalid_status;
  if (plan.timeout_at && *plan.timeout_at <= now) return MonitorClearReason::timeout_exceeded;
  if (plan.max_attempts && issue.monitor_attempt_count >= *plan.max_attempts)
    return MonitorClearReason::max_attempts_exhausted;
  return std::nullopt;
}

bool is_exhausted(MonitorClearReason reason) {
  return reason == MonitorClearReason::timeout_exceeded || reason == MonitorClearReason::max_attempts_exhausted;
}

void store_state(IssueEdit& edit, MonitorState monitor) {
  ExecutionState state = parse_state(edit.next.execution_state).value_or(ExecutionState{});
  state.monitor = std::move(monitor);
  edit.next.execution_state = stored_json(std::optional(std::move(state)));
  edit.touch("execution_state");
}

// The plan goes, what became of it stays in the state; the number of attempts survives.
void clear(IssueEdit& edit, const MonitorPlan& plan, MonitorClearReason reason, Timestamp now) {
  MonitorState state = scheduled(plan, edit.next);
  state.status = MonitorStatus::cleared;
  state.next_check_at.reset();
  state.cleared_at = now;
  state.clear_reason = reason;
  store_state(edit, std::move(state));
  edit.next.monitor_next_check_at.reset();
  edit.next.monitor_wake_requested_at.reset();
}

}  // namespace

Result<> schedule_monitor(IssueEdit& edit, const std::optional<ExecutionPolicy>& before,
                          const std::optional<ExecutionPolicy>& after, bool explicitly, Timestamp now) {
  Issue& next = edit.next;
  if (!after || !after->monitor) {
    if (before && before->monitor) clear(edit, *before->monitor, MonitorClearReason::manual, now);
    return {};
  }
  const MonitorPlan& plan = *after->monitor;
  const bool sets_it = explicitly && !(before && monitor_of(before) == monitor_of(after));
  if (const auto reason = obstacle(plan, next, now)) {
    if (sets_it && is_exhausted(*reason))
      return unprocessable("Monitor bounds are already exhausted", json::value{{"clearReason", to_text(*reason)}});
    if (sets_it)
      return unprocessable("Monitor can only be scheduled on issues assigned to an agent in in_progress or in_review");
    clear(edit, plan, *reason, now);
    ExecutionPolicy rest = *after;
    rest.monitor.reset();
    next.execution_policy = rest.stages.empty() ? std::nullopt : stored_json(std::optional(rest));
    edit.touch("execution_policy");
    return {};
  }
  next.monitor_next_check_at = plan.next_check_at;
  next.monitor_notes = plan.notes;
  next.monitor_scheduled_by = plan.scheduled_by;
  next.monitor_wake_requested_at.reset();
  const auto state = parse_state(next.execution_state);
  MonitorState monitor = scheduled(plan, next);
  if (!state || state->monitor != monitor) store_state(edit, std::move(monitor));
  return {};
}

void log_monitor_change(store::Transaction& tx, const CompanyScope& scope, const Issue& before, const Issue& after) {
  const auto time = [](const std::optional<Timestamp>& at) {
    return at ? json::value(to_iso(*at)) : json::value(nullptr);
  };
  const auto text = [](const std::optional<std::string>& value) {
    return value ? json::value(*value) : json::value(nullptr);
  };
  if (!before.monitor_next_check_at && !after.monitor_next_check_at) return;
  const auto state = parse_state(after.execution_state);
  json::object details{{"identifier", text(after.identifier)}};
  if (after.monitor_next_check_at) {
    if (after.monitor_next_check_at == before.monitor_next_check_at && after.monitor_notes == before.monitor_notes)
      return;
    details["nextCheckAt"] = time(after.monitor_next_check_at);
    details["previousNextCheckAt"] = time(before.monitor_next_check_at);
    details["notes"] = text(after.monitor_notes);
    details["scheduledBy"] =
        after.monitor_scheduled_by ? json::value(to_text(*after.monitor_scheduled_by)) : json::value(nullptr);
    if (state && state->monitor) {
      const json::value monitor = to_json(*state->monitor);
      for (const char* key : {"serviceName", "timeoutAt", "maxAttempts", "recoveryPolicy"})
        details[key] = monitor.at(key);
    }
    log_activity(tx, scope.company_id(), scope.author(),
                 {"issue.monitor_scheduled", "issue", after.id.str(), std::move(details)});
  } else {
    details["previousNextCheckAt"] = time(before.monitor_next_check_at);
    const bool known = state && state->monitor && state->monitor->clear_reason;
    details["reason"] = known ? json::value(to_text(*state->monitor->clear_reason)) : json::value(nullptr);
    details["notes"] = text(after.monitor_notes);
    log_activity(tx, scope.company_id(), scope.author(),
                 {"issue.monitor_cleared", "issue", after.id.str(), std::move(details)});
  }
}

}  // namespace paperclip::domain
