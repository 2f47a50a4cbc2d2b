#include "domain/issues/approval_links.h"

#include "base/write_json.h"
#include "domain/access/permissions.h"
#include "domain/activity/activity.h"
#include "domain/approvals/approval.h"
#include "domain/issues/issue_links.h"
#include "domain/issues/issue_rows.h"
#include "domain/issues/lock.h"
#include "domain/redaction/redaction.h"

namespace paperclip::domain {

namespace {

Result<> gate(store::Transaction& tx, const CompanyScope& scope, IssueId id) {
  Issue issue = TRY(lock_issue(tx, scope.company_id(), id));
  TRY(require_mutation(tx, scope, issue));
  if (!scope.actor().is_agent()) return {};
  const auto standing = agent_standing(tx, *scope.actor().agent_id);
  if (!standing.is_ceo && !standing.can_create_agents) return forbidden("Missing permission to link approvals");
  return {};
}

}  // namespace

void append_linked_approvals(std::string& out, store::Reader& reader, CompanyId company, IssueId issue) {
  out += '[';
  bool first = true;
  reader.each<Approval>(
      "select {a} from issue_approvals l join approvals a on a.id = l.approval_id where l.issue_id = :1 and "
      "l.company_id = :2 "
      "order by l.created_at desc, a.created_at desc, a.id",
      [&](const Approval& row) {
        Approval approval = row;
        approval.payload = RawJson(redact(row.payload.parse()));
        if (!first) out += ',';
        first = false;
        append_json(out, approval);
      },
      issue, company);
  out += ']';
}

Result<> link_approval(store::Transaction& tx, const CompanyScope& scope, IssueId issue, ApprovalId approval) {
  TRY(gate(tx, scope, issue));
  const auto company = tx.value<CompanyId>("select company_id from approvals where id = :1", approval);
  if (!company) return not_found("Approval not found");
  if (*company != scope.company_id()) return unprocessable("Issue and approval must belong to the same company");
  const Author author = scope.author();
  tx.insert_if_absent(table_of<IssueApproval>,
                      IssueApproval{scope.company_id(), issue, approval, author.agent_id, author.user_id(), tx.now()});
  log_activity(tx, scope.company_id(), author,
               {"issue.approval_linked", "issue", issue.str(), json::value{{"approvalId", approval.view()}}});
  return {};
}

Result<> unlink_approval(store::Transaction& tx, const CompanyScope& scope, IssueId issue, ApprovalId approval) {
  TRY(gate(tx, scope, issue));
  if (!tx.exists("select 1 from approvals where id = :1 and company_id = :2", approval, scope.company_id()))
    return not_found("Approval not found");
  tx.execute("delete from issue_approvals where issue_id = :1 and approval_id = :2", issue, approval);
  log_activity(tx, scope.company_id(), scope.author(),
               {"issue.approval_unlinked", "issue", issue.str(), json::value{{"approvalId", approval.view()}}});
  return {};
}

}  // namespace paperclip::domain
