#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fields.h"
#include "base/read_json.h"
#include "domain/access/scope.h"
#include "domain/documents/document.h"
#include "store/transaction.h"

/// Documents of issues: one text under each key, with all its revisions (spec/issues.md 5.8).
namespace paperclip::domain {

enum class DocumentFormat { markdown };
BOOST_DESCRIBE_ENUM(DocumentFormat, markdown)

/// The key under which a run leaves its summary for the next one. Hidden from lists.
inline constexpr std::string_view continuation_summary_key = "continuation-summary";
inline constexpr std::string_view plan_key = "plan";

/// A document without its body.
struct IssueDocumentSummary {
  DocumentId id;
  CompanyId company_id;
  IssueId issue_id;
  std::string key;
  std::optional<std::string> title;
  std::string format;
  std::optional<DocumentRevisionId> latest_revision_id;
  int latest_revision_number = 1;
  std::optional<AgentId> created_by_agent_id;
  std::optional<std::string> created_by_user_id;
  std::optional<AgentId> updated_by_agent_id;
  std::optional<std::string> updated_by_user_id;
  Timestamp created_at, updated_at;
};
BOOST_DESCRIBE_STRUCT(IssueDocumentSummary, (),
                      (id, company_id, issue_id, key, title, format, latest_revision_id, latest_revision_number,
                       created_by_agent_id, created_by_user_id, updated_by_agent_id, updated_by_user_id, created_at,
                       updated_at))

struct IssueDocumentView : IssueDocumentSummary {
  std::string body;
};
BOOST_DESCRIBE_STRUCT(IssueDocumentView, (IssueDocumentSummary), (body))

struct IssueDocumentRevision {
  DocumentRevisionId id;
  CompanyId company_id;
  DocumentId document_id;
  IssueId issue_id;
  std::string key;
  int revision_number = 0;
  std::optional<std::string> title;
  std::string format, body;
  std::optional<std::string> change_summary;
  std::optional<AgentId> created_by_agent_id;
  std::optional<std::string> created_by_user_id;
  Timestamp created_at;
};
BOOST_DESCRIBE_STRUCT(IssueDocumentRevision, (),
                      (id, company_id, document_id, issue_id, key, revision_number, title, format, body, change_summary,
                       created_by_agent_id, created_by_user_id, created_at))

struct DocumentBody {
  std::optional<Trimmed<0, 200>> title;  // absent clears
  DocumentFormat format = DocumentFormat::markdown;
  Multiline<0, 524288> body;
  std::optional<Trimmed<0, 500>> change_summary;
  std::optional<DocumentRevisionId> base_revision_id;
};
BOOST_DESCRIBE_STRUCT(DocumentBody, (), (title, format, body, change_summary, base_revision_id))

/// The key of a path, trimmed and in lower case. 400 `Invalid document key`.
Result<std::string> document_key(std::string_view text);

/// By key. Without system documents unless asked for.
std::vector<IssueDocumentView> documents_of_issue(store::Reader& reader, CompanyId company, IssueId issue,
                                                  bool with_system);
std::vector<IssueDocumentSummary> document_summaries(store::Reader& reader, CompanyId company, IssueId issue);
/// 404 `Document not found`.
Result<IssueDocumentView> find_document(store::Reader& reader, CompanyId company, IssueId issue, std::string_view key);
/// Newest first; none for an unknown key.
std::vector<IssueDocumentRevision> document_revisions(store::Reader& reader, CompanyId company, IssueId issue,
                                                      std::string_view key);

struct WrittenDocument {
  IssueDocumentView document;
  bool created = false;
};
/// Creates the document or appends a revision; 409 when the base is not the current revision. No gate: for callers see
/// `put_document`; the engine writes its summaries with `base` being whatever is current (`any_base`).
Result<WrittenDocument> write_document(store::Transaction& tx, CompanyId company, IssueId issue, std::string_view key,
                                       const DocumentBody& body, const Author& author, bool any_base = false);

/// A caller's PUT: gate, document, references, activity.
Result<WrittenDocument> put_document(store::Transaction& tx, const CompanyScope& scope, IssueId issue,
                                     const std::string& key, const DocumentBody& body);
/// A caller's restore: appends a copy of an older revision.
Result<IssueDocumentView> restore_document(store::Transaction& tx, const CompanyScope& scope, IssueId issue,
                                           const std::string& key, std::string_view revision);
/// Deletes the document with all revisions. 404 `Document not found`.
Result<> delete_document(store::Transaction& tx, const CompanyScope& scope, IssueId issue, const std::string& key);

}  // namespace paperclip::domain
