#include "domain/issues/inbox_state.h"

#include "domain/activity/activity.h"

namespace paperclip::domain {

namespace {

Result<std::string> board_user(const CompanyScope& scope) {
  if (!scope.actor().is_board()) return forbidden("Board authentication required");
  if (scope.actor().user_id.empty()) return forbidden("Board user context required");
  return scope.actor().user_id;
}

void log_state(store::Transaction& tx, const CompanyScope& scope, IssueId issue, std::string_view action,
               json::object details) {
  log_activity(tx, scope.company_id(), scope.author(), {action, "issue", issue.str(), std::move(details)});
}

}  // namespace

Result<IssueReadState> mark_read(store::Transaction& tx, const CompanyScope& scope, IssueId issue) {
  const std::string user = TRY(board_user(scope));
  auto state = tx.one<IssueReadState>(
      "select {} from issue_read_states where issue_id = :1 and user_id = :2 and company_id = :3", issue, user,
      scope.company_id());
  if (state) {
    state->last_read_at = state->updated_at = tx.now();
    tx.update(table_of<IssueReadState>, *state);
  } else {
    state = IssueReadState{tx.new_id<AnyId>(), scope.company_id(), issue, user, tx.now(), tx.now(), tx.now()};
    tx.insert(table_of<IssueReadState>, *state);
  }
  log_state(tx, scope, issue, "issue.read_marked", {{"userId", user}, {"lastReadAt", to_iso(state->last_read_at)}});
  return *state;
}

Result<bool> unmark_read(store::Transaction& tx, const CompanyScope& scope, IssueId issue) {
  const std::string user = TRY(board_user(scope));
  const auto removed =
      tx.execute("delete from issue_read_states where issue_id = :1 and user_id = :2 and company_id = :3", issue, user,
                 scope.company_id());
  log_state(tx, scope, issue, "issue.read_unmarked", {{"userId", user}});
  return removed > 0;
}

Result<IssueInboxArchive> archive_in_inbox(store::Transaction& tx, const CompanyScope& scope, IssueId issue) {
  const std::string user = TRY(board_user(scope));
  auto state = tx.one<IssueInboxArchive>(
      "select {} from issue_inbox_archives where issue_id = :1 and user_id = :2 and company_id = :3", issue, user,
      scope.company_id());
  if (state) {
    state->archived_at = state->updated_at = tx.now();
    tx.update(table_of<IssueInboxArchive>, *state);
  } else {
    state = IssueInboxArchive{tx.new_id<AnyId>(), scope.company_id(), issue, user, tx.now(), tx.now(), tx.now()};
    tx.insert(table_of<IssueInboxArchive>, *state);
  }
  log_state(tx, scope, issue, "issue.inbox_archived", {{"userId", user}, {"archivedAt", to_iso(state->archived_at)}});
  return *state;
}

Result<std::optional<IssueInboxArchive>> unarchive_in_inbox(store::Transaction& tx, const CompanyScope& scope,
                                                            IssueId issue) {
  const std::string user = TRY(board_user(scope));
  auto state = tx.one<IssueInboxArchive>(
      "select {} from issue_inbox_archives where issue_id = :1 and user_id = :2 and company_id = :3", issue, user,
      scope.company_id());
  if (state) tx.execute("delete from issue_inbox_archives where id = :1", state->id);
  log_state(tx, scope, issue, "issue.inbox_unarchived", {{"userId", user}});
  return state;
}

}  // namespace paperclip::domain
