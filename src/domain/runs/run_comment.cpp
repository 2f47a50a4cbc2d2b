#include "domain/runs/run_comment.h"

#include "base/text.h"
#include "domain/activity/activity.h"
#include "domain/issues/comments.h"

namespace paperclip::domain {

void post_summary_comment(store::Transaction& tx, const HeartbeatRun& run, const WorkIssue& issue, const json::value& result) {
  std::optional<std::string> body;
  for (std::string_view key : {"summary", "result", "message"})
    if (!body) body = text_at(result, key);
  if (!body) return;
  if (tx.exists("select 1 from issue_comments where created_by_run_id = :1 and issue_id = :2", run.id, issue.id)) return;
  const Author author{"agent", run.agent_id.str(), run.agent_id, run.id};
  const CommentId id = insert_comment(tx, issue.company_id, issue.id, author, *body).id;
  log_activity(tx, issue.company_id, author,
               {"issue.comment_added", "issue", issue.id.str(),
                json::object{{"commentId", id.view()},
                             {"bodySnippet", utf16_prefix(*body, 120)},
                             {"identifier", issue.identifier ? json::value(*issue.identifier) : json::value()},
                             {"issueTitle", issue.title},
                             {"source", "run.summary"}}});
}

}  // namespace paperclip::domain
