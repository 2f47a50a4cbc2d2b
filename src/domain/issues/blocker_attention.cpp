#include "domain/issues/blocker_attention.h"

#include <algorithm>
#include <unordered_set>

#include "base/text.h"

namespace paperclip::domain {

namespace {

constexpr int search_depth = 8;
constexpr std::size_t search_nodes = 2000;

// An open issue that another one waits for.
struct Step {
  IssueId waiting_id;
  IssueId id;
  std::optional<std::string> identifier;
  IssueStatus status = IssueStatus::backlog;
  std::optional<std::string> assignee_user_id;
  std::optional<RunId> execution_run_id;
  bool is_child = false;
};
BOOST_DESCRIBE_STRUCT(Step, (), (waiting_id, id, identifier, status, assignee_user_id, execution_run_id, is_child))

enum class Cover { covered, stalled, uncovered };

struct Verdict {
  Cover cover = Cover::uncovered;
  IssueId decided_by;
};

class AttentionSearch {
 public:
  AttentionSearch(store::Reader& reader, CompanyId company) : reader_(reader), company_(company) {}

  void explore(const std::vector<IssueId>& roots) {
    std::vector<IssueId> level = roots;
    std::unordered_set<IssueId> seen(roots.begin(), roots.end());
    for (int depth = 0; depth < search_depth && !level.empty() && !overflow_; ++depth) {
      std::vector<IssueId> next;
      reader_.each<Step>(
          "select r.related_issue_id, b.id, b.identifier, b.status, b.assignee_user_id, b.execution_run_id, false "
          "from issue_relations r join issues b on b.id = r.issue_id "
          "where r.related_issue_id in {list :1} and r.company_id = :2 and r.type = 'blocks' and b.status <> 'done' "
          "and b.company_id = :2 "
          "union all select c.parent_id, c.id, c.identifier, c.status, c.assignee_user_id, c.execution_run_id, true "
          "from issues c where c.parent_id in {list :1} and c.company_id = :2 and c.status <> 'done'",
          [&](const Step& step) {
            edges_[step.waiting_id].push_back(step);
            nodes_.emplace(step.id, step);
            if (seen.insert(step.id).second) next.push_back(step.id);
          },
          level, company_);
      overflow_ = seen.size() > search_nodes * std::max<std::size_t>(1, roots.size());
      level = std::move(next);
    }
    find_activity();
  }

  BlockerAttention judge(IssueId root) {
    BlockerAttention result;
    result.state = AttentionState::needs_attention;
    result.reason = AttentionReason::attention_required;
    const auto at = edges_.find(root);
    if (at == edges_.end()) return result;
    std::unordered_set<IssueId> counted;
    bool all_children = true;
    std::optional<std::string> covered_sample, uncovered_sample;
    for (const Step& step : at->second) {
      if (!counted.insert(step.id).second) continue;
      all_children = all_children && step.is_child;
      const Verdict verdict = overflow_ ? Verdict{Cover::uncovered, step.id} : classify(step.id);
      const std::string name = name_of(verdict.decided_by);
      ++result.unresolved_blocker_count;
      if (verdict.cover == Cover::covered) {
        ++result.covered_blocker_count;
        if (!covered_sample) covered_sample = name;
      } else if (verdict.cover == Cover::stalled) {
        ++result.stalled_blocker_count;
        if (!result.sample_stalled_blocker_identifier) result.sample_stalled_blocker_identifier = name;
      } else {
        ++result.attention_blocker_count;
        if (!uncovered_sample) uncovered_sample = name;
      }
    }
    if (result.attention_blocker_count > 0) {
      result.sample_blocker_identifier = uncovered_sample;
    } else if (result.stalled_blocker_count > 0) {
      result.state = AttentionState::stalled;
      result.reason = AttentionReason::stalled_review;
      result.sample_blocker_identifier = result.sample_stalled_blocker_identifier;
    } else {
      result.state = AttentionState::covered;
      result.reason = all_children ? AttentionReason::active_child : AttentionReason::active_dependency;
      result.sample_blocker_identifier = covered_sample;
    }
    return result;
  }

