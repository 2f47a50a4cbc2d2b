#pragma once

#include <optional>

#include "domain/access/scope.h"
#include "domain/issues/issue_comment.h"
#include "domain/issues/issue_input.h"
#include "store/transaction.h"

namespace paperclip::domain {

struct PatchedIssue {
  Issue issue;
  std::optional<IssueComment> comment;
};

/// PATCH of an issue, in the order of spec/issues.md 5.6: gates, follow-up, interruption, stages, monitor, the update
/// itself, activity, comment, wakeups. All of it, or nothing.
Result<PatchedIssue> patch_issue(store::Transaction& tx, const CompanyScope& scope, IssueId id,
                                 const IssuePatchBody& body);

}  // namespace paperclip::domain
