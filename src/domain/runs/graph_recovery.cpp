#include <algorithm>

#include "base/enum.h"
#include "base/text.h"
#include "domain/activity/activity.h"
#include "domain/issues/blockers.h"
#include "domain/issues/comments.h"
#include "domain/issues/create_issue.h"
#include "domain/issues/issue_rows.h"
#include "domain/issues/issue_wakes.h"
#include "domain/runs/graph_liveness.h"
#include "domain/runs/recovery_owner.h"

/// Dead ends become somebody's question (spec/execution.md 24.4).
namespace paperclip::domain {

namespace {

constexpr std::string_view escalation_kind = "harness_liveness_escalation";
constexpr std::chrono::hours quiet_after_escalation{24};

Author recovery() { return Author::system("heartbeat"); }

std::string name_of(const WorkIssue& issue) { return issue.identifier.value_or(issue.id.str()); }

std::string reason_of(const DeadEnd& found) {
  switch (found.state) {
    case DeadEndState::blocked_by_unassigned_issue: return "`" + name_of(found.leaf) + "` has to be done first, and is nobody's.";
    case DeadEndState::blocked_by_uninvokable_assignee: return "`" + name_of(found.leaf) + "` has to be done first, and its agent does not work.";
    case DeadEndState::blocked_by_cancelled_issue: return "`" + name_of(found.leaf) + "` was to be done first, and was cancelled.";
    case DeadEndState::invalid_review_participant: return "`" + name_of(found.leaf) + "` waits for the review of somebody who cannot give it.";
    case DeadEndState::in_review_without_action_path: return "`" + name_of(found.leaf) + "` is in review, and nobody was asked to review it.";
  }
  return {};
}

std::vector<IssueId> blockers_of(store::Reader& reader, CompanyId company, IssueId issue) {
  return reader.column<IssueId>("select issue_id from issue_relations where related_issue_id = :1 and company_id = :2 and type = 'blocks'", issue, company);
}

// The source waits for the escalation, whatever it waited for before.
void block_source(store::Transaction& tx, const DeadEnd& found, IssueId escalation) {
  auto blockers = blockers_of(tx, found.company_id, found.source.id);
  if (std::find(blockers.begin(), blockers.end(), escalation) != blockers.end()) return;
  blockers.push_back(escalation);
  if (!tx.nested([&] { return set_blockers(tx, found.company_id, found.source.id, blockers, recovery()); })) return;
  if (found.source.status != "blocked") tx.execute("update issues set status = 'blocked', updated_at = :1 where id = :2", tx.now(), found.source.id);
  const auto name = tx.value<std::string>("select identifier from issues where id = :1", escalation).value_or("a recovery issue");
  const auto comment = insert_comment(tx, found.company_id, found.source.id, recovery(), "This issue cannot go on by itself: " + reason_of(found) + "\n\nIt waits for " + name + " now.");
  log_activity(tx, found.company_id, recovery(),
               {"issue.blockers_updated", "issue", found.source.id.str(),
                json::object{{"source", "recovery.issue_graph_liveness"}, {"escalationIssueId", escalation.view()}, {"commentId", comment.id.view()}, {"incidentKey", found.incident_key()}}});
}

std::optional<IssueId> open_escalation(store::Reader& reader, const DeadEnd& found) {
  return reader.value<IssueId>("select id from issues where company_id = :1 and origin_kind = 'harness_liveness_escalation' and (origin_id = :2 or origin_fingerprint = :3) "
                               "and hidden_at is null and status not in ('done', 'cancelled') order by created_at limit 1",
                               found.company_id, found.incident_key(), found.leaf_key());
}

bool was_closed_lately(store::Reader& reader, const DeadEnd& found) {
  return reader.exists("select 1 from issues where company_id = :1 and origin_kind = 'harness_liveness_escalation' and origin_id = :2 and status in ('done', 'cancelled') "
                       "and updated_at > :3",
                       found.company_id, found.incident_key(), reader.now() - std::chrono::milliseconds(quiet_after_escalation));
}

Result<Issue> escalate(store::Transaction& tx, const DeadEnd& found) {
  NewIssue issue;
  issue.title = "Unblock " + name_of(found.source);
  issue.description = "`" + name_of(found.source) + "` (" + found.source.title + ") cannot go on by itself: " + reason_of(found) +
                      "\n\nGive the work to somebody, put it right or take it out of the way, and close this issue.";
  issue.status = IssueStatus::todo;
  issue.priority = IssuePriority::high;
  std::optional<AgentId> lead;
  if (found.leaf.project_id)
    lead = tx.value<AgentId>("select lead_agent_id from projects where id = :1 and company_id = :2 and lead_agent_id is not null", *found.leaf.project_id, found.company_id);
  issue.assignee_agent_id = first_able(tx, found.company_id, found.leaf.project_id,
                                       {manager_of(tx, found.leaf.assignee_agent_id), found.leaf.created_by_agent_id, lead, manager_of(tx, found.source.assignee_agent_id),
                                        agent_with_role(tx, found.company_id, "cto"), agent_with_role(tx, found.company_id, "ceo"), found.source.assignee_agent_id});
  issue.parent_id = found.act_on;
  issue.project_id = found.leaf.project_id;
  issue.billing_code = found.leaf.billing_code;
  issue.request_depth = tx.value<int>("select request_depth from issues where id = :1", found.act_on).value_or(0) + 1;
  issue.origin_kind = escalation_kind;
  issue.origin_id = found.incident_key();
  issue.origin_fingerprint = found.leaf_key();
  Issue made = TRY(insert_issue(tx, found.company_id, issue, recovery()));
  log_activity(tx, found.company_id, recovery(),
               {"issue.created", "issue", made.id.str(),
                json::object{{"title", made.title},
                             {"identifier", made.identifier ? json::value(*made.identifier) : json::value()},
                             {"source", "recovery.issue_graph_liveness"},
                             {"state", to_text(found.state)},
                             {"sourceIssueId", found.source.id.view()},
                             {"leafIssueId", found.leaf.id.view()}}});
  wake_new_assignee(tx, made, recovery(), "create", "issue.graph_liveness_escalation");
  return made;
}

// The issue named in `harness_liveness:{company}:{issue}:…`.
std::optional<IssueId> source_of(const Issue& escalation) {
  const auto parts = split(escalation.origin_id.value_or(""), ':');
  return parts.size() == 5 ? IssueId::parse(parts[2]) : std::nullopt;
}

void retire(store::Transaction& tx, const Issue& escalation) {
  tx.execute("update issues set status = 'cancelled', cancelled_at = :1, updated_at = :1 where id = :2", tx.now(), escalation.id);
  insert_comment(tx, escalation.company_id, escalation.id, recovery(), "What this issue asked for is no longer needed: the way is open again.");
  log_activity(tx, escalation.company_id, recovery(),
               {"issue.updated", "issue", escalation.id.str(), json::object{{"status", "cancelled"}, {"source", "recovery.issue_graph_liveness"}, {"reason", "obsolete"}}});
  PendingWakes wakes(recovery());
  for (const auto& waiting : tx.column<IssueId>("select related_issue_id from issue_relations where issue_id = :1 and company_id = :2 and type = 'blocks'", escalation.id,
                                                escalation.company_id)) {
    auto blockers = blockers_of(tx, escalation.company_id, waiting);
    std::erase(blockers, escalation.id);
    if (!tx.nested([&] { return set_blockers(tx, escalation.company_id, waiting, blockers, recovery()); })) continue;
    const auto issue = find_work_issue(tx, escalation.company_id, waiting);
    if (!issue || issue->is_closed() || issue->status == "backlog" || !issue->assignee_agent_id || is_blocked(tx, escalation.company_id, waiting)) continue;
    wakes.add(*issue->assignee_agent_id, waiting, "automation", "issue_blockers_resolved",
              {{"issueId", waiting.view()}, {"resolvedBlockerIssueId", escalation.id.view()}, {"blockerIssueIds", json::array()}},
              {{"issueId", waiting.view()}, {"source", "issue.blockers_resolved"}, {"wakeReason", "issue_blockers_resolved"}});
  }
  wakes.raise(tx);
}

}  // namespace

void recover_dead_ends(store::Transaction& tx, GraphRecoveryReport& report) {
  for (const auto& item : report.items) {
    const auto source = lock_work_issue(tx, item.company_id, item.issue_id);
    const auto found = source ? find_dead_end(tx, *source) : std::nullopt;
    if (!found) continue;
    if (const auto open = open_escalation(tx, *found)) {
      ++report.existing_escalations;
      block_source(tx, *found, *open);
      continue;
    }
    if (was_closed_lately(tx, *found)) continue;
    const auto made = tx.nested([&] { return escalate(tx, *found); });
    if (!made) continue;
    ++report.escalations_created;
    block_source(tx, *found, made->id);
  }
}

bool has_open_escalations(store::Reader& reader) {
  return reader.exists("select 1 from issues where origin_kind = 'harness_liveness_escalation' and hidden_at is null and status not in ('done', 'cancelled')");
}

int retire_obsolete_escalations(store::Transaction& tx) {
  int retired = 0;
  for (const auto& escalation : tx.all<Issue>("select {} from issues where origin_kind = 'harness_liveness_escalation' and hidden_at is null and status not in ('done', 'cancelled') "
                                              "order by created_at, id limit 200 {for update}")) {
    // Somebody is at it already: it ends in their hands.
    if (escalation.status == IssueStatus::in_progress) continue;
    // All who wait for it must be free: it may stand for several with one leaf.
    auto waiting = tx.column<IssueId>("select related_issue_id from issue_relations where issue_id = :1 and company_id = :2 and type = 'blocks'", escalation.id, escalation.company_id);
    if (const auto source = source_of(escalation)) waiting.push_back(*source);
    const bool needed = std::any_of(waiting.begin(), waiting.end(), [&](IssueId id) {
      const auto issue = find_work_issue(tx, escalation.company_id, id);
      return issue && !issue->is_closed() && find_dead_end(tx, *issue);
    });
    if (needed) continue;
    retire(tx, escalation);
    ++retired;
  }
  return retired;
}

}  // namespace paperclip::domain
