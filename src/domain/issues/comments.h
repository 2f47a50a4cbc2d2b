#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/fields.h"
#include "domain/access/scope.h"
#include "domain/issues/issue_comment.h"
#include "domain/issues/issue_views.h"
#include "domain/issues/issue_wakes.h"
#include "store/transaction.h"

/// Talking on an issue (spec/issues.md 7).
namespace paperclip::domain {

struct CommentBody {
  Multiline<1> body;
  Omit<bool> reopen, resume, interrupt;
};
BOOST_DESCRIBE_STRUCT(CommentBody, (), (body, reopen, resume, interrupt))

/// Inserts the comment and marks the issue as updated; no activity, no wakeup. Also for system comments.
IssueComment insert_comment(store::Transaction& tx, CompanyId company, IssueId issue, const Author& author,
                            std::string body);

/// What happened around a comment, for its activity and its wakeups.
struct CommentCircumstances {
  bool resume = false;
  std::optional<IssueStatus> reopened_from;
  std::optional<RunId> interrupted_run_id;
  bool with_update = false;  // came along with a PATCH
};

/// Inserts the comment with all that follows from it but the wakeups: references, activity, confirmations it overtakes.
IssueComment speak(store::Transaction& tx, const CompanyScope& scope, const Issue& issue, std::string body,
                   const CommentCircumstances& circumstances);

/// Adds `reopenedFrom`, `resumeIntent`, `followUpRequested`, `interruptedRunId` where they hold.
void add_circumstances(json::object& to, const CommentCircumstances& circumstances);

/// The wakeup of the issue's agent by a comment. `was_closed`: before the request.
void add_comment_wake(PendingWakes& wakes, const Issue& issue, const IssueComment& comment, const Author& author,
                      bool was_closed, const CommentCircumstances& circumstances);
/// The payload and the context of a mention.
void add_mention_wake(PendingWakes& wakes, AgentId agent, const IssueComment& comment, bool overwrite);

/// POST of a comment: gate, follow-up, interruption, comment, wakeups.
Result<IssueComment> post_comment(store::Transaction& tx, const CompanyScope& scope, IssueId issue,
                                  const CommentBody& body);

/// Takes back a comment that the running run has not seen (spec/issues.md 7.5).
Result<IssueComment> cancel_queued_comment(store::Transaction& tx, const CompanyScope& scope, IssueId issue,
                                           std::string_view comment);

/// 404 `Comment not found` unless it is a comment of that issue.
Result<IssueComment> find_comment(store::Reader& reader, CompanyId company, IssueId issue, std::string_view comment);

/// Which comments of an issue, in which order.
struct CommentPage {
  bool ascending = false;
  std::optional<std::string> after;  // a comment's id
  std::optional<int> limit;
};
/// Appends a JSON array.
void append_comments(std::string& out, store::Reader& reader, CompanyId company, IssueId issue,
                     const CommentPage& page);

}  // namespace paperclip::domain
