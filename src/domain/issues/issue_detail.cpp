#include "domain/issues/issue_detail.h"

#include <algorithm>
#include <tuple>
#include <unordered_map>

#include "base/write_json.h"
#include "domain/documents/issue_documents.h"
#include "domain/goals/goal.h"
#include "domain/issues/attachments.h"
#include "domain/issues/blocker_attention.h"
#include "domain/issues/blockers.h"
#include "domain/issues/closed_workspace.h"
#include "domain/issues/comments.h"
#include "domain/issues/issue_rows.h"
#include "domain/issues/productivity_view.h"
#include "domain/issues/reference_text.h"
#include "domain/issues/references.h"
#include "domain/issues/work_products.h"
#include "domain/labels/labels.h"
#include "domain/projects/projects.h"

namespace paperclip::domain {

namespace {

constexpr int most_ancestors = 50;

struct AncestorRow {
  IssueId id;
  std::optional<std::string> identifier;
  std::string title;
  std::optional<std::string> description;
  IssueStatus status = IssueStatus::backlog;
  IssuePriority priority = IssuePriority::medium;
  std::optional<AgentId> assignee_agent_id;
  std::optional<ProjectId> project_id;
  std::optional<GoalId> goal_id;
  std::optional<IssueId> parent_id;
};
BOOST_DESCRIBE_STRUCT(AncestorRow, (),
                      (id, identifier, title, description, status, priority, assignee_agent_id, project_id, goal_id,
                       parent_id))

struct AncestorWorkspace {
  ProjectWorkspaceId id;
  CompanyId company_id;
  ProjectId project_id;
  std::string name;
  std::optional<std::string> cwd, repo_url, repo_ref;
  std::optional<RawJson> metadata;
  bool is_primary = false;
  Timestamp created_at, updated_at;
};
BOOST_DESCRIBE_STRUCT(AncestorWorkspace, (),
                      (id, company_id, project_id, name, cwd, repo_url, repo_ref, metadata, is_primary, created_at,
                       updated_at))

struct AncestorProject {
  ProjectId id;
  std::string name;
  std::optional<std::string> description;
  ProjectStatus status = ProjectStatus::backlog;
  std::optional<GoalId> goal_id;
};
BOOST_DESCRIBE_STRUCT(AncestorProject, (), (id, name, description, status, goal_id))

struct AncestorGoal {
  GoalId id;
  std::string title;
  std::optional<std::string> description;
  GoalLevel level = GoalLevel::task;
  GoalStatus status = GoalStatus::planned;
};
BOOST_DESCRIBE_STRUCT(AncestorGoal, (), (id, title, description, level, status))

// Which of an issue's tables have rows for it at all: most issues have few, and a query less is time saved.
struct IssueFacts {
  bool has_labels = false, has_relations = false, has_references = false, has_documents = false,
       has_work_products = false, has_reviews = false;
};
BOOST_DESCRIBE_STRUCT(IssueFacts, (),
                      (has_labels, has_relations, has_references, has_documents, has_work_products, has_reviews))

IssueFacts facts_of(store::Reader& reader, CompanyId company, IssueId id) {
  return reader
      .one<IssueFacts>(
          "select exists (select 1 from issue_labels where issue_id = :1), "
          "exists (select 1 from issue_relations where issue_id = :1) or exists (select 1 from issue_relations where "
          "related_issue_id = :1), "
          "exists (select 1 from issue_reference_mentions where source_issue_id = :1) or exists (select 1 from "
          "issue_reference_mentions where target_issue_id = :1), "
          "exists (select 1 from issue_documents where issue_id = :1), exists (select 1 from issue_work_products where "
          "issue_id = :1), "
          "exists (select 1 from issues where company_id = :2 and origin_kind = 'issue_productivity_review')",
          id, company)
      .value_or(IssueFacts{});
}

// Nearest first. A circle of parents ends where it closes.
std::vector<AncestorRow> ancestors_of(store::Reader& reader, const Issue& issue) {
  std::vector<AncestorRow> chain;
  auto next = issue.parent_id;
  while (next && static_cast<int>(chain.size()) < most_ancestors) {
    if (*next == issue.id ||
        std::any_of(chain.begin(), chain.end(), [&](const AncestorRow& row) { return row.id == *next; }))
      break;
    auto row =
        reader.one<AncestorRow>("select {} from issues where id = :1 and company_id = :2", *next, issue.company_id);
    if (!row) break;
    next = row->parent_id;
    chain.push_back(*std::move(row));
  }
  return chain;
}

template <class Row, class IdType>
std::unordered_map<IdType, Row> by_id(store::Reader& reader, const char* sql, const std::vector<IdType>& ids,
                                      CompanyId company) {
  std::unordered_map<IdType, Row> rows;
  if (!ids.empty()) reader.each<Row>(sql, [&](const Row& row) { rows.emplace(row.id, row); }, ids, company);
  return rows;
}

void append_ancestors(std::string& out, store::Reader& reader, const Issue& issue) {
  const auto chain = ancestors_of(reader, issue);
  std::vector<ProjectId> project_ids;
  std::vector<GoalId> goal_ids;
  for (const auto& row : chain) {
    if (row.project_id) project_ids.push_back(*row.project_id);
    if (row.goal_id) goal_ids.push_back(*row.goal_id);
  }
  const auto projects = by_id<AncestorProject>(
      reader, "select {} from projects where id in {list :1} and company_id = :2", project_ids, issue.company_id);
  const auto goals = by_id<AncestorGoal>(reader, "select {} from goals where id in {list :1} and company_id = :2",
                                         goal_ids, issue.company_id);
  std::unordered_map<ProjectId, std::vector<AncestorWorkspace>> workspaces;
  if (!project_ids.empty())
    reader.each<AncestorWorkspace>(
        "select {} from project_workspaces where project_id in {list :1} and company_id = :2 order by is_primary desc, "
        "created_at, id",
        [&](const AncestorWorkspace& row) { workspaces[row.project_id].push_back(row); }, project_ids,
        issue.company_id);
  out += '[';
  for (const auto& row : chain) {
    if (&row != chain.data()) out += ',';
    JsonObjectWriter writer(out);
    writer.field("id", row.id)
        .field("identifier", row.identifier)
        .field("title", row.title)
        .field("description", row.description)
        .field("status", row.status)
        .field("priority", row.priority)
        .field("assigneeAgentId", row.assignee_agent_id)
        .field("projectId", row.project_id)
        .field("goalId", row.goal_id);
    std::string& text = writer.begin("project");
    const auto project = row.project_id ? projects.find(*row.project_id) : projects.end();
    if (project == projects.end()) {
      text += "null";
    } else {
      const auto& places = workspaces[project->first];
      const auto primary =
          std::find_if(places.begin(), places.end(), [](const AncestorWorkspace& w) { return w.is_primary; });
      const auto* main = primary != places.end() ? &*primary : places.empty() ? nullptr : &places.front();
      JsonObjectWriter(text)
          .members(project->second)
          .field("workspaces", places)
          .field("primaryWorkspace", main != nullptr ? std::optional(*main) : std::nullopt)
          .end();
    }
    const auto goal = row.goal_id ? goals.find(*row.goal_id) : goals.end();
    writer.field("goal", goal == goals.end() ? std::optional<AncestorGoal>() : std::optional(goal->second));
    writer.end();
  }
  out += ']';
}

// The goal a reader sees: the issue's own, its project's, or without a project the company's (spec/issues.md 11.1).
std::optional<Goal> resolved_goal(store::Reader& reader, const Issue& issue) {
  auto id = issue.goal_id;
  if (!id && issue.project_id) {
    id = default_goal(reader, issue.company_id, issue.project_id);
    if (!id)
      id = reader.value<GoalId>(
          "select goal_id from project_goals where project_id = :1 and company_id = :2 order by created_at, goal_id "
          "limit 1",
          *issue.project_id, issue.company_id);
  }
  if (!id && !issue.project_id) id = default_goal(reader, issue.company_id, std::nullopt);
  if (!id) return std::nullopt;
  return reader.one<Goal>("select {} from goals where id = :1 and company_id = :2", *id, issue.company_id);
}

void append_labels(JsonObjectWriter& writer, const std::vector<Label>& labels) {
  writer.field("labels", labels);
  std::string& ids = writer.begin("labelIds");
  ids += '[';
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (i > 0) ids += ',';
    append_json(ids, labels[i].id);
  }
  ids += ']';
}

std::optional<ProductivityReviewView> review_of(store::Reader& reader, const Issue& issue, const IssueFacts& facts) {
  if (!facts.has_reviews) return std::nullopt;
  const auto reviews = open_productivity_reviews(reader, issue.company_id);
  const auto at = reviews.find(issue.id);
  return at == reviews.end() ? std::nullopt : std::optional(at->second);
}

void append_documents(JsonObjectWriter& writer, store::Reader& reader, const Issue& issue, const IssueFacts& facts) {
  std::optional<IssueDocumentView> plan;
  std::vector<IssueDocumentSummary> summaries;
  if (facts.has_documents) {
    summaries = document_summaries(reader, issue.company_id, issue.id);
    if (std::any_of(summaries.begin(), summaries.end(), [](const auto& summary) { return summary.key == plan_key; }))
      if (auto found = find_document(reader, issue.company_id, issue.id, plan_key)) plan = *std::move(found);
  }
  writer.field("planDocument", plan).field("documentSummaries", summaries);
  const std::string legacy = !plan && issue.description ? legacy_plan(*issue.description) : std::string();
  std::string& text = writer.begin("legacyPlanDocument");
  if (legacy.empty())
    text += "null";
  else
    JsonObjectWriter(text).field("key", "plan").field("body", legacy).field("source", "issue_description").end();
}

void append_mentioned_projects(std::string& out, store::Reader& reader, const Issue& issue,
                               const std::filesystem::path& instance_root) {
  const std::string text = issue.title + "\n" + issue.description.value_or("");
  out += '[';
  if (text.find("project://") != std::string::npos) {
    bool first = true;
    for (const auto& name : project_mentions(text)) {
      const auto id = ProjectId::parse(name);
      const auto project = id ? find_project(reader, issue.company_id, *id) : std::nullopt;
      if (!project) continue;
      if (!first) out += ',';
      first = false;
      append_project_json(out, reader, *project, instance_root);
    }
  }
  out += ']';
}

}  // namespace

