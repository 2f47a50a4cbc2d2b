#pragma once

#include <optional>
#include <unordered_map>
#include <vector>

#include "base/fields.h"
#include "domain/access/actor.h"
#include "domain/issues/issue_views.h"
#include "store/transaction.h"

/// What must be done first (spec/issues.md 10). Only `done` resolves a blocker.
namespace paperclip::domain {

/// Replaces the blockers of an issue. 422 for itself, for issues of other companies, and for cycles.
Result<> set_blockers(store::Transaction& tx, CompanyId company, IssueId issue, const std::vector<IssueId>& blockers,
                      const Author& author, bool is_new = false);

/// 422 `Issue is blocked by unresolved blockers` unless all blockers are done.
Result<> require_ready(store::Reader& reader, CompanyId company, IssueId issue);
std::vector<IssueId> unresolved_blocker_ids(store::Reader& reader, CompanyId company, IssueId issue);
/// The same for a list of issues; those without open blockers are left out.
std::unordered_map<IssueId, std::vector<IssueId>> unresolved_blocker_ids(store::Reader& reader, CompanyId company,
                                                                         const std::vector<IssueId>& issues);

/// What a relation shows of the issue at its other end; the open issues at the far end of a blocker's own chain.
struct RelatedIssue : IssueSummary {
  Omit<std::vector<IssueSummary>> terminal_blockers;
};
BOOST_DESCRIBE_STRUCT(RelatedIssue, (IssueSummary), (terminal_blockers))

struct Relations {
  std::vector<RelatedIssue> blocked_by, blocks;  // by title
};
Relations relations_of(store::Reader& reader, CompanyId company, IssueId issue, bool with_terminal_blockers);
/// Blockers of many issues, by title.
std::unordered_map<IssueId, std::vector<IssueSummary>> blockers_of(store::Reader& reader, CompanyId company,
                                                                   const std::vector<IssueId>& issues);

}  // namespace paperclip::domain
