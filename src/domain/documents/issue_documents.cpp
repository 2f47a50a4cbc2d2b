#include "domain/documents/issue_documents.h"

#include "base/text.h"
#include "base/write_json.h"
#include "domain/activity/activity.h"
#include "domain/issues/issue_rows.h"
#include "domain/issues/lock.h"
#include "domain/issues/references.h"

namespace paperclip::domain {

namespace {

constexpr std::size_t longest_key = 64;

constexpr const char* summary_columns =
    "d.id, d.company_id, l.issue_id, l.key, d.title, d.format, d.latest_revision_id, d.latest_revision_number, "
    "d.created_by_agent_id, "
    "d.created_by_user_id, d.updated_by_agent_id, d.updated_by_user_id, d.created_at, d.updated_at";
constexpr const char* from_documents =
    " from issue_documents l join documents d on d.id = l.document_id where l.issue_id = :1 and l.company_id = :2";

std::string select_views() { return std::string("select ") + summary_columns + ", d.latest_body" + from_documents; }

json::value id_or_null(const auto& id) { return id ? json::value(id->view()) : json::value(nullptr); }

void log_document(store::Transaction& tx, const CompanyScope& scope, std::string_view action,
                  const IssueDocumentView& document, json::object extra, const std::vector<IssueName>& named_before) {
  json::object details{{"key", document.key},
                       {"documentId", document.id.view()},
                       {"title", document.title ? json::value(*document.title) : json::value(nullptr)},
                       {"format", document.format},
                       {"revisionNumber", document.latest_revision_number}};
  for (const auto& item : extra) details[item.key()] = item.value();
  add_reference_changes(details, named_before, referenced_issues(tx, scope.company_id(), document.issue_id));
  log_activity(tx, scope.company_id(), scope.author(), {action, "issue", document.issue_id.str(), std::move(details)});
}

void sync_document_references(store::Transaction& tx, CompanyId company, IssueId issue, DocumentId document,
                              const std::string& key, std::string_view body) {
  sync_references(tx, company, issue, {ReferenceSource::document, id_cast<AnyId>(document), key}, body);
}

// Appends the revision that the document's row then shows.
void append_revision(store::Transaction& tx, IssueDocumentView& view, const Author& author,
                     std::optional<std::string> change_summary) {
  const DocumentRevision revision{tx.new_id<DocumentRevisionId>(),
                                  view.company_id,
                                  view.id,
                                  view.latest_revision_number,
                                  view.title,
                                  view.format,
                                  view.body,
                                  std::move(change_summary),
                                  author.agent_id,
                                  author.user_id(),
                                  author.run_id,
                                  tx.now()};
  view.latest_revision_id = revision.id;
  tx.insert(table_of<DocumentRevision>, revision);
}

void store_head(store::Transaction& tx, const IssueDocumentView& view) {
  tx.execute(
      "update documents set title = :2, format = :3, latest_body = :4, latest_revision_id = :5, latest_revision_number "
      "= :6, "
      "updated_by_agent_id = :7, updated_by_user_id = :8, updated_at = :9 where id = :1",
      view.id, view.title, view.format, view.body, view.latest_revision_id, view.latest_revision_number,
      view.updated_by_agent_id, view.updated_by_user_id, view.updated_at);
}

void mark_updated(store::Transaction& tx, IssueDocumentView& view, const Author& author) {
  ++view.latest_revision_number;
  view.updated_by_agent_id = author.agent_id;
  view.updated_by_user_id = author.user_id();
  view.updated_at = tx.now();
}

}  // namespace

Result<std::string> document_key(std::string_view text) {
  const std::string key = lower(trim(text));
  const auto is_plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  json::array problems;
  const auto add = [&](const char* code, const char* message, json::object extra) {
    extra["code"] = code;
    extra["message"] = message;
    extra["path"] = json::array();
    problems.push_back(std::move(extra));
  };
  if (key.empty())
    add("too_small", "String must contain at least 1 character(s)",
        {{"minimum", 1}, {"type", "string"}, {"inclusive", true}, {"exact", false}});
  if (key.size() > longest_key)
    add("too_big", "String must contain at most 64 character(s)",
        {{"maximum", 64}, {"type", "string"}, {"inclusive", true}, {"exact", false}});
  bool fits = !key.empty() && is_plain(key[0]);
  for (char c : key) fits = fits && (is_plain(c) || c == '_' || c == '-');
  if (!fits)
    add("invalid_string", "Document key must be lowercase letters, numbers, _ or -", {{"validation", "regex"}});
  if (!problems.empty()) return bad_request("Invalid document key", std::move(problems));
  return key;
}

std::vector<IssueDocumentView> documents_of_issue(store::Reader& reader, CompanyId company, IssueId issue,
                                                  bool with_system) {
  static const std::string sql = select_views() + " order by l.key";
  auto list = reader.all<IssueDocumentView>(sql, issue, company);
  if (!with_system)
    std::erase_if(list, [](const IssueDocumentView& document) { return document.key == continuation_summary_key; });
  return list;
}

std::vector<IssueDocumentSummary> document_summaries(store::Reader& reader, CompanyId company, IssueId issue) {
  static const std::string sql = std::string("select ") + summary_columns + from_documents + " order by l.key";
  auto list = reader.all<IssueDocumentSummary>(sql, issue, company);
  std::erase_if(list, [](const IssueDocumentSummary& document) { return document.key == continuation_summary_key; });
  return list;
}

Result<IssueDocumentView> find_document(store::Reader& reader, CompanyId company, IssueId issue, std::string_view key) {
  static const std::string sql = select_views() + " and l.key = :3";
  auto document = reader.one<IssueDocumentView>(sql, issue, company, key);
  if (!document) return not_found("Document not found");
  return *std::move(document);
}

std::vector<IssueDocumentRevision> document_revisions(store::Reader& reader, CompanyId company, IssueId issue,
                                                      std::string_view key) {
  return reader.all<IssueDocumentRevision>(
      "select r.id, r.company_id, r.document_id, l.issue_id, l.key, r.revision_number, r.title, r.format, r.body, "
      "r.change_summary, "
      "r.created_by_agent_id, r.created_by_user_id, r.created_at from issue_documents l join document_revisions r on "
      "r.document_id = l.document_id "
      "where l.issue_id = :1 and l.company_id = :2 and l.key = :3 order by r.revision_number desc",
      issue, company, key);
}

Result<WrittenDocument> write_document(store::Transaction& tx, CompanyId company, IssueId issue, std::string_view key,
                                       const DocumentBody& body, const Author& author, bool any_base) {
  auto found = find_document(tx, company, issue, key);
  const auto& base = body.base_revision_id;
  WrittenDocument written;
  IssueDocumentView& view = written.document;
  if (found) {
    view = *std::move(found);
    const json::value current{{"currentRevisionId", id_or_null(view.latest_revision_id)}};
    if (!any_base && !base) return conflict("Document update requires baseRevisionId", current);
    if (!any_base && base != view.latest_revision_id) return conflict("Document was updated by someone else", current);
    mark_updated(tx, view, author);
  } else {
    if (base && !any_base) return conflict("Document does not exist yet", json::value{{"key", key}});
    written.created = true;
    view.id = tx.new_id<DocumentId>();
    view.company_id = company;
    view.issue_id = issue;
    view.key = key;
    view.latest_revision_number = 1;
    view.created_by_agent_id = view.updated_by_agent_id = author.agent_id;
    view.created_by_user_id = view.updated_by_user_id = author.user_id();
    view.created_at = view.updated_at = tx.now();
  }
  view.title = body.title ? std::optional<std::string>(*body.title) : std::nullopt;
  view.format = to_text(body.format);
  view.body = body.body;
  const auto summary = body.change_summary ? std::optional<std::string>(*body.change_summary) : std::nullopt;
  if (written.created) {
    // The row comes before its revision, which refers to it; then it learns the revision's id.
    tx.insert(table_of<Document>,
              Document{view.id, company, view.title, view.format, view.body, std::nullopt, 1, view.created_by_agent_id,
                       view.created_by_user_id, view.updated_by_agent_id, view.updated_by_user_id, tx.now(), tx.now()});
    if (!tx.try_insert(table_of<IssueDocument>, IssueDocument{tx.new_id<AnyId>(), company, issue, view.id,
                                                              std::string(key), tx.now(), tx.now()}))
      return conflict("Document key already exists on this issue", json::value{{"key", key}});
  }
  append_revision(tx, view, author, summary);
  store_head(tx, view);
  return written;
}

Result<WrittenDocument> put_document(store::Transaction& tx, const CompanyScope& scope, IssueId issue_id,
                                     const std::string& key, const DocumentBody& body) {
  Issue issue = TRY(lock_issue(tx, scope.company_id(), issue_id));
  TRY(require_mutation(tx, scope, issue));
  const auto named_before = referenced_issues(tx, scope.company_id(), issue_id);
  WrittenDocument written = TRY(write_document(tx, scope.company_id(), issue_id, key, body, scope.author()));
  sync_document_references(tx, scope.company_id(), issue_id, written.document.id, key, written.document.body);
  log_document(tx, scope, written.created ? "issue.document_created" : "issue.document_updated", written.document, {},
               named_before);
  return written;
}

Result<IssueDocumentView> restore_document(store::Transaction& tx, const CompanyScope& scope, IssueId issue_id,
                                           const std::string& key, std::string_view revision_text) {
  Issue issue = TRY(lock_issue(tx, scope.company_id(), issue_id));
  TRY(require_mutation(tx, scope, issue));
  IssueDocumentView view = TRY(find_document(tx, scope.company_id(), issue_id, key));
  const auto id = DocumentRevisionId::parse(revision_text);
  const auto revision = id ? tx.one<DocumentRevision>(
                                 "select {} from document_revisions where id = :1 and document_id = :2", *id, view.id)
                           : std::nullopt;
  if (!revision) return not_found("Document revision not found");
  if (view.latest_revision_id == revision->id)
    return conflict("Selected revision is already the latest revision",
                    json::value{{"currentRevisionId", id_or_null(view.latest_revision_id)}});
  const auto named_before = referenced_issues(tx, scope.company_id(), issue_id);
  mark_updated(tx, view, scope.author());
  view.title = revision->title;
  view.format = revision->format;
  view.body = revision->body;
  append_revision(tx, view, scope.author(), "Restored from revision " + std::to_string(revision->revision_number));
  store_head(tx, view);
  sync_document_references(tx, scope.company_id(), issue_id, view.id, key, view.body);
  log_document(
      tx, scope, "issue.document_restored", view,
      {{"restoredFromRevisionId", revision->id.view()}, {"restoredFromRevisionNumber", revision->revision_number}},
      named_before);
  return view;
}

Result<> delete_document(store::Transaction& tx, const CompanyScope& scope, IssueId issue_id, const std::string& key) {
  TRY(lock_issue(tx, scope.company_id(), issue_id));
  const IssueDocumentView view = TRY(find_document(tx, scope.company_id(), issue_id, key));
  const auto named_before = referenced_issues(tx, scope.company_id(), issue_id);
  tx.execute(
      "delete from issue_reference_mentions where source_issue_id = :1 and source_kind = 'document' and "
      "source_record_id = :2",
      issue_id, view.id);
  tx.execute("delete from documents where id = :1", view.id);
  log_document(tx, scope, "issue.document_deleted", view, {}, named_before);
  return {};
}

}  // namespace paperclip::domain
