#pragma once

#include <optional>

#include "domain/access/scope.h"
#include "domain/issues/issue_views.h"
#include "store/transaction.h"

/// What a comment may do to its issue: take it up again, or stop the run that works on it (spec/issues.md 7.2–7.4).
namespace paperclip::domain {

/// What a caller asked for next to the text.
struct FollowUpIntent {
  bool reopen = false;
  bool resume = false;
};

/// The gate of an explicit follow-up: 409 and 403 of spec/issues.md 7.3. Passes where no such intent needs it.
Result<> require_follow_up(store::Reader& reader, const CompanyScope& scope, const Issue& issue,
                           const FollowUpIntent& intent);

/// True if the comment takes the issue back to todo: it was asked for, or a person speaks to the agent (`assignee`, as
/// it will be) of a closed or blocked issue; and the issue is closed, or blocked by nothing.
bool moves_to_todo(store::Reader& reader, const CompanyScope& scope, const Issue& issue, const FollowUpIntent& intent,
                   const std::optional<AgentId>& assignee);

/// The run that works on the issue now.
std::optional<RunId> running_run(store::Reader& reader, const Issue& issue);

/// Cancels the run that works on the issue and puts that on record; nothing if there is none. `source` is the reason
/// on record: `issue_comment_interrupt`, `issue_status_cancelled`.
std::optional<RunId> stop_running_run(store::Transaction& tx, const CompanyScope& scope, const Issue& issue,
                                      std::optional<RunId> run, std::string_view source);

}  // namespace paperclip::domain
