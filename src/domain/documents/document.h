#pragma once

#include <boost/describe/class.hpp>
#include <optional>
#include <string>

#include "base/id.h"
#include "base/time.h"
#include "domain/schema/table_of.h"

/// Documents and their revisions (spec/issues.md 1.3).
namespace paperclip::domain {

/// A text with a history; its newest body is repeated here.
struct Document {
  DocumentId id;
  CompanyId company_id;
  std::optional<std::string> title;
  std::string format = "markdown";
  std::string latest_body;
  std::optional<DocumentRevisionId> latest_revision_id;
  int latest_revision_number = 1;
  std::optional<AgentId> created_by_agent_id;
  std::optional<std::string> created_by_user_id;
  std::optional<AgentId> updated_by_agent_id;
  std::optional<std::string> updated_by_user_id;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(Document, (),
                      (id, company_id, title, format, latest_body, latest_revision_id, latest_revision_number,
                       created_by_agent_id, created_by_user_id, updated_by_agent_id, updated_by_user_id, created_at,
                       updated_at))
template <>
inline constexpr std::string_view table_of<Document> = "documents";

/// One version of a document.
struct DocumentRevision {
  DocumentRevisionId id;
  CompanyId company_id;
  DocumentId document_id;
  int revision_number = 0;
  std::optional<std::string> title;
  std::string format = "markdown";
  std::string body;
  std::optional<std::string> change_summary;
  std::optional<AgentId> created_by_agent_id;
  std::optional<std::string> created_by_user_id;
  std::optional<RunId> created_by_run_id;
  Timestamp created_at;
};
BOOST_DESCRIBE_STRUCT(DocumentRevision, (),
                      (id, company_id, document_id, revision_number, title, format, body, change_summary,
                       created_by_agent_id, created_by_user_id, created_by_run_id, created_at))
template <>
inline constexpr std::string_view table_of<DocumentRevision> = "document_revisions";

/// A document of an issue, under a key such as `plan`.
struct IssueDocument {
  AnyId id;
  CompanyId company_id;
  IssueId issue_id;
  DocumentId document_id;
  std::string key;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(IssueDocument, (), (id, company_id, issue_id, document_id, key, created_at, updated_at))
template <>
inline constexpr std::string_view table_of<IssueDocument> = "issue_documents";

}  // namespace paperclip::domain
