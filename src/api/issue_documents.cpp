#include "domain/documents/issue_documents.h"

#include "api/all_routes.h"
#include "api/issue_kind.h"
#include "api/services.h"
#include "store/database.h"

namespace paperclip::api {

namespace {

struct RestoreBody {};
BOOST_DESCRIBE_STRUCT(RestoreBody, (), ())

Result<Answer> list_documents(Call& call) {
  const bool with_system = call.query.flag("includeSystem");
  return ok(call.services.database.read([&](store::Reader& reader) {
    return domain::documents_of_issue(reader, call.company_id(), call.entity<IssueId>(), with_system);
  }));
}

Result<Answer> get_document(Call& call) {
  const auto key = TRY(domain::document_key(call.param("key")));
  return ok(TRY(call.services.database.read([&](store::Reader& reader) {
    return domain::find_document(reader, call.company_id(), call.entity<IssueId>(), key);
  })));
}

Result<Answer> put_document(Call& call, const domain::DocumentBody& body) {
  const auto key = TRY(domain::document_key(call.param("key")));
  const auto written = TRY(call.services.database.write([&](store::Transaction& tx) {
    return domain::put_document(tx, call.scope(), call.entity<IssueId>(), key, body);
  }));
  return answer(written.created ? 201 : 200, written.document);
}

Result<Answer> list_revisions(Call& call) {
  const auto key = TRY(domain::document_key(call.param("key")));
  return ok(call.services.database.read([&](store::Reader& reader) {
    return domain::document_revisions(reader, call.company_id(), call.entity<IssueId>(), key);
  }));
}

Result<Answer> restore_revision(Call& call, const RestoreBody&) {
  const auto key = TRY(domain::document_key(call.param("key")));
  return ok(TRY(call.services.database.write([&](store::Transaction& tx) {
    return domain::restore_document(tx, call.scope(), call.entity<IssueId>(), key, call.param("revisionId"));
  })));
}

Result<Answer> delete_document(Call& call) {
  const auto key = TRY(domain::document_key(call.param("key")));
  TRY(call.services.database.write(
      [&](store::Transaction& tx) { return domain::delete_document(tx, call.scope(), call.entity<IssueId>(), key); }));
  return ok_true();
}

}  // namespace

void add_issue_document_routes(Routes& routes) {
  routes.get("/api/issues/{id}/documents", list_documents).entity(issue_kind);
  routes.get("/api/issues/{id}/documents/{key}", get_document).entity(issue_kind);
  routes.put("/api/issues/{id}/documents/{key}", put_document).entity(issue_kind);
  routes.get("/api/issues/{id}/documents/{key}/revisions", list_revisions).entity(issue_kind);
  routes.post("/api/issues/{id}/documents/{key}/revisions/{revisionId}/restore", restore_revision).entity(issue_kind);
  routes.remove("/api/issues/{id}/documents/{key}", delete_document)
      .entity(issue_kind)
      .callers(board, "Board authentication required");
}

}  // namespace paperclip::api
