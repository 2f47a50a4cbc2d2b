#include "api/all_routes.h"
#include "api/issue_kind.h"
#include "api/services.h"
#include "domain/issues/approval_links.h"
#include "store/database.h"

namespace paperclip::api {

namespace {

struct LinkBody {
  ApprovalId approval_id;
};
BOOST_DESCRIBE_STRUCT(LinkBody, (), (approval_id))

Answer linked_approvals(Call& call, int status) {
  return ok_json(call.services.database.read([&](store::Reader& reader) {
    std::string body;
    domain::append_linked_approvals(body, reader, call.company_id(), call.entity<IssueId>());
    return body;
  }),
                 status);
}

Result<Answer> list_approvals(Call& call) { return linked_approvals(call, 200); }

Result<Answer> link_approval(Call& call, const LinkBody& body) {
  TRY(call.services.database.write([&](store::Transaction& tx) {
    return domain::link_approval(tx, call.scope(), call.entity<IssueId>(), body.approval_id);
  }));
  return linked_approvals(call, 201);
}

Result<Answer> unlink_approval(Call& call) {
  const auto approval = TRY(call.id_param<ApprovalId>("approvalId", "Approval not found"));
  TRY(call.services.database.write([&](store::Transaction& tx) {
    return domain::unlink_approval(tx, call.scope(), call.entity<IssueId>(), approval);
  }));
  return ok_true();
}

}  // namespace

void add_issue_approval_routes(Routes& routes) {
  routes.get("/api/issues/{id}/approvals", list_approvals).entity(issue_kind);
  routes.post("/api/issues/{id}/approvals", link_approval).entity(issue_kind);
  routes.remove("/api/issues/{id}/approvals/{approvalId}", unlink_approval).entity(issue_kind);
}

}  // namespace paperclip::api
