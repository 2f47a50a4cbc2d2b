#include "domain/issues/attachments.h"

#include <algorithm>

#include "api/all_routes.h"
#include "api/issue_kind.h"
#include "api/services.h"
#include "base/text.h"
#include "domain/issues/issue_rows.h"
#include "domain/storage/object_storage.h"
#include "net/multipart.h"
#include "store/database.h"

namespace paperclip::api {

namespace {

Result<std::optional<Located>> locate_attachment(store::Reader& reader, const Call&, std::string_view reference) {
  const auto id = AttachmentId::parse(reference);
  const auto company =
      id ? reader.value<CompanyId>("select company_id from issue_attachments where id = :1", *id) : std::nullopt;
  if (!company) return std::optional<Located>();
  return std::optional<Located>({*company, id->str()});
}
constexpr EntityKind attachment_kind{"Attachment not found", locate_attachment};

Result<Answer> list_attachments(Call& call) {
  return ok(call.services.database.read([&](store::Reader& reader) {
    return domain::attachments_of(reader, call.company_id(), call.entity<IssueId>());
  }));
}

// The issue of an upload's path, which must be one of the path's company (spec/issues.md 5.9).
Result<IssueId> issue_of_upload(Call& call) {
  const auto issue = call.services.database.read(
      [&](store::Reader& reader) { return domain::locate_issue(reader, call.param("issueId")); });
  if (!issue) return not_found("Issue not found");
  if (issue->company_id != call.company_id()) {
    // Whoever may not see the other company learns nothing of it.
    if (!domain::authorise_company(call.actor, issue->company_id, false)) return not_found("Issue not found");
    return unprocessable("Issue does not belong to company");
  }
  return issue->id;
}

struct UploadFields {
  std::optional<CommentId> comment;
  const net::MultipartPart* file = nullptr;
};

Result<UploadFields> fields_of(const std::vector<net::MultipartPart>& parts) {
  UploadFields fields;
  std::optional<std::string> comment;
  for (const auto& part : parts) {
    if (part.filename) {
      if (part.name != "file") return bad_request("Unexpected field");
      if (fields.file != nullptr) return bad_request("Too many files");
      fields.file = &part;
    } else if (part.name == "issueCommentId") {
      comment = std::string(part.bytes);
    }
  }
  if (fields.file == nullptr) return bad_request("Missing file field 'file'");
  if (fields.file->bytes.empty()) return unprocessable("Attachment is empty");
  if (comment) {
    fields.comment = CommentId::parse(*comment);
    if (!fields.comment) {
      json::array details{json::object{{"validation", "uuid"},
                                       {"code", "invalid_string"},
                                       {"message", "Invalid uuid"},
                                       {"path", json::array{"issueCommentId"}}}};
      return bad_request("Invalid attachment metadata", std::move(details));
    }
  }
  return fields;
}

Result<Answer> upload(Call& call) {
  const IssueId issue = TRY(issue_of_upload(call));
  const auto type = call.request.headers.find("content-type").value_or(std::string_view());
  if (!net::is_multipart(type)) return bad_request("Missing file field 'file'");
  const auto parts = TRY(net::parse_multipart(type, call.request.body));
  const UploadFields fields = TRY(fields_of(parts));
  const auto limit = call.services.database.read([&](store::Reader& reader) {
    return domain::attachment_limit(reader, call.company_id(),
                                    static_cast<std::int64_t>(call.services.settings.attachment_max_bytes));
  });
  const auto bytes = fields.file->bytes;
  if (static_cast<std::int64_t>(bytes.size()) > limit)
    return unprocessable("Attachment exceeds " + std::to_string(limit) + " bytes");
  TRY(call.services.database.write(
      [&](store::Transaction& tx) { return domain::may_attach(tx, call.scope(), issue, fields.comment); }));

  auto filename = fields.file->filename;
  if (filename && filename->empty()) filename.reset();
  const auto object = TRY(call.services.storage.put(call.company_id(), "issues/" + issue.str(), filename, bytes));
  const domain::StoredFile stored{
      object.provider,
      object.object_key,
      fields.file->content_type.empty() ? "application/octet-stream" : fields.file->content_type,
      object.byte_size,
      object.sha256,
      filename};
  auto attachment = call.services.database.write(
      [&](store::Transaction& tx) { return domain::add_attachment(tx, call.scope(), issue, fields.comment, stored); });
  if (!attachment) {
    (void)call.services.storage.remove(call.company_id(), object.object_key);
    return std::move(attachment).error();
  }
  return created(*attachment);
}

bool is_shown_inline(std::string_view type) {
  static constexpr std::string_view types[] = {"application/pdf", "text/plain", "text/markdown", "application/json",
                                               "text/csv"};
  return type.starts_with("image/") || std::find(std::begin(types), std::end(types), type) != std::end(types);
}

Result<Answer> download(Call& call) {
  const auto file = TRY(call.services.database.read([&](store::Reader& reader) {
    return domain::find_attachment(reader, call.company_id(), call.entity<AttachmentId>());
  }));
  Answer answer;
  answer.body = TRY(call.services.storage.open(call.company_id(), file.object_key));
  answer.content_type = file.content_type;
  std::string name = replace_all(file.original_filename.value_or("attachment"), "\"", "");
  std::erase_if(name, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
  answer.headers = {
      {"Cache-Control", "private, max-age=60"},
      {"X-Content-Type-Options", "nosniff"},
      {"Content-Disposition",
       (is_shown_inline(file.content_type) ? "inline; filename=\"" : "attachment; filename=\"") + name + "\""}};
  if (file.content_type == "image/svg+xml")
    answer.headers.emplace_back("Content-Security-Policy",
                                "sandbox; default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'");
  return answer;
}

Result<Answer> remove_file(Call& call) {
  const auto file = TRY(call.services.database.write([&](store::Transaction& tx) {
    return domain::remove_attachment(tx, call.scope(), call.entity<AttachmentId>());
  }));
  (void)call.services.storage.remove(call.company_id(), file.object_key);
  return ok_true();
}

}  // namespace

void add_attachment_routes(Routes& routes) {
  routes.get("/api/issues/{id}/attachments", list_attachments).entity(issue_kind);
  routes.post("/api/companies/{companyId}/issues/{issueId}/attachments", upload).company().raw_body();
  routes.get("/api/attachments/{id}/content", download).entity(attachment_kind);
  routes.remove("/api/attachments/{id}", remove_file).entity(attachment_kind);
}

}  // namespace paperclip::api