 private:
  // Somebody is on it, or a person has been asked.
  void find_activity() {
    if (nodes_.empty()) return;
    std::vector<IssueId> ids;
    std::vector<std::string> id_texts;
    std::vector<RunId> runs;
    for (const auto& [id, step] : nodes_) {
      ids.push_back(id);
      id_texts.push_back(id.str());
      if (step.execution_run_id) runs.push_back(*step.execution_run_id);
    }
    if (!runs.empty()) {
      const auto live = reader_.column<RunId>(
          "select id from heartbeat_runs where id in {list :1} and company_id = :2 and status in ('queued', 'running')",
          runs, company_);
      const std::unordered_set<RunId> known(live.begin(), live.end());
      for (const auto& [id, step] : nodes_)
        if (step.execution_run_id && known.contains(*step.execution_run_id)) active_.insert(id);
    }
    const std::string waiting_wakes = "select " + reader_.dialect().json_text("payload", "issueId") +
                                      " from agent_wakeup_requests where company_id = :1 "
                                      "and status in ('queued', 'deferred_issue_execution') and run_id is null and " +
                                      reader_.dialect().json_text("payload", "issueId") + " in {list :2}";
    for (const auto& text : reader_.column<std::string>(waiting_wakes, company_, id_texts))
      if (const auto id = IssueId::parse(text)) active_.insert(*id);
    for (const auto& id : reader_.column<IssueId>("select issue_id from issue_thread_interactions where issue_id in "
                                                  "{list :1} and company_id = :2 and status = 'pending'",
                                                  ids, company_))
      waiting_.insert(id);
    for (const auto& id : reader_.column<IssueId>(
             "select l.issue_id from issue_approvals l join approvals a on a.id = l.approval_id "
             "where l.issue_id in {list :1} and l.company_id = :2 and a.status in ('pending', 'revision_requested')",
             ids, company_))
      waiting_.insert(id);
    reader_.each<std::pair<IssueId, std::optional<std::string>>>(
        "select id, origin_id from issues where company_id = :1 and origin_kind = 'harness_liveness_escalation' and "
        "hidden_at is null "
        "and status not in ('done', 'cancelled')",
        [&](const std::pair<IssueId, std::optional<std::string>>& row) {
          waiting_.insert(row.first);
          // harness_liveness:<company>:<issue>:<state>:<leaf>
          const auto parts = split(row.second.value_or(""), ':');
          if (parts.size() != 5) return;
          for (const auto& part : {parts[2], parts[4]})
            if (const auto id = IssueId::parse(part)) waiting_.insert(*id);
        },
        company_);
  }

  Verdict classify(IssueId id) {
    if (const auto known = verdicts_.find(id); known != verdicts_.end()) return known->second;
    verdicts_[id] = {Cover::uncovered, id};  // a circle covers nothing
    return verdicts_[id] = decide(id);
  }

  Verdict decide(IssueId id) {
    const Step& step = nodes_.at(id);
    if (waiting_.contains(id)) return {Cover::covered, id};
    if (step.status == IssueStatus::in_review)
      return {active_.contains(id) || step.assignee_user_id ? Cover::covered : Cover::stalled, id};
    if (active_.contains(id)) return {Cover::covered, id};
    if (step.status == IssueStatus::cancelled) return {Cover::uncovered, id};
    const auto at = edges_.find(id);
    if (at == edges_.end()) return {Cover::uncovered, id};
    std::optional<Verdict> worst;
    for (const Step& next : at->second) {
      const Verdict verdict = classify(next.id);
      if (!worst || verdict.cover > worst->cover) worst = verdict;
    }
    return *worst;
  }

  std::string name_of(IssueId id) const {
    const auto at = nodes_.find(id);
    return at == nodes_.end() ? id.str() : at->second.identifier.value_or(id.str());
  }

  store::Reader& reader_;
  CompanyId company_;
  std::unordered_map<IssueId, std::vector<Step>> edges_;
  std::unordered_map<IssueId, Step> nodes_;
  std::unordered_map<IssueId, Verdict> verdicts_;
  std::unordered_set<IssueId> active_, waiting_;
  bool overflow_ = false;
};

}  // namespace

std::unordered_map<IssueId, BlockerAttention> blocker_attention(store::Reader& reader, CompanyId company,
                                                                const std::vector<IssueId>& blocked) {
  std::unordered_map<IssueId, BlockerAttention> attention;
  if (blocked.empty()) return attention;
  AttentionSearch search(reader, company);
  search.explore(blocked);
  for (const auto& id : blocked) attention.emplace(id, search.judge(id));
  return attention;
}

BlockerAttention blocker_attention(store::Reader& reader, const Issue& issue) {
  if (issue.status != IssueStatus::blocked) return {};
  return blocker_attention(reader, issue.company_id, {issue.id}).at(issue.id);
}

}  // namespace paperclip::domain
