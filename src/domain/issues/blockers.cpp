#include "domain/issues/blockers.h"

#include <algorithm>
#include <unordered_set>

#include "base/write_json.h"
#include "domain/issues/issue_links.h"

namespace paperclip::domain {

namespace {

struct EdgeRow : IssueSummary {
  bool outgoing = false;
};
BOOST_DESCRIBE_STRUCT(EdgeRow, (IssueSummary), (outgoing))

// An open blocker, and of whom.
struct ChainRow : IssueSummary {
  IssueId blocked_id;
};
BOOST_DESCRIBE_STRUCT(ChainRow, (IssueSummary), (blocked_id))

constexpr int chain_depth = 8;
constexpr std::size_t chain_nodes = 2000;

bool by_title(const IssueSummary& a, const IssueSummary& b) {
  return std::tie(a.title, a.id) < std::tie(b.title, b.id);
}

std::vector<ChainRow> open_blockers_of(store::Reader& reader, CompanyId company, const std::vector<IssueId>& issues) {
  return reader.all<ChainRow>(
      "select b.id, b.identifier, b.title, b.status, b.priority, b.assignee_agent_id, b.assignee_user_id, "
      "r.related_issue_id "
      "from issue_relations r join issues b on b.id = r.issue_id "
      "where r.related_issue_id in {list :1} and r.company_id = :2 and r.type = 'blocks' and b.status <> 'done'",
      issues, company);
}

// The leaves of the chains of open blockers behind the given direct blockers.
void find_terminal_blockers(store::Reader& reader, CompanyId company, std::vector<RelatedIssue>& blockers) {
  std::unordered_map<IssueId, std::vector<IssueSummary>> open;
  std::vector<IssueId> level;
  for (const auto& blocker : blockers)
    if (blocker.status != IssueStatus::done) level.push_back(blocker.id);
  std::unordered_set<IssueId> seen(level.begin(), level.end());
  for (int depth = 0; depth < chain_depth && !level.empty() && seen.size() <= chain_nodes; ++depth) {
    std::vector<IssueId> next;
    for (auto& row : open_blockers_of(reader, company, level)) {
      if (seen.insert(row.id).second) next.push_back(row.id);
      open[row.blocked_id].push_back(row);
    }
    level = std::move(next);
  }
  if (open.empty()) return;
  for (auto& blocker : blockers) {
    std::unordered_set<IssueId> visited{blocker.id};
    std::vector<IssueSummary> stack{blocker}, leaves;
    while (!stack.empty()) {
      const IssueSummary at = std::move(stack.back());
      stack.pop_back();
      const auto behind = open.find(at.id);
      if (behind == open.end()) {
        if (at.id != blocker.id) leaves.push_back(at);
        continue;
      }
      for (const auto& summary : behind->second)
        if (visited.insert(summary.id).second) stack.push_back(summary);
    }
    std::sort(leaves.begin(), leaves.end(), by_title);
    if (!leaves.empty()) blocker.terminal_blockers = std::move(leaves);
  }
}

}  // namespace

Result<> set_blockers(store::Transaction& tx, CompanyId company, IssueId issue, const std::vector<IssueId>& blockers,
                      const Author& author, bool is_new) {
  std::vector<IssueId> wanted = blockers;
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  if (std::binary_search(wanted.begin(), wanted.end(), issue))
    return unprocessable("Issue cannot be blocked by itself");
  if (!wanted.empty()) {
    const auto known = tx.column<IssueId>(
        "select id from issues where company_id = :1 and id in {list :2} order by id {for update}", company, wanted);
    if (known.size() != wanted.size()) return unprocessable("Blocked-by issues must belong to the same company");
    if (!is_new &&
        tx.exists(
            "with recursive behind(id) as ("
            "select related_issue_id from issue_relations where issue_id = :1 and company_id = :2 and type = 'blocks' "
            "union select r.related_issue_id from issue_relations r join behind b on r.issue_id = b.id "
            "where r.company_id = :2 and r.type = 'blocks') select 1 from behind where id in {list :3}",
            issue, company, wanted))
      return unprocessable("Blocking relations cannot contain cycles");
  }
  if (!is_new)
    tx.execute("delete from issue_relations where related_issue_id = :1 and company_id = :2 and type = 'blocks'", issue,
               company);
  for (const auto& id : wanted)
    tx.insert(table_of<IssueRelation>, IssueRelation{tx.new_id<AnyId>(), company, id, issue, IssueRelationType::blocks,
                                                     author.agent_id, author.user_id(), tx.now(), tx.now()});
  return {};
}

std::vector<IssueId> unresolved_blocker_ids(store::Reader& reader, CompanyId company, IssueId issue) {
  return reader.column<IssueId>(
      "select b.id from issue_relations r join issues b on b.id = r.issue_id "
      "where r.related_issue_id = :1 and r.company_id = :2 and r.type = 'blocks' and b.status <> 'done' order by "
      "b.issue_number",
      issue, company);
}

Result<> require_ready(store::Reader& reader, CompanyId company, IssueId issue) {
  const auto open = unresolved_blocker_ids(reader, company, issue);
  if (open.empty()) return {};
  json::array ids;
  for (const auto& id : open) ids.push_back(json::value(id.view()));
  return unprocessable("Issue is blocked by unresolved blockers",
                       json::value{{"unresolvedBlockerIssueIds", std::move(ids)}});
}

std::unordered_map<IssueId, std::vector<IssueId>> unresolved_blocker_ids(store::Reader& reader, CompanyId company,
                                                                         const std::vector<IssueId>& issues) {
  std::unordered_map<IssueId, std::vector<IssueId>> open;
  if (issues.empty()) return open;
  reader.each<std::pair<IssueId, IssueId>>(
      "select r.related_issue_id, b.id from issue_relations r join issues b on b.id = r.issue_id "
      "where r.related_issue_id in {list :1} and r.company_id = :2 and r.type = 'blocks' and b.status <> 'done' order "
      "by b.issue_number",
      [&](const std::pair<IssueId, IssueId>& row) { open[row.first].push_back(row.second); }, issues, company);
  return open;
}

Relations relations_of(store::Reader& reader, CompanyId company, IssueId issue, bool with_terminal_blockers) {
  Relations relations;
  reader.each<EdgeRow>(
      "select b.id, b.identifier, b.title, b.status, b.priority, b.assignee_agent_id, b.assignee_user_id, false "
      "from issue_relations r join issues b on b.id = r.issue_id where r.related_issue_id = :1 and r.company_id = :2 "
      "and r.type = 'blocks' "
      "union all select b.id, b.identifier, b.title, b.status, b.priority, b.assignee_agent_id, b.assignee_user_id, "
      "true "
      "from issue_relations r join issues b on b.id = r.related_issue_id where r.issue_id = :1 and r.company_id = :2 "
      "and r.type = 'blocks'",
      [&](const EdgeRow& row) { (row.outgoing ? relations.blocks : relations.blocked_by).push_back({row, {}}); }, issue,
      company);
  const auto sort = [](std::vector<RelatedIssue>& list) {
    std::sort(list.begin(), list.end(), [](const RelatedIssue& a, const RelatedIssue& b) { return by_title(a, b); });
  };
  sort(relations.blocked_by);
  sort(relations.blocks);
  if (with_terminal_blockers && !relations.blocked_by.empty())
    find_terminal_blockers(reader, company, relations.blocked_by);
  return relations;
}

std::unordered_map<IssueId, std::vector<IssueSummary>> blockers_of(store::Reader& reader, CompanyId company,
                                                                   const std::vector<IssueId>& issues) {
  std::unordered_map<IssueId, std::vector<IssueSummary>> blockers;
  if (issues.empty()) return blockers;
  reader.each<ChainRow>(
      "select b.id, b.identifier, b.title, b.status, b.priority, b.assignee_agent_id, b.assignee_user_id, "
      "r.related_issue_id "
      "from issue_relations r join issues b on b.id = r.issue_id "
      "where r.related_issue_id in {list :1} and r.company_id = :2 and r.type = 'blocks' order by b.title, b.id",
      [&](const ChainRow& row) { blockers[row.blocked_id].push_back(row); }, issues, company);
  return blockers;
}

}  // namespace paperclip::domain
