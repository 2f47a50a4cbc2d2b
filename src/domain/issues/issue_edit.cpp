#include "domain/issues/issue_edit.h"

#include <algorithm>

#include "base/write_json.h"
#include "domain/issues/blockers.h"
#include "domain/issues/issue_rows.h"
#include "domain/issues/issue_workspaces.h"
#include "domain/issues/lock.h"
#include "domain/labels/labels.h"

namespace paperclip::domain {

namespace {

Result<> check_assignees(store::Transaction& tx, const IssueEdit& edit) {
  const Issue& next = edit.next;
  if (next.assignee_agent_id && next.assignee_user_id) return unprocessable("Issue can only have one assignee");
  if (next.status == IssueStatus::in_progress && edit.touches("status") && !next.assignee_agent_id &&
      !next.assignee_user_id)
    return unprocessable("in_progress issues require an assignee");
  if (edit.touches("assignee_agent_id") && next.assignee_agent_id)
    TRY(require_assignable_agent(tx, next.company_id, *next.assignee_agent_id));
  if (edit.touches("assignee_user_id") && next.assignee_user_id)
    TRY(require_assignable_user(tx, next.company_id, *next.assignee_user_id));
  return {};
}

// An issue without a goal of its own follows its project (spec/issues.md 11.1).
void settle_goal(store::Reader& reader, IssueEdit& edit) {
  Issue& next = edit.next;
  const Issue& before = edit.before;
  if (edit.touches("goal_id")) {
    if (!next.goal_id) next.goal_id = default_goal(reader, next.company_id, next.project_id);
    return;
  }
  if (!before.goal_id) {
    next.goal_id = default_goal(reader, next.company_id, next.project_id);
  } else if (before.project_id != next.project_id &&
             before.goal_id == default_goal(reader, before.company_id, before.project_id)) {
    next.goal_id = default_goal(reader, next.company_id, next.project_id);
  }
}

}  // namespace

void IssueEdit::touch(std::string_view member) {
  if (!touches(member)) touched_.push_back(member);
}

bool IssueEdit::touches(std::string_view member) const {
  return std::find(touched_.begin(), touched_.end(), member) != touched_.end();
}

json::object IssueEdit::details() const {
  json::object details, previous;
  boost::mp11::mp_for_each<members_of<Issue>>([&](auto d) {
    if (!touches(d.name)) return;
    static const std::string key = wire_name(d.name);
    const std::string now = write_json(next.*d.pointer);
    const std::string then = write_json(before.*d.pointer);
    details[key] = RawJson(now).parse();
    if (now != then) previous[key] = RawJson(then).parse();
  });
  if (!previous.empty()) details["_previous"] = std::move(previous);
  return details;
}

void stamp_status(Issue& issue, Timestamp now) {
  if (issue.status == IssueStatus::in_progress) issue.started_at = now;
  issue.completed_at = issue.status == IssueStatus::done ? std::optional(now) : std::nullopt;
  issue.cancelled_at = issue.status == IssueStatus::cancelled ? std::optional(now) : std::nullopt;
}

Result<> apply_edit(store::Transaction& tx, const CompanyScope& scope, IssueEdit& edit) {
  Issue& next = edit.next;
  TRY(check_assignees(tx, edit));
  TRY(require_own_references(tx, next.company_id, edit.touches("project_id") ? next.project_id : std::nullopt,
                             edit.touches("goal_id") ? next.goal_id : std::nullopt,
                             edit.touches("parent_id") ? next.parent_id : std::nullopt));
  if (next.parent_id == next.id) return unprocessable("Issue cannot be its own parent");
  TRY(check_workspaces(tx, edit));
  if (edit.blockers) TRY(set_blockers(tx, next.company_id, next.id, *edit.blockers, scope.author()));
  if (edit.touches("status") && next.status == IssueStatus::in_progress)
    TRY(require_ready(tx, next.company_id, next.id));
  if (edit.labels) TRY(set_issue_labels(tx, next.company_id, next.id, *edit.labels, false));
  settle_goal(tx, edit);
  if (edit.touches("status")) stamp_status(next, tx.now());
  const bool loses_lock =
      (edit.touches("status") && next.status != IssueStatus::in_progress) || edit.changes_assignee();
  if (loses_lock) clear_lock(next);
  next.updated_at = tx.now();
  tx.update(table_of<Issue>, next);
  if (loses_lock && (edit.before.checkout_run_id || edit.before.execution_run_id))
    tx.execute("update issues set lock_fence = lock_fence + 1 where id = :1", next.id);
  sync_workspace_config(tx, edit);
  return {};
}

void sync_routine_run(store::Transaction& tx, const Issue& issue) {
  if (issue.origin_kind != "routine_execution" || !issue.origin_run_id) return;
  const auto run = RoutineRunId::parse(*issue.origin_run_id);
  if (!run) return;
  if (issue.status == IssueStatus::done)
    tx.execute(
        "update routine_runs set status = 'completed', completed_at = :3, updated_at = :3 where id = :1 and company_id "
        "= :2",
        *run, issue.company_id, tx.now());
  if (issue.status == IssueStatus::blocked || issue.status == IssueStatus::cancelled)
    tx.execute(
        "update routine_runs set status = 'failed', failure_reason = :4, completed_at = :3, updated_at = :3 where id = "
        ":1 and company_id = :2",
        *run, issue.company_id, tx.now(), "Execution issue moved to " + std::string(to_text(issue.status)));
}

}  // namespace paperclip::domain
