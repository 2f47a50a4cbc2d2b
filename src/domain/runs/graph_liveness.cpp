#include "domain/runs/graph_liveness.h"

#include <algorithm>
#include <unordered_set>

#include "base/enum.h"
#include "domain/wakeups/invokable.h"

namespace paperclip::domain {

namespace {

constexpr int longest_way = 25;

std::optional<Timestamp> touched(store::Reader& reader, IssueId issue) { return reader.value<Timestamp>("select updated_at from issues where id = :1", issue); }

bool may_work(store::Reader& reader, CompanyId company, AgentId agent) {
  const auto status = reader.value<std::string>("select status from agents where id = :1 and company_id = :2", agent, company);
  return status && is_invokable(*status);
}

// Somebody is at it, will be, or has been asked.
bool is_alive(store::Reader& reader, const WorkIssue& issue) {
  if (issue.assignee_user_id) return true;
  if (reader.exists("select 1 from heartbeat_runs where context_issue_id = :1 and status in ('queued', 'running', 'scheduled_retry')", issue.id)) return true;
  if (reader.exists("select 1 from agent_wakeup_requests where company_id = :1 and status in ('queued', 'deferred_issue_execution') and payload ->> 'issueId' = :2",
                    issue.company_id, issue.id.view()))
    return true;
  if (reader.exists("select 1 from issues where id = :1 and monitor_next_check_at > :2", issue.id, reader.now())) return true;
  if (reader.exists("select 1 from issue_thread_interactions where issue_id = :1 and status = 'pending'", issue.id)) return true;
  if (reader.exists("select 1 from issue_approvals l join approvals a on a.id = l.approval_id where l.issue_id = :1 and a.status in ('pending', 'revision_requested')", issue.id))
    return true;
  return reader.exists("select 1 from issues where company_id = :1 and origin_kind = 'stranded_issue_recovery' and origin_id = :2 and hidden_at is null "
                       "and status not in ('done', 'cancelled')",
                       issue.company_id, issue.id.view());
}

class Way {
 public:
  Way(store::Reader& reader, const WorkIssue& source) : reader_(reader), source_(source) {}

  std::optional<DeadEnd> of_review(const WorkIssue& issue) {
    if (issue.status != "in_review" || is_alive(reader_, issue)) return std::nullopt;
    const auto state = issue.execution_state.parse();
    const auto* participant = member(state, "currentParticipant");
    if (participant != nullptr && participant->is_object()) {
      const auto agent = text_at(*participant, "agentId");
      if (!agent) return std::nullopt;  // a person was asked
      const auto id = AgentId::parse(*agent);
      if (id && may_work(reader_, issue.company_id, *id)) return std::nullopt;
      return end(DeadEndState::invalid_review_participant, issue, issue, *agent);
    }
    if (!issue.assignee_agent_id) return std::nullopt;
    return end(DeadEndState::in_review_without_action_path, issue, issue, std::nullopt);
  }

  std::optional<DeadEnd> of_blockers(const WorkIssue& waiting, int steps = 0) {
    if (steps > longest_way) return std::nullopt;
    const auto blockers = reader_.all<WorkIssue>("select {b} from issue_relations r join issues b on b.id = r.issue_id where r.related_issue_id = :1 and r.company_id = :2 "
                                                 "and r.type = 'blocks' and b.status <> 'done' and b.origin_kind <> 'harness_liveness_escalation' order by b.title, b.id",
                                                 waiting.id, waiting.company_id);
    for (const auto& blocker : blockers) {
      note(blocker.id);
      if (blocker.status == "cancelled") return end(DeadEndState::blocked_by_cancelled_issue, blocker, waiting, std::nullopt);
      if (!seen_.insert(blocker.id).second || is_alive(reader_, blocker)) continue;
      if (blocker.status == "in_review") {
        if (auto found = of_review(blocker)) return found;
        continue;
      }
      if (is_blocked(reader_, blocker.company_id, blocker.id)) {
        if (auto found = of_blockers(blocker, steps + 1)) return found;
        continue;
      }
      if (!blocker.assignee_agent_id) return end(DeadEndState::blocked_by_unassigned_issue, blocker, blocker, std::nullopt);
      if (!may_work(reader_, blocker.company_id, *blocker.assignee_agent_id)) return end(DeadEndState::blocked_by_uninvokable_assignee, blocker, blocker, std::nullopt);
    }
    return std::nullopt;
  }

