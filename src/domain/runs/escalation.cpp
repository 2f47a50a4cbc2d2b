#include "domain/activity/activity.h"
#include "domain/issues/blockers.h"
#include "domain/issues/comments.h"
#include "domain/issues/create_issue.h"
#include "domain/issues/issue_rows.h"
#include "domain/issues/issue_wakes.h"
#include "domain/runs/recovery_owner.h"
#include "domain/runs/stranded.h"

/// Work that could not be taken up by itself becomes somebody's question (spec/execution.md 24.2).
namespace paperclip::domain {

namespace {

constexpr std::string_view recovery_kind = "stranded_issue_recovery";

// The first of those in charge who may work: managers, the creator, the officers, the assignee.
std::optional<AgentId> owner_of(store::Reader& reader, const Issue& issue) {
  return first_able(reader, issue.company_id, issue.project_id,
                    {manager_of(reader, issue.assignee_agent_id), manager_of(reader, issue.created_by_agent_id), issue.created_by_agent_id,
                     agent_with_role(reader, issue.company_id, "cto"), agent_with_role(reader, issue.company_id, "ceo"), issue.assignee_agent_id});
}

// One open recovery issue for each stranded one; nothing when nobody could own it.
std::optional<IssueId> recovery_issue(store::Transaction& tx, const Issue& issue, std::optional<RunId> last_run) {
  if (const auto open = tx.value<IssueId>("select id from issues where company_id = :1 and origin_kind = 'stranded_issue_recovery' and origin_id = :2 "
                                          "and hidden_at is null and status not in ('done', 'cancelled')",
                                          issue.company_id, issue.id.view()))
    return open;
  const auto owner = owner_of(tx, issue);
  if (!owner) return std::nullopt;
  NewIssue recovery;
  recovery.title = "Recover stalled work on " + issue.identifier.value_or(issue.title);
  recovery.description = "`" + issue.identifier.value_or(issue.id.str()) + "` (" + issue.title +
                         ") was taken up again automatically, without success, and is blocked by this issue.\n\n"
                         "Find out what keeps it, repair that or hand the work to somebody else, and close this issue when the work can go on.";
  if (last_run) *recovery.description += "\n\nIts last run is `" + last_run->str() + "`.";
  recovery.status = IssueStatus::todo;
  recovery.priority = issue.priority;
  recovery.assignee_agent_id = owner;
  recovery.origin_kind = recovery_kind;
  recovery.origin_id = issue.id.str();
  if (last_run) recovery.origin_run_id = last_run->str();
  const Author author = Author::system("heartbeat");
  auto made = tx.nested([&] { return insert_child(tx, issue, std::move(recovery), author); });
  if (!made) return std::nullopt;  // for example because the parent has all the children it may have
  log_activity(tx, issue.company_id, author,
               {"issue.created", "issue", made->id.str(),
                json::object{{"title", made->title}, {"identifier", made->identifier ? json::value(*made->identifier) : json::value()}, {"source", "recovery.stranded_issue"}}});
  wake_new_assignee(tx, *made, author, "create", "issue.stranded_recovery");
  return made->id;
}

}  // namespace

void escalate_stranded_issue(store::Transaction& tx, const WorkIssue& work, std::optional<RunId> last_run) {
  auto loaded = lock_issue(tx, work.company_id, work.id);
  if (!loaded) return;
  const Issue issue = *std::move(loaded);
  // A recovery that fails is not recovered in turn: it waits where it is.
  const auto recovery = issue.origin_kind == recovery_kind ? std::nullopt : recovery_issue(tx, issue, last_run);
  tx.execute("update issues set status = 'blocked', checkout_run_id = null, execution_run_id = null, execution_agent_name_key = null, "
             "execution_locked_at = null, lock_fence = lock_fence + 1, updated_at = :1 where id = :2",
             tx.now(), issue.id);
  const Author author = Author::system("heartbeat");
  std::string body = "This issue was taken up again automatically, without success, so it is now blocked";
  if (recovery) {
    auto blockers = tx.column<IssueId>("select issue_id from issue_relations where related_issue_id = :1 and company_id = :2 and type = 'blocks'", issue.id, issue.company_id);
    blockers.push_back(*recovery);
    (void)tx.nested([&] { return set_blockers(tx, issue.company_id, issue.id, blockers, author); });
    body += " by " + tx.value<std::string>("select identifier from issues where id = :1", *recovery).value_or("a recovery issue") + ".";
  } else {
    body += " and waits for somebody's decision.";
  }
  // What the run printed stays out of the comment: it may hold anything.
  if (last_run) body += "\n\nThe last run is `" + last_run->str() + "`; its log says what happened.";
  const auto comment = insert_comment(tx, issue.company_id, issue.id, author, std::move(body));
  json::object details{{"status", "blocked"},
                       {"previousStatus", to_text(issue.status)},
                       {"source", "recovery.stranded_issue"},
                       {"commentId", comment.id.view()},
                       {"identifier", issue.identifier ? json::value(*issue.identifier) : json::value()}};
  if (recovery) details["recoveryIssueId"] = recovery->view();
  if (last_run) details["latestRunId"] = last_run->view();
  log_activity(tx, issue.company_id, author, {"issue.updated", "issue", issue.id.str(), std::move(details)});
}

}  // namespace paperclip::domain
