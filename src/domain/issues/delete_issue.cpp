#include "domain/issues/delete_issue.h"

#include "domain/activity/activity.h"
#include "domain/issues/issue_rows.h"
#include "domain/issues/lock.h"

namespace paperclip::domain {

Result<DeletedIssue> delete_issue(store::Transaction& tx, const CompanyScope& scope, IssueId id) {
  Issue issue = TRY(lock_issue(tx, scope.company_id(), id));
  TRY(require_mutation(tx, scope, issue));
  if (tx.exists("select 1 from issues where parent_id = :1", id))
    return conflict("Issue has child issues. Hide it, or move or delete its children first.");
  if (tx.exists("select 1 from cost_events where issue_id = :1", id))
    return conflict("Issue has recorded costs and cannot be deleted. Hide it instead.");
  if (tx.exists("select 1 from finance_events where issue_id = :1", id))
    return conflict("Issue has finance events and cannot be deleted. Hide it instead.");
  DeletedIssue deleted;
  deleted.object_keys = tx.column<std::string>(
      "select a.object_key from issue_attachments t join assets a on a.id = t.asset_id where t.issue_id = :1", id);
  tx.execute("delete from assets where id in (select asset_id from issue_attachments where issue_id = :1)", id);
  tx.execute("delete from documents where id in (select document_id from issue_documents where issue_id = :1)", id);
  tx.execute("delete from feedback_votes where issue_id = :1", id);
  tx.execute("delete from issue_thread_interactions where issue_id = :1", id);
  tx.execute("delete from issue_comments where issue_id = :1", id);
  tx.execute("delete from issue_read_states where issue_id = :1", id);
  tx.execute("delete from issue_inbox_archives where issue_id = :1", id);
  tx.execute("delete from issues where id = :1", id);
  log_activity(tx, scope.company_id(), scope.author(), {"issue.deleted", "issue", id.str()});
  deleted.issue = std::move(issue);
  return deleted;
}

}  // namespace paperclip::domain
