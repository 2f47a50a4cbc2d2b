#pragma once

#include <optional>

#include "domain/access/scope.h"
#include "domain/issues/comments.h"
#include "domain/issues/issue_edit.h"
#include "domain/issues/issue_input.h"
#include "store/transaction.h"

namespace paperclip::domain {

/// Raises the wakeups of a PATCH, in the order of spec/issues.md 9: stage or assignment, status, comment, mentions,
/// dependents, parent. A later one for the same agent and issue wins.
void wake_after_patch(store::Transaction& tx, const CompanyScope& scope, const IssueEdit& edit,
                      const StageTransition& transition, const CommentCircumstances& circumstances,
                      const IssuePatchBody& body, const std::optional<IssueComment>& comment);

}  // namespace paperclip::domain