void append_issue_with_labels(std::string& out, store::Reader& reader, const Issue& issue) {
  JsonObjectWriter writer(out);
  writer.members(issue);
  append_labels(writer, labels_of_issue(reader, issue.id));
  writer.end();
}

Result<std::string> issue_detail_json(store::Reader& reader, CompanyId company, IssueId id,
                                      const std::filesystem::path& instance_root) {
  Issue issue = TRY(load_issue(reader, company, id));
  const IssueFacts facts = facts_of(reader, company, id);
  const auto goal = resolved_goal(reader, issue);
  if (goal) issue.goal_id = goal->id;
  std::string out;
  out.reserve(4096);
  JsonObjectWriter writer(out);
  writer.members(issue);
  append_labels(writer, facts.has_labels ? labels_of_issue(reader, id) : std::vector<Label>());
  append_ancestors(writer.begin("ancestors"), reader, issue);
  writer.field("blockerAttention", blocker_attention(reader, issue))
      .field("productivityReview", review_of(reader, issue, facts));
  const Relations relations = facts.has_relations ? relations_of(reader, company, id, true) : Relations{};
  writer.field("blockedBy", relations.blocked_by).field("blocks", relations.blocks);
  const RelatedWork work = facts.has_references ? related_work(reader, company, id) : RelatedWork{};
  writer.begin("relatedWork") += work.json;
  writer.field("referencedIssueIdentifiers", work.referenced_identifiers);
  append_documents(writer, reader, issue, facts);
  std::string& project = writer.begin("project");
  const auto its_project = issue.project_id ? find_project(reader, company, *issue.project_id) : std::nullopt;
  if (its_project)
    append_project_json(project, reader, *its_project, instance_root);
  else
    project += "null";
  writer.field("goal", goal);
  append_mentioned_projects(writer.begin("mentionedProjects"), reader, issue, instance_root);
  writer.field("currentExecutionWorkspace", execution_workspace_json(reader, issue));
  writer.field("workProducts",
               facts.has_work_products ? work_products_of(reader, company, id) : std::vector<IssueWorkProduct>());
  writer.end();
  return out;
}

