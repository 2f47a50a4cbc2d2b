#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "api/all_routes.h"
#include "api/issue_kind.h"
#include "api/services.h"
#include "domain/issues/comments.h"
#include "store/database.h"

namespace paperclip::api {

namespace {

constexpr double largest_page = 500;

// A number above zero, cut to 500; anything else means no limit.
std::optional<int> comment_limit(const Query& query) {
  const auto text = query.text("limit");
  if (!text) return std::nullopt;
  char* end = nullptr;
  const double number = std::strtod(text->c_str(), &end);
  if (end == text->c_str() || *end != '\0' || !(number > 0)) return std::nullopt;
  return static_cast<int>(std::floor(std::min(number, largest_page)));
}

Result<Answer> list_comments(Call& call) {
  domain::CommentPage page;
  page.ascending = call.query.find("order") == "asc";
  page.after = call.query.text("after");
  if (!page.after) page.after = call.query.text("afterCommentId");
  page.limit = comment_limit(call.query);
  return ok_json(call.services.database.read([&](store::Reader& reader) {
    std::string body;
    domain::append_comments(body, reader, call.company_id(), call.entity<IssueId>(), page);
    return body;
  }));
}

Result<Answer> post_comment(Call& call, const domain::CommentBody& body) {
  return created(TRY(call.services.database.write(
      [&](store::Transaction& tx) { return domain::post_comment(tx, call.scope(), call.entity<IssueId>(), body); })));
}

Result<Answer> get_comment(Call& call) {
  return ok(TRY(call.services.database.read([&](store::Reader& reader) {
    return domain::find_comment(reader, call.company_id(), call.entity<IssueId>(), call.param("commentId"));
  })));
}

Result<Answer> cancel_comment(Call& call) {
  return ok(TRY(call.services.database.write([&](store::Transaction& tx) {
    return domain::cancel_queued_comment(tx, call.scope(), call.entity<IssueId>(), call.param("commentId"));
  })));
}

}  // namespace

void add_issue_comment_routes(Routes& routes) {
  routes.get("/api/issues/{id}/comments", list_comments).entity(issue_kind);
  routes.post("/api/issues/{id}/comments", post_comment).entity(issue_kind);
  routes.get("/api/issues/{id}/comments/{commentId}", get_comment).entity(issue_kind);
  routes.remove("/api/issues/{id}/comments/{commentId}", cancel_comment).entity(issue_kind);
}

}  // namespace paperclip::api
