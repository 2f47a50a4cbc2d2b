#include "domain/issues/issue_wakes.h"

#include <algorithm>

#include "base/text.h"
#include "base/write_json.h"
#include "domain/issues/reference_text.h"

namespace paperclip::domain {

namespace {

constexpr int summarised_children = 20;
constexpr std::size_t summary_units = 500;

struct DependentRow {
  IssueId id;
  AgentId assignee_agent_id;
};
BOOST_DESCRIBE_STRUCT(DependentRow, (), (id, assignee_agent_id))

struct ChildRow : IssueSummary {
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(ChildRow, (IssueSummary), (updated_at))

struct ChildSummary : ChildRow {
  std::optional<std::string> summary;
};
BOOST_DESCRIBE_STRUCT(ChildSummary, (ChildRow), (summary))

json::array ids_of(const auto& list) {
  json::array ids;
  for (const auto& id : list) ids.push_back(json::value(id.view()));
  return ids;
}

std::optional<std::string> newest_comment(store::Reader& reader, IssueId issue) {
  auto body = reader.value<std::string>(
      "select body from issue_comments where issue_id = :1 order by created_at desc, seq desc limit 1", issue);
  if (!body) return std::nullopt;
  const auto text = trim(*body);
  if (text.empty()) return std::nullopt;
  const auto kept = utf16_prefix(text, summary_units);
  return kept.size() == text.size() ? std::string(text) : std::string(kept) + " [truncated]";
}

}  // namespace

WakeRequest PendingWakes::request(std::string_view source, std::string_view reason, json::object payload,
                                  json::object context) const {
  WakeRequest wake;
  wake.source = source;
  wake.trigger_detail = "system";
  wake.reason = std::string(reason);
  wake.payload = std::move(payload);
  wake.requested_by = by_;
  wake.context = std::move(context);
  return wake;
}

PendingWakes::Wake* PendingWakes::find(AgentId agent, IssueId issue) {
  for (auto& wake : wakes_)
    if (wake.agent == agent && wake.issue == issue) return &wake;
  return nullptr;
}

void PendingWakes::add(AgentId agent, IssueId issue, std::string_view source, std::string_view reason,
                       json::object payload, json::object context) {
  auto wake = request(source, reason, std::move(payload), std::move(context));
  if (auto* known = find(agent, issue))
    known->request = std::move(wake);
  else
    wakes_.push_back({agent, issue, std::move(wake)});
}

void PendingWakes::add_if_none(AgentId agent, IssueId issue, std::string_view source, std::string_view reason,
                               json::object payload, json::object context) {
  if (find(agent, issue) == nullptr) add(agent, issue, source, reason, std::move(payload), std::move(context));
}

void PendingWakes::raise(store::Transaction& tx) {
  for (const auto& wake : wakes_) wake_quietly(tx, wake.agent, wake.request);
}

void wake_new_assignee(store::Transaction& tx, const Issue& issue, const Author& by, std::string_view mutation,
                       std::string_view source) {
  if (!issue.assignee_agent_id || issue.status == IssueStatus::backlog) return;
  PendingWakes wakes(by);
  wakes.add(*issue.assignee_agent_id, issue.id, "assignment", "issue_assigned",
            {{"issueId", issue.id.view()}, {"mutation", mutation}}, {{"issueId", issue.id.view()}, {"source", source}});
  wakes.raise(tx);
}

void add_unblocked_wakes(store::Reader& reader, const Issue& issue, PendingWakes& wakes) {
  const auto dependents = reader.all<DependentRow>(
      "select d.id, d.assignee_agent_id from issue_relations r join issues d on d.id = r.related_issue_id "
      "where r.issue_id = :1 and r.company_id = :2 and r.type = 'blocks' and d.assignee_agent_id is not null "
      "and d.status not in ('backlog', 'done', 'cancelled') and not exists ("
      "select 1 from issue_relations o join issues b on b.id = o.issue_id "
      "where o.related_issue_id = d.id and o.type = 'blocks' and b.status <> 'done') order by d.issue_number",
      issue.id, issue.company_id);
  for (const auto& dependent : dependents) {
    const auto blockers = reader.column<IssueId>(
        "select r.issue_id from issue_relations r join issues b on b.id = r.issue_id where r.related_issue_id = :1 and "
        "r.type = 'blocks' order by b.issue_number",
        dependent.id);
    const json::object payload{{"issueId", dependent.id.view()},
                               {"resolvedBlockerIssueId", issue.id.view()},
                               {"blockerIssueIds", ids_of(blockers)}};
    json::object context = payload;
    context["taskId"] = dependent.id.view();
    context["wakeReason"] = "issue_blockers_resolved";
    context["source"] = "issue.blockers_resolved";
    wakes.add(dependent.assignee_agent_id, dependent.id, "automation", "issue_blockers_resolved", payload,
              std::move(context));
  }
}

void add_children_done_wake(store::Reader& reader, const Issue& issue, PendingWakes& wakes) {
  if (!issue.parent_id) return;
  const auto parent = reader.one<DependentRow>(
      "select p.id, p.assignee_agent_id from issues p where p.id = :1 and p.company_id = :2 and p.assignee_agent_id is "
      "not null "
      "and p.status not in ('backlog', 'done', 'cancelled') and not exists ("
      "select 1 from issues c where c.parent_id = p.id and c.company_id = p.company_id and c.status not in ('done', "
      "'cancelled'))",
      *issue.parent_id, issue.company_id);
  if (!parent) return;
  const auto children = reader.all<ChildRow>(
      "select {} from issues where parent_id = :1 and company_id = :2 order by issue_number, created_at", parent->id,
      issue.company_id);
  json::array ids;
  std::vector<ChildSummary> summaries;
  for (const auto& child : children) {
    ids.push_back(json::value(child.id.view()));
    if (static_cast<int>(summaries.size()) < summarised_children)
      summaries.push_back({child, newest_comment(reader, child.id)});
  }
  const json::object payload{{"issueId", parent->id.view()},
                             {"completedChildIssueId", issue.id.view()},
                             {"childIssueIds", std::move(ids)},
                             {"childIssueSummaries", to_json(summaries)},
                             {"childIssueSummaryTruncated", children.size() > summaries.size()}};
  json::object context = payload;
  context["taskId"] = parent->id.view();
  context["wakeReason"] = "issue_children_completed";
  context["source"] = "issue.children_completed";
  wakes.add(parent->assignee_agent_id, parent->id, "automation", "issue_children_completed", payload,
            std::move(context));
}

std::vector<AgentId> mentioned_agents(store::Reader& reader, CompanyId company, std::string_view text,
                                      const Author& author) {
  std::vector<AgentId> found;
  if (text.find('@') == std::string_view::npos && text.find("agent://") == std::string_view::npos) return found;
  const auto mentions = agent_mentions(text);
  const auto add = [&](const AgentId& id) {
    if (author.agent_id != id && std::find(found.begin(), found.end(), id) == found.end()) found.push_back(id);
  };
  if (!mentions.names.empty())
    for (const auto& id : reader.column<AgentId>(
             "select id from agents where company_id = :1 and lower(name) in {list :2}", company, mentions.names))
      add(id);
  for (const auto& text_id : mentions.ids)
    if (const auto id = AgentId::parse(text_id);
        id && reader.exists("select 1 from agents where id = :1 and company_id = :2", *id, company))
      add(*id);
  return found;
}

}  // namespace paperclip::domain
