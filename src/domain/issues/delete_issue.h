#pragma once

#include <string>
#include <vector>

#include "domain/access/scope.h"
#include "domain/issues/issue_views.h"
#include "store/transaction.h"

namespace paperclip::domain {

struct DeletedIssue {
  Issue issue;
  std::vector<std::string> object_keys;  // stored files that nobody needs any more
};

/// Deletes an issue with its documents, files, relations, marks and conversation (spec/issues.md 5.7). OURS: comments,
/// marks and interactions go with it; 409 while child issues or costs refer to it.
Result<DeletedIssue> delete_issue(store::Transaction& tx, const CompanyScope& scope, IssueId id);

}  // namespace paperclip::domain
