#include "domain/issues/attachments.h"

#include <algorithm>

#include "base/write_json.h"
#include "domain/activity/activity.h"
#include "domain/issues/issue_rows.h"
#include "domain/issues/lock.h"

namespace paperclip::domain {

namespace {

constexpr std::int64_t largest_limit = std::int64_t{1} << 30;
constexpr std::int64_t fallback_limit = 10 * 1024 * 1024;

constexpr const char* view_columns =
    "select t.id, t.company_id, t.issue_id, t.issue_comment_id, t.asset_id, a.provider, a.object_key, a.content_type, "
    "a.byte_size, a.sha256, "
    "a.original_filename, a.created_by_agent_id, a.created_by_user_id, t.created_at, t.updated_at, '/api/attachments/' "
    "|| cast(t.id as text) || '/content' "
    "from issue_attachments t join assets a on a.id = t.asset_id where ";

std::string sql(const char* condition) { return std::string(view_columns) + condition; }

Result<> check_comment(store::Reader& reader, CompanyId company, IssueId issue,
                       const std::optional<CommentId>& comment) {
  if (!comment) return {};
  const auto at = reader.one<std::pair<CompanyId, IssueId>>(
      "select company_id, issue_id from issue_comments where id = :1", *comment);
  if (!at) return not_found("Issue comment not found");
  if (at->first != company || at->second != issue)
    return unprocessable("Attachment comment must belong to same issue and company");
  return {};
}

}  // namespace

std::vector<AttachmentView> attachments_of(store::Reader& reader, CompanyId company, IssueId issue) {
  static const std::string text = sql("t.issue_id = :1 and t.company_id = :2 order by t.created_at desc, t.id");
  return reader.all<AttachmentView>(text, issue, company);
}

void append_attachment_summaries(std::string& out, store::Reader& reader, CompanyId company, IssueId issue) {
  out += '[';
  bool first = true;
  for (const auto& file : attachments_of(reader, company, issue)) {
    if (!first) out += ',';
    first = false;
    JsonObjectWriter(out)
        .field("id", file.id)
        .field("filename", file.original_filename)
        .field("contentType", file.content_type)
        .field("byteSize", file.byte_size)
        .field("contentPath", file.content_path)
        .field("createdAt", file.created_at)
        .end();
  }
  out += ']';
}

Result<AttachmentView> find_attachment(store::Reader& reader, CompanyId company, AttachmentId id) {
  static const std::string text = sql("t.id = :1 and t.company_id = :2");
  auto file = reader.one<AttachmentView>(text, id, company);
  if (!file) return not_found("Attachment not found");
  return *std::move(file);
}

std::int64_t attachment_limit(store::Reader& reader, CompanyId company, std::int64_t process_limit) {
  const auto own =
      reader.value<std::int64_t>("select attachment_max_bytes from companies where id = :1", company).value_or(0);
  if (own <= 0) return std::min(fallback_limit, process_limit);
  return std::min({own, largest_limit, process_limit});
}

Result<> may_attach(store::Transaction& tx, const CompanyScope& scope, IssueId id,
                    const std::optional<CommentId>& comment) {
  Issue issue = TRY(lock_issue(tx, scope.company_id(), id));
  TRY(require_mutation(tx, scope, issue));
  return check_comment(tx, scope.company_id(), id, comment);
}

Result<AttachmentView> add_attachment(store::Transaction& tx, const CompanyScope& scope, IssueId issue,
                                      const std::optional<CommentId>& comment, const StoredFile& file) {
  TRY(may_attach(tx, scope, issue, comment));
  const Author author = scope.author();
  Asset asset;
  asset.id = tx.new_id<AssetId>();
  asset.company_id = scope.company_id();
  asset.provider = file.provider;
  asset.object_key = file.object_key;
  asset.content_type = file.content_type;
  asset.byte_size = static_cast<int>(file.byte_size);
  asset.sha256 = file.sha256;
  asset.original_filename = file.original_filename;
  asset.created_by_agent_id = author.agent_id;
  asset.created_by_user_id = author.user_id();
  asset.created_at = asset.updated_at = tx.now();
  tx.insert(table_of<Asset>, asset);
  const IssueAttachment attachment{
      tx.new_id<AttachmentId>(), scope.company_id(), issue, asset.id, comment, tx.now(), tx.now()};
  tx.insert(table_of<IssueAttachment>, attachment);
  log_activity(tx, scope.company_id(), author,
               {"issue.attachment_added", "issue", issue.str(),
                json::value{{"attachmentId", attachment.id.view()},
                            {"originalFilename",
                             file.original_filename ? json::value(*file.original_filename) : json::value(nullptr)},
                            {"contentType", file.content_type},
                            {"byteSize", file.byte_size}}});
  return find_attachment(tx, scope.company_id(), attachment.id);
}

Result<AttachmentView> remove_attachment(store::Transaction& tx, const CompanyScope& scope, AttachmentId id) {
  const AttachmentView file = TRY(find_attachment(tx, scope.company_id(), id));
  Issue issue = TRY(lock_issue(tx, scope.company_id(), file.issue_id));
  TRY(require_mutation(tx, scope, issue));
  tx.execute("delete from assets where id = :1", file.asset_id);
  log_activity(tx, scope.company_id(), scope.author(),
               {"issue.attachment_removed", "issue", file.issue_id.str(), json::value{{"attachmentId", id.view()}}});
  return file;
}

}  // namespace paperclip::domain
