#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/fields.h"
#include "base/write_json.h"
#include "domain/access/scope.h"
#include "domain/agents/adapter_rules.h"
#include "domain/approvals/approval.h"
#include "store/transaction.h"

/// What only the board may allow (spec/work-domain.md 3).
namespace paperclip::domain {

struct NewApproval {
  ApprovalType type{};
  JsonObject payload;
  std::optional<AgentId> requested_by_agent_id;
  Default<std::vector<IssueId>> issue_ids;
};
BOOST_DESCRIBE_STRUCT(NewApproval, (), (type, payload, requested_by_agent_id, issue_ids))

/// The wire object; the payload is redacted.
void append_approval_json(std::string& out, const Approval& approval);

/// Inserts it and links the issues; writes no activity. 404 `One or more issues not found`, 422 `Issue and approval must
/// belong to the same company`.
Result<Approval> insert_approval(store::Transaction& tx, const CompanyScope& scope, const NewApproval& approval);
/// Brings the environment in a hire's configuration, as a client sent it, to its stored form.
Result<> normalise_approval(store::Reader& reader, const CompanyScope& scope, NewApproval& approval, bool strict_secrets);

std::vector<IssueId> linked_issues(store::Reader& reader, ApprovalId approval);

/// Approves with what follows: a hired agent becomes active, the requester is woken. Approving what is approved changes
/// nothing. 422 `Only pending or revision requested approvals can be approved`.
Result<Approval> approve(store::Transaction& tx, const CompanyScope& scope, ApprovalId id, const std::optional<std::string>& note,
                         const AdapterRules& adapters);
/// Rejects; a hire's agent is terminated.
Result<Approval> reject(store::Transaction& tx, const CompanyScope& scope, ApprovalId id, const std::optional<std::string>& note);
/// 422 `Only pending approvals can request revision`.
Result<Approval> request_revision(store::Transaction& tx, const CompanyScope& scope, ApprovalId id, const std::optional<std::string>& note);
/// 403 `Only requesting agent can resubmit this approval`; 422 `Only revision requested approvals can be resubmitted`.
Result<Approval> resubmit(store::Transaction& tx, const CompanyScope& scope, ApprovalId id, const std::optional<json::object>& payload, bool strict_secrets);
Result<ApprovalComment> comment_on_approval(store::Transaction& tx, const CompanyScope& scope, ApprovalId id, const std::string& body);

}  // namespace paperclip::domain
