#include "api/adapter_rules.h"
#include "api/all_routes.h"
#include "api/services.h"
#include "domain/activity/activity.h"
#include "domain/approvals/approvals.h"
#include "store/database.h"

namespace paperclip::api {

namespace {

using domain::Approval;

Result<std::optional<Located>> locate_approval(store::Reader& reader, const Call&, std::string_view reference) {
  const auto id = ApprovalId::parse(reference);
  if (!id) return std::optional<Located>();
  const auto company = reader.value<CompanyId>("select company_id from approvals where id = :1", *id);
  if (!company) return std::optional<Located>();
  return std::optional<Located>({*company, id->str()});
}
constexpr EntityKind approval_kind{"Approval not found", locate_approval};

struct DecisionBody {
  std::optional<Multiline<0>> decision_note;
};
BOOST_DESCRIBE_STRUCT(DecisionBody, (), (decision_note))

struct ResubmitBody {
  Omit<JsonObject> payload;
};
BOOST_DESCRIBE_STRUCT(ResubmitBody, (), (payload))

struct ApprovalCommentBody {
  Multiline<1> body;
};
BOOST_DESCRIBE_STRUCT(ApprovalCommentBody, (), (body))

/// What an approval shows of its issues.
struct LinkedIssue {
  IssueId id;
  CompanyId company_id;
  std::optional<ProjectId> project_id;
  std::optional<GoalId> goal_id;
  std::optional<IssueId> parent_id;
  std::string title;
  std::optional<std::string> description;
  std::string status, priority;
  std::optional<AgentId> assignee_agent_id, created_by_agent_id;
  std::optional<std::string> created_by_user_id;
  std::optional<int> issue_number;
  std::optional<std::string> identifier;
  int request_depth = 0;
  std::optional<std::string> billing_code;
  std::optional<Timestamp> started_at, completed_at, cancelled_at;
  Timestamp created_at, updated_at;
};
BOOST_DESCRIBE_STRUCT(LinkedIssue, (), (id, company_id, project_id, goal_id, parent_id, title, description, status, priority, assignee_agent_id,
                                        created_by_agent_id, created_by_user_id, issue_number, identifier, request_depth, billing_code, started_at,
                                        completed_at, cancelled_at, created_at, updated_at))

Answer approval_answer(const Approval& approval, int status = 200) {
  std::string body;
  domain::append_approval_json(body, approval);
  return ok_json(std::move(body), status);
}

Result<Answer> list_approvals(Call& call) {
  return ok_json(call.services.database.read([&](store::Reader& reader) {
    std::string body = "[";
    const auto append = [&](const Approval& approval) {
      if (body.size() > 1) body += ',';
      domain::append_approval_json(body, approval);
    };
    if (const auto status = call.query.text("status"))
      reader.each<Approval>("select {} from approvals where company_id = :1 and status = :2 order by created_at desc, id desc limit 10000", append,
                            call.company_id(), *status);
    else
      reader.each<Approval>("select {} from approvals where company_id = :1 order by created_at desc, id desc limit 10000", append, call.company_id());
    return body + "]";
  }));
}

Result<Answer> get_approval(Call& call) {
  const auto approval = call.services.database.read(
      [&](store::Reader& reader) { return reader.one<Approval>("select {} from approvals where id = :1", call.entity<ApprovalId>()); });
  if (!approval) return not_found("Approval not found");
  return approval_answer(*approval);
}

Result<Answer> create_approval(Call& call, const domain::NewApproval& body) {
  return approval_answer(TRY(call.services.database.write([&](store::Transaction& tx) -> Result<Approval> {
    domain::NewApproval wanted = body;
    TRY(domain::normalise_approval(tx, call.scope(), wanted, call.services.settings.secrets_strict));
    auto approval = TRY(domain::insert_approval(tx, call.scope(), wanted));
    json::array issues;
    for (const auto& issue : body.issue_ids.value) issues.emplace_back(issue.view());
    domain::Author author = call.scope().author();
    author.run_id.reset();
    domain::log_activity(tx, call.company_id(), author,
                         {"approval.created", "approval", approval.id.str(), json::value{{"type", to_text(approval.type)}, {"issueIds", std::move(issues)}}});
    return approval;
  })), 201);
}

Result<Answer> list_issues(Call& call) {
  return ok(call.services.database.read([&](store::Reader& reader) {
    return reader.all<LinkedIssue>("select {i} from issues i join issue_approvals l on l.issue_id = i.id where l.approval_id = :1 "
                                   "order by l.created_at desc, i.id limit 1000", call.entity<ApprovalId>());
  }));
}

std::optional<std::string> note_of(const DecisionBody& body) {
  if (!body.decision_note) return std::nullopt;
  return std::string(*body.decision_note);
}

Result<Answer> approve(Call& call, const DecisionBody& body) {
  return approval_answer(TRY(call.services.database.write(
      [&](store::Transaction& tx) { return domain::approve(tx, call.scope(), call.entity<ApprovalId>(), note_of(body), adapter_rules()); })));
}

Result<Answer> reject(Call& call, const DecisionBody& body) {
  return approval_answer(TRY(call.services.database.write(
      [&](store::Transaction& tx) { return domain::reject(tx, call.scope(), call.entity<ApprovalId>(), note_of(body)); })));
}

Result<Answer> request_revision(Call& call, const DecisionBody& body) {
  return approval_answer(TRY(call.services.database.write(
      [&](store::Transaction& tx) { return domain::request_revision(tx, call.scope(), call.entity<ApprovalId>(), note_of(body)); })));
}

Result<Answer> resubmit(Call& call, const ResubmitBody& body) {
  std::optional<json::object> payload;
  if (body.payload) payload = body.payload->value;
  return approval_answer(TRY(call.services.database.write([&](store::Transaction& tx) {
    return domain::resubmit(tx, call.scope(), call.entity<ApprovalId>(), payload, call.services.settings.secrets_strict);
  })));
}

Result<Answer> list_comments(Call& call) {
  return ok(call.services.database.read([&](store::Reader& reader) {
    return reader.all<domain::ApprovalComment>("select {} from approval_comments where approval_id = :1 order by created_at, id limit 10000", call.entity<ApprovalId>());
  }));
}

Result<Answer> add_comment(Call& call, const ApprovalCommentBody& body) {
  return created(TRY(call.services.database.write(
      [&](store::Transaction& tx) { return domain::comment_on_approval(tx, call.scope(), call.entity<ApprovalId>(), body.body); })));
}

}  // namespace

void add_approval_routes(Routes& routes) {
  routes.get("/api/companies/{companyId}/approvals", list_approvals).company();
  routes.post("/api/companies/{companyId}/approvals", create_approval).company();
  routes.get("/api/approvals/{id}", get_approval).entity(approval_kind);
  routes.get("/api/approvals/{id}/issues", list_issues).entity(approval_kind);
  routes.post("/api/approvals/{id}/approve", approve).entity(approval_kind).callers(board);
  routes.post("/api/approvals/{id}/reject", reject).entity(approval_kind).callers(board);
  routes.post("/api/approvals/{id}/request-revision", request_revision).entity(approval_kind).callers(board);
  routes.post("/api/approvals/{id}/resubmit", resubmit).entity(approval_kind);
  routes.get("/api/approvals/{id}/comments", list_comments).entity(approval_kind);
  routes.post("/api/approvals/{id}/comments", add_comment).entity(approval_kind);
}

}  // namespace paperclip::api
