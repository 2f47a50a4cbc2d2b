#include "domain/issues/issue_list.h"

#include <unordered_map>

#include "base/write_json.h"
#include "domain/issues/blocker_attention.h"
#include "domain/issues/blockers.h"
#include "domain/issues/issue_search.h"
#include "domain/issues/productivity_view.h"
#include "domain/labels/label.h"
#include "domain/runs/heartbeat_run.h"

namespace paperclip::domain {

namespace {

/// What lists show of the run that works on an issue.
struct ActiveRun {
  RunId id;
  std::string status;
  AgentId agent_id;
  std::string invocation_source;
  std::optional<std::string> trigger_detail;
  std::optional<Timestamp> started_at, finished_at;
  Timestamp created_at;
};
BOOST_DESCRIBE_STRUCT(ActiveRun, (),
                      (id, status, agent_id, invocation_source, trigger_detail, started_at, finished_at, created_at))

struct LabelRow : Label {
  IssueId issue_id;
};
BOOST_DESCRIBE_STRUCT(LabelRow, (Label), (issue_id))

// What has to be kept of a row until the whole page is known; its columns are JSON text already.
struct PageRow {
  IssueId id;
  std::size_t begin = 0, end = 0;  // in the page's text
  std::optional<RunId> run;
  bool blocked = false;
  Timestamp last_activity_at;
  std::optional<Timestamp> my_last_touch_at, last_external_comment_at;
};

// The parts that all rows of a page get from one query each.
struct PageParts {
  std::unordered_map<IssueId, std::vector<Label>> labels;
  std::unordered_map<RunId, ActiveRun> runs;
  std::unordered_map<IssueId, BlockerAttention> attention;
  std::unordered_map<IssueId, ProductivityReviewView> reviews;
  std::unordered_map<IssueId, std::vector<IssueSummary>> blocked_by;
};

std::unordered_map<RunId, ActiveRun> live_runs(store::Reader& reader, CompanyId company,
                                               const std::vector<RunId>& ids) {
  std::unordered_map<RunId, ActiveRun> runs;
  if (ids.empty()) return runs;
  reader.each<ActiveRun>(
      "select {} from heartbeat_runs where id in {list :1} and company_id = :2 and status in ('queued', 'running')",
      [&](const ActiveRun& run) { runs.emplace(run.id, run); }, ids, company);
  return runs;
}

PageParts read_parts(store::Reader& reader, CompanyId company, const std::vector<PageRow>& rows, bool with_blocked_by) {
  std::vector<IssueId> ids, blocked;
  std::vector<RunId> runs;
  for (const auto& row : rows) {
    ids.push_back(row.id);
    if (row.blocked) blocked.push_back(row.id);
    if (row.run) runs.push_back(*row.run);
  }
  PageParts parts;
  if (ids.empty()) return parts;
  if (reader.exists("select 1 from issue_labels where company_id = :1", company))
    reader.each<LabelRow>(
        "select l.id, l.company_id, l.name, l.color, l.created_at, l.updated_at, il.issue_id from issue_labels il "
        "join labels l on l.id = il.label_id where il.issue_id in {list :1} order by l.name, l.id",
        [&](const LabelRow& row) { parts.labels[row.issue_id].push_back(row); }, ids);
  parts.runs = live_runs(reader, company, runs);
  parts.attention = blocker_attention(reader, company, blocked);
  parts.reviews = open_productivity_reviews(reader, company);
  if (with_blocked_by) parts.blocked_by = blockers_of(reader, company, ids);
  return parts;
}

const std::string& no_attention() {
  static const std::string text = write_json(BlockerAttention{});
  return text;
}

void append_row(std::string& out, std::string_view columns, const PageRow& row, const PageParts& parts,
                const IssueFilter& filter) {
  out += columns;
  const auto labels = parts.labels.find(row.id);
  if (labels == parts.labels.end()) {
    out += R"(,"labels":[],"labelIds":[])";
  } else {
    out += R"(,"labels":)";
    append_json(out, labels->second);
    out += R"(,"labelIds":[)";
    for (std::size_t i = 0; i < labels->second.size(); ++i) {
      if (i > 0) out += ',';
      append_json(out, labels->second[i].id);
    }
    out += ']';
  }
  out += R"(,"activeRun":)";
  const auto run = row.run ? parts.runs.find(*row.run) : parts.runs.end();
  if (run == parts.runs.end())
    out += "null";
  else
    append_json(out, run->second);
  out += R"(,"lastActivityAt":)";
  append_json(out, row.last_activity_at);
  out += R"(,"blockerAttention":)";
  if (row.blocked)
    append_json(out, parts.attention.at(row.id));
  else
    out += no_attention();
  if (const auto review = parts.reviews.find(row.id); review != parts.reviews.end()) {
    out += R"(,"productivityReview":)";
    append_json(out, review->second);
  }
  if (filter.with_blocked_by) {
    out += R"(,"blockedBy":)";
    const auto blockers = parts.blocked_by.find(row.id);
    if (blockers == parts.blocked_by.end())
      out += "[]";
    else
      append_json(out, blockers->second);
  }
  if (filter.context_user()) {
    out += R"(,"myLastTouchAt":)";
    append_json(out, row.my_last_touch_at);
    out += R"(,"lastExternalCommentAt":)";
    append_json(out, row.last_external_comment_at);
    const bool unread =
        row.my_last_touch_at && row.last_external_comment_at && *row.last_external_comment_at > *row.my_last_touch_at;
    out += unread ? R"(,"isUnreadForMe":true)" : R"(,"isUnreadForMe":false)";
  }
  out += '}';
}

}  // namespace

void append_issue_list(std::string& out, store::Reader& reader, CompanyId company, const IssueFilter& filter) {
  const IssueSearch search(reader.dialect(), company, filter);
  if (!search.possible()) {
    out += "[]";
    return;
  }
  std::string columns;
  std::vector<PageRow> rows;
  reader.each_with<ListedIssue>(search.sql(), search.params(), [&](const ListedIssue& issue) {
    const std::size_t begin = columns.size();
    columns += '{';
    bool first = true;
    append_json_members(columns, static_cast<const Issue&>(issue), first);
    rows.push_back({issue.id, begin, columns.size(), issue.execution_run_id, issue.status == IssueStatus::blocked,
                    issue.last_activity_at, issue.my_last_touch_at, issue.last_external_comment_at});
  });
  const PageParts parts = read_parts(reader, company, rows, filter.with_blocked_by);
  out.reserve(out.size() + columns.size() + rows.size() * 400);
  out += '[';
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i > 0) out += ',';
    append_row(out, std::string_view(columns).substr(rows[i].begin, rows[i].end - rows[i].begin), rows[i], parts,
               filter);
  }
  out += ']';
}