Result<std::string> heartbeat_context_json(store::Reader& reader, CompanyId company, IssueId id,
                                           const std::optional<std::string>& wake_comment) {
  const Issue issue = TRY(load_issue(reader, company, id));
  const IssueFacts facts = facts_of(reader, company, id);
  const auto goal = resolved_goal(reader, issue);
  const Relations relations = facts.has_relations ? relations_of(reader, company, id, true) : Relations{};
  std::string out;
  JsonObjectWriter writer(out);
  JsonObjectWriter(writer.begin("issue"))
      .field("id", issue.id)
      .field("identifier", issue.identifier)
      .field("title", issue.title)
      .field("description", issue.description)
      .field("status", issue.status)
      .field("blockerAttention", blocker_attention(reader, issue))
      .field("productivityReview", review_of(reader, issue, facts))
      .field("priority", issue.priority)
      .field("projectId", issue.project_id)
      .field("goalId", goal ? std::optional(goal->id) : issue.goal_id)
      .field("parentId", issue.parent_id)
      .field("blockedBy", relations.blocked_by)
      .field("blocks", relations.blocks)
      .field("assigneeAgentId", issue.assignee_agent_id)
      .field("assigneeUserId", issue.assignee_user_id)
      .field("originKind", issue.origin_kind)
      .field("originId", issue.origin_id)
      .field("updatedAt", issue.updated_at)
      .end();
  std::string& ancestors = writer.begin("ancestors");
  ancestors += '[';
  bool first = true;
  for (const auto& row : ancestors_of(reader, issue)) {
    if (!first) ancestors += ',';
    first = false;
    JsonObjectWriter(ancestors)
        .field("id", row.id)
        .field("identifier", row.identifier)
        .field("title", row.title)
        .field("status", row.status)
        .field("priority", row.priority)
        .end();
  }
  ancestors += ']';
  std::string& project = writer.begin("project");
  const auto its_project = issue.project_id ? find_project(reader, company, *issue.project_id) : std::nullopt;
  if (its_project)
    JsonObjectWriter(project)
        .field("id", its_project->id)
        .field("name", its_project->name)
        .field("status", its_project->status)
        .field("targetDate", its_project->target_date)
        .end();
  else
    project += "null";
  std::string& goal_text = writer.begin("goal");
  if (goal)
    JsonObjectWriter(goal_text)
        .field("id", goal->id)
        .field("title", goal->title)
        .field("status", goal->status)
        .field("level", goal->level)
        .field("parentId", goal->parent_id)
        .end();
  else
    goal_text += "null";
  const auto total = reader
                         .value<std::int64_t>(
                             "select count(*) from issue_comments where issue_id = :1 and company_id = :2", id, company)
                         .value_or(0);
  const auto latest = total == 0
                          ? std::nullopt
                          : reader.one<std::pair<CommentId, Timestamp>>(
                                "select id, created_at from issue_comments where issue_id = :1 and company_id = :2 "
                                "order by created_at desc, seq desc limit 1",
                                id, company);
  JsonObjectWriter(writer.begin("commentCursor"))
      .field("totalComments", total)
      .field("latestCommentId", latest ? std::optional(latest->first) : std::nullopt)
      .field("latestCommentAt", latest ? std::optional(latest->second) : std::nullopt)
      .end();
  std::optional<IssueComment> comment;
  if (wake_comment)
    if (auto found = find_comment(reader, company, id, *wake_comment)) comment = *std::move(found);
  writer.field("wakeComment", comment);
  append_attachment_summaries(writer.begin("attachments"), reader, company, id);
  std::string& summary = writer.begin("continuationSummary");
  auto document = facts.has_documents ? find_document(reader, company, id, continuation_summary_key)
                                      : Result<IssueDocumentView>(not_found());
  if (document)
    JsonObjectWriter(summary)
        .field("key", document->key)
        .field("title", document->title)
        .field("body", document->body)
        .field("latestRevisionId", document->latest_revision_id)
        .field("latestRevisionNumber", document->latest_revision_number)
        .field("updatedAt", document->updated_at)
        .end();
  else
    summary += "null";
  writer.field("currentExecutionWorkspace", execution_workspace_json(reader, issue));
  writer.end();
  return out;
}

}  // namespace paperclip::domain
