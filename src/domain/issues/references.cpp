#include "domain/issues/references.h"

#include <algorithm>
#include <tuple>

#include "base/write_json.h"
#include "domain/issues/reference_text.h"

namespace paperclip::domain {

namespace {

struct MentionRow : IssueSummary {
  bool inbound = false;
  ReferenceSource source_kind = ReferenceSource::title;
  std::optional<AnyId> source_record_id;
  std::optional<std::string> document_key, matched_text;
};
BOOST_DESCRIBE_STRUCT(MentionRow, (IssueSummary), (inbound, source_kind, source_record_id, document_key, matched_text))

struct SourceView {
  ReferenceSource kind = ReferenceSource::title;
  std::optional<AnyId> source_record_id;
  std::string label;
  std::optional<std::string> matched_text;
  // title, description, document, comment
  int rank() const {
    return kind == ReferenceSource::document ? 2 : kind == ReferenceSource::comment ? 3 : static_cast<int>(kind);
  }
  auto order() const { return std::tuple(rank(), std::string_view(label), source_record_id); }
};
BOOST_DESCRIBE_STRUCT(SourceView, (), (kind, source_record_id, label, matched_text))

struct RelatedView {
  IssueSummary issue;
  int mention_count = 0;
  std::vector<SourceView> sources;
};
BOOST_DESCRIBE_STRUCT(RelatedView, (), (issue, mention_count, sources))

struct NameCount {
  IssueName issue;
  std::int64_t count = 0;
};

bool named_before(const std::optional<std::string>& a, const std::string& a_title, const std::optional<std::string>& b,
                  const std::string& b_title) {
  return (a ? *a : a_title) < (b ? *b : b_title);
}

void group(std::vector<RelatedView>& list, const MentionRow& row) {
  auto at = std::find_if(list.begin(), list.end(), [&](const RelatedView& view) { return view.issue.id == row.id; });
  if (at == list.end()) at = list.insert(list.end(), RelatedView{row, 0, {}});
  ++at->mention_count;
  const std::string label = row.source_kind == ReferenceSource::document ? row.document_key.value_or("document")
                                                                         : std::string(to_text(row.source_kind));
  at->sources.push_back({row.source_kind, row.source_record_id, label, row.matched_text});
}

void sort(std::vector<RelatedView>& list) {
  for (auto& view : list)
    std::sort(view.sources.begin(), view.sources.end(),
              [](const SourceView& a, const SourceView& b) { return a.order() < b.order(); });
  std::sort(list.begin(), list.end(), [](const RelatedView& a, const RelatedView& b) {
    if (a.mention_count != b.mention_count) return a.mention_count > b.mention_count;
    return named_before(a.issue.identifier, a.issue.title, b.issue.identifier, b.issue.title);
  });
}

bool contains(const std::vector<IssueName>& list, const IssueName& name) {
  return std::any_of(list.begin(), list.end(), [&](const IssueName& known) { return known.id == name.id; });
}

std::vector<IssueName> without(const std::vector<IssueName>& list, const std::vector<IssueName>& other) {
  std::vector<IssueName> rest;
  std::copy_if(list.begin(), list.end(), std::back_inserter(rest),
               [&](const IssueName& name) { return !contains(other, name); });
  return rest;
}

}  // namespace

void sync_references(store::Transaction& tx, CompanyId company, IssueId issue, const ReferencePlace& source,
                     std::string_view text, bool is_new) {
  if (!is_new) {
    if (source.record_id)
      tx.execute(
          "delete from issue_reference_mentions where source_issue_id = :1 and source_kind = :2 and source_record_id = "
          ":3",
          issue, source.kind, *source.record_id);
    else
      tx.execute(
          "delete from issue_reference_mentions where source_issue_id = :1 and source_kind = :2 and source_record_id "
          "is null",
          issue, source.kind);
  }
  const auto references = issue_references(text);
  if (references.empty()) return;
  std::vector<std::string> identifiers;
  for (const auto& reference : references) identifiers.push_back(reference.identifier);
  const auto targets = tx.all<std::pair<IssueId, std::string>>(
      "select id, identifier from issues where company_id = :1 and identifier in {list :2}", company, identifiers);
  for (const auto& [target, identifier] : targets) {
    if (target == issue) continue;
    const auto at = std::find_if(references.begin(), references.end(),
                                 [&](const IssueReference& r) { return r.identifier == identifier; });
    tx.insert(table_of<IssueReferenceMention>,
              IssueReferenceMention{tx.new_id<AnyId>(), company, issue, target, source.kind, source.record_id,
                                    source.document_key, at->matched_text, tx.now(), tx.now()});
  }
}

std::vector<IssueName> referenced_issues(store::Reader& reader, CompanyId company, IssueId issue) {
  std::vector<NameCount> found;
  reader.each<IssueName>(
      "select t.id, t.identifier, t.title from issue_reference_mentions m join issues t on t.id = m.target_issue_id "
      "where m.source_issue_id = :1 and m.company_id = :2",
      [&](const IssueName& row) {
        const auto at =
            std::find_if(found.begin(), found.end(), [&](const NameCount& known) { return known.issue.id == row.id; });
        if (at == found.end())
          found.push_back({row, 1});
        else
          ++at->count;
      },
      issue, company);
  std::sort(found.begin(), found.end(), [](const NameCount& a, const NameCount& b) {
    if (a.count != b.count) return a.count > b.count;
    return named_before(a.issue.identifier, a.issue.title, b.issue.identifier, b.issue.title);
  });
  std::vector<IssueName> names;
  for (auto& item : found) names.push_back(std::move(item.issue));
  return names;
}

void add_reference_changes(json::object& details, const std::vector<IssueName>& before,
                           const std::vector<IssueName>& after) {
  const auto add = [&](const char* key, const std::vector<IssueName>& list) {
    if (!list.empty()) details[key] = to_json(list);
  };
  add("addedReferencedIssues", without(after, before));
  add("removedReferencedIssues", without(before, after));
  add("currentReferencedIssues", after);
}

RelatedWork related_work(store::Reader& reader, CompanyId company, IssueId issue) {
  std::vector<RelatedView> outbound, inbound;
  reader.each<MentionRow>(
      "select o.id, o.identifier, o.title, o.status, o.priority, o.assignee_agent_id, o.assignee_user_id, false, "
      "m.source_kind, m.source_record_id, m.document_key, m.matched_text "
      "from issue_reference_mentions m join issues o on o.id = m.target_issue_id where m.source_issue_id = :1 and "
      "m.company_id = :2 "
      "union all select o.id, o.identifier, o.title, o.status, o.priority, o.assignee_agent_id, o.assignee_user_id, "
      "true, "
      "m.source_kind, m.source_record_id, m.document_key, m.matched_text "
      "from issue_reference_mentions m join issues o on o.id = m.source_issue_id where m.target_issue_id = :1 and "
      "m.company_id = :2",
      [&](const MentionRow& row) { group(row.inbound ? inbound : outbound, row); }, issue, company);
  RelatedWork work;
  if (outbound.empty() && inbound.empty()) return work;
  sort(outbound);
  sort(inbound);
  work.json.clear();
  JsonObjectWriter(work.json).field("outbound", outbound).field("inbound", inbound).end();
  for (const auto& view : outbound)
    work.referenced_identifiers.push_back(view.issue.identifier.value_or(view.issue.id.str()));
  return work;
}

}  // namespace paperclip::domain
