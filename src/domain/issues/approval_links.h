#pragma once

#include <string>
#include <vector>

#include "domain/access/scope.h"
#include "store/transaction.h"

/// Approvals that concern an issue (spec/issues.md 5.12).
namespace paperclip::domain {

/// A JSON array, newest link first, payloads redacted.
void append_linked_approvals(std::string& out, store::Reader& reader, CompanyId company, IssueId issue);
/// 404 `Approval not found`, 422 for another company's, 403 for agents that may not link.
Result<> link_approval(store::Transaction& tx, const CompanyScope& scope, IssueId issue, ApprovalId approval);
Result<> unlink_approval(store::Transaction& tx, const CompanyScope& scope, IssueId issue, ApprovalId approval);

}  // namespace paperclip::domain