  void note(IssueId issue) {
    if (const auto at = touched(reader_, issue)) touched_ = std::max(touched_, *at);
  }

 private:
  DeadEnd end(DeadEndState state, const WorkIssue& leaf, const WorkIssue& act_on, std::optional<std::string> participant) {
    return {state, source_.company_id, source_, leaf, act_on.id, std::move(participant), touched_};
  }

  store::Reader& reader_;
  const WorkIssue& source_;
  std::unordered_set<IssueId> seen_;
  Timestamp touched_{0};
};

GraphRecoveryItem item_of(const DeadEnd& found) {
  return {found.source.id, found.leaf.id, found.company_id, found.source.identifier, found.leaf.identifier, found.source.title, found.state, found.incident_key(), found.touched_at};
}

}  // namespace

std::string DeadEnd::incident_key() const {
  const bool by_blocker = state == DeadEndState::blocked_by_unassigned_issue || state == DeadEndState::blocked_by_uninvokable_assignee ||
                          state == DeadEndState::blocked_by_cancelled_issue || leaf.id != source.id;
  return "harness_liveness:" + company_id.str() + ":" + source.id.str() + ":" + std::string(to_text(state)) + ":" +
         (by_blocker ? leaf.id.str() : participant.value_or("none"));
}

std::string DeadEnd::leaf_key() const { return "harness_liveness_leaf:" + company_id.str() + ":" + std::string(to_text(state)) + ":" + leaf.id.str(); }

std::optional<DeadEnd> find_dead_end(store::Reader& reader, const WorkIssue& issue) {
  if (issue.origin_kind == "harness_liveness_escalation") return std::nullopt;
  Way way(reader, issue);
  way.note(issue.id);
  if (issue.status == "in_review") return way.of_review(issue);
  if (issue.status != "blocked" || is_alive(reader, issue)) return std::nullopt;
  return way.of_blockers(issue);
}

std::vector<DeadEnd> find_dead_ends(store::Reader& reader, int limit) {
  std::vector<DeadEnd> found;
  for (const auto& issue : reader.all<WorkIssue>(
           "select {i} from issues i join companies c on c.id = i.company_id where i.status in ('blocked', 'in_review') and i.hidden_at is null and i.assignee_user_id is null "
           "and i.origin_kind <> 'harness_liveness_escalation' and c.status = 'active' order by i.updated_at desc, i.id limit :1",
           limit))
    if (auto end = find_dead_end(reader, issue)) found.push_back(*std::move(end));
  return found;
}

GraphRecoverySettings graph_recovery_settings(store::Reader& reader) {
  GraphRecoverySettings settings;
  const auto stored = reader.value<RawJson>("select experimental from instance_settings limit 1");
  if (!stored) return settings;
  const auto experimental = stored->parse();
  const auto* enabled = member(experimental, "enableIssueGraphLivenessAutoRecovery");
  settings.enabled = enabled != nullptr && enabled->is_bool() && enabled->get_bool();
  const auto* hours = member(experimental, "issueGraphLivenessAutoRecoveryLookbackHours");
  if (hours != nullptr && hours->is_int64()) settings.lookback_hours = static_cast<int>(std::clamp<std::int64_t>(hours->get_int64(), 1, 720));
  return settings;
}

GraphRecoveryReport preview_graph_recovery(store::Reader& reader, int lookback_hours) {
  GraphRecoveryReport report;
  report.lookback_hours = lookback_hours;
  report.generated_at = reader.now();
  report.cutoff = reader.now() - std::chrono::milliseconds(std::chrono::hours(lookback_hours));
  for (const auto& found : find_dead_ends(reader)) {
    ++report.findings;
    if (found.touched_at < report.cutoff) {
      ++report.skipped_outside_lookback;
      continue;
    }
    ++report.recoverable_findings;
    report.items.push_back(item_of(found));
  }
  return report;
}

}  // namespace paperclip::domain
