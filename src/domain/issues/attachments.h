#pragma once

#include <optional>
#include <string>
#include <vector>

#include "domain/access/scope.h"
#include "domain/assets/asset.h"
#include "domain/issues/work_product.h"
#include "store/transaction.h"

/// Files on issues: what the database knows of them (spec/issues.md 5.9). The bytes are in `domain/storage`.
namespace paperclip::domain {

struct AttachmentView {
  AttachmentId id;
  CompanyId company_id;
  IssueId issue_id;
  std::optional<CommentId> issue_comment_id;
  AssetId asset_id;
  std::string provider, object_key, content_type;
  std::int64_t byte_size = 0;
  std::string sha256;
  std::optional<std::string> original_filename;
  std::optional<AgentId> created_by_agent_id;
  std::optional<std::string> created_by_user_id;
  Timestamp created_at, updated_at;
  std::string content_path;
};
BOOST_DESCRIBE_STRUCT(AttachmentView, (),
                      (id, company_id, issue_id, issue_comment_id, asset_id, provider, object_key, content_type,
                       byte_size, sha256, original_filename, created_by_agent_id, created_by_user_id, created_at,
                       updated_at, content_path))

/// Newest first.
std::vector<AttachmentView> attachments_of(store::Reader& reader, CompanyId company, IssueId issue);
/// How heartbeat-context lists them.
void append_attachment_summaries(std::string& out, store::Reader& reader, CompanyId company, IssueId issue);
/// 404 `Attachment not found`.
Result<AttachmentView> find_attachment(store::Reader& reader, CompanyId company, AttachmentId id);

/// The most a file on an issue of the company may hold, in bytes; the process' own cap is the upper bound.
std::int64_t attachment_limit(store::Reader& reader, CompanyId company, std::int64_t process_limit);

/// The gate before bytes are stored: may the caller add a file to the issue, and is the comment one of its own?
Result<> may_attach(store::Transaction& tx, const CompanyScope& scope, IssueId issue,
                    const std::optional<CommentId>& comment);

/// A file whose bytes are stored.
struct StoredFile {
  std::string provider, object_key, content_type;
  std::int64_t byte_size = 0;
  std::string sha256;
  std::optional<std::string> original_filename;
};
Result<AttachmentView> add_attachment(store::Transaction& tx, const CompanyScope& scope, IssueId issue,
                                      const std::optional<CommentId>& comment, const StoredFile& file);
/// The row that was; its bytes are the caller's to delete.
Result<AttachmentView> remove_attachment(store::Transaction& tx, const CompanyScope& scope, AttachmentId id);

}  // namespace paperclip::domain
