#pragma once

#include <optional>

#include "domain/access/scope.h"
#include "domain/issues/issue_links.h"
#include "store/transaction.h"

/// What a board user has read and put away (spec/issues.md 5.11). 403 `Board user context required` without a user.
namespace paperclip::domain {

Result<IssueReadState> mark_read(store::Transaction& tx, const CompanyScope& scope, IssueId issue);
/// True if there was a mark.
Result<bool> unmark_read(store::Transaction& tx, const CompanyScope& scope, IssueId issue);
Result<IssueInboxArchive> archive_in_inbox(store::Transaction& tx, const CompanyScope& scope, IssueId issue);
/// The row that was deleted, if there was one.
Result<std::optional<IssueInboxArchive>> unarchive_in_inbox(store::Transaction& tx, const CompanyScope& scope,
                                                            IssueId issue);

}  // namespace paperclip::domain
