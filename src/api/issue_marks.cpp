#include "domain/issues/inbox_state.h"

#include "api/all_routes.h"
#include "api/issue_kind.h"
#include "api/services.h"
#include "store/database.h"

namespace paperclip::api {

namespace {

Result<Answer> mark_read(Call& call) {
  return ok(TRY(call.services.database.write(
      [&](store::Transaction& tx) { return domain::mark_read(tx, call.scope(), call.entity<IssueId>()); })));
}

Result<Answer> unmark_read(Call& call) {
  const bool removed = TRY(call.services.database.write(
      [&](store::Transaction& tx) { return domain::unmark_read(tx, call.scope(), call.entity<IssueId>()); }));
  std::string text;
  JsonObjectWriter(text).field("id", call.entity_id).field("removed", removed).end();
  return ok_json(std::move(text));
}

Result<Answer> archive(Call& call) {
  return ok(TRY(call.services.database.write(
      [&](store::Transaction& tx) { return domain::archive_in_inbox(tx, call.scope(), call.entity<IssueId>()); })));
}

Result<Answer> unarchive(Call& call) {
  const auto row = TRY(call.services.database.write(
      [&](store::Transaction& tx) { return domain::unarchive_in_inbox(tx, call.scope(), call.entity<IssueId>()); }));
  return row ? ok(*row) : ok_true();
}

}  // namespace

void add_issue_mark_routes(Routes& routes) {
  const char* not_board = "Board authentication required";
  routes.post("/api/issues/{id}/read", mark_read).entity(issue_kind).callers(board, not_board);
  routes.remove("/api/issues/{id}/read", unmark_read).entity(issue_kind).callers(board, not_board);
  routes.post("/api/issues/{id}/inbox-archive", archive).entity(issue_kind).callers(board, not_board);
  routes.remove("/api/issues/{id}/inbox-archive", unarchive).entity(issue_kind).callers(board, not_board);
}

}  // namespace paperclip::api