void append_inbox_lite(std::string& out, store::Reader& reader, CompanyId company, AgentId agent) {
  IssueFilter filter;
  filter.statuses = {"todo", "in_progress", "blocked"};
  filter.assignee_agent_id = agent.str();
  const IssueSearch search(reader.dialect(), company, filter);
  std::vector<ListedIssue> issues;
  reader.each_with<ListedIssue>(search.sql(), search.params(),
                                [&](const ListedIssue& issue) { issues.push_back(issue); });
  std::vector<IssueId> ids;
  std::vector<RunId> run_ids;
  for (const auto& issue : issues) {
    ids.push_back(issue.id);
    if (issue.execution_run_id) run_ids.push_back(*issue.execution_run_id);
  }
  const auto runs = live_runs(reader, company, run_ids);
  const auto open = unresolved_blocker_ids(reader, company, ids);
  static const std::vector<IssueId> none;
  out += '[';
  for (const auto& issue : issues) {
    if (out.back() == '}') out += ',';
    const auto at = open.find(issue.id);
    const auto& blockers = at == open.end() ? none : at->second;
    const auto run = issue.execution_run_id ? runs.find(*issue.execution_run_id) : runs.end();
    JsonObjectWriter(out)
        .field("id", issue.id)
        .field("identifier", issue.identifier)
        .field("title", issue.title)
        .field("status", issue.status)
        .field("priority", issue.priority)
        .field("projectId", issue.project_id)
        .field("goalId", issue.goal_id)
        .field("parentId", issue.parent_id)
        .field("updatedAt", issue.updated_at)
        .field("activeRun", run == runs.end() ? std::optional<ActiveRun>() : std::optional(run->second))
        .field("dependencyReady", blockers.empty())
        .field("unresolvedBlockerCount", blockers.size())
        .field("unresolvedBlockerIssueIds", blockers)
        .end();
  }
  out += ']';
}

}  // namespace paperclip::domain
