#include "domain/issues/comments.h"

#include "base/text.h"
#include "base/write_json.h"
#include "domain/activity/activity.h"
#include "domain/issues/closed_workspace.h"
#include "domain/issues/follow_up.h"
#include "domain/issues/issue_rows.h"
#include "domain/issues/lock.h"
#include "domain/issues/references.h"

namespace paperclip::domain {

namespace {

constexpr std::size_t snippet_units = 120;

struct RunStart {
  AgentId agent_id;
  std::optional<Timestamp> started_at;
  Timestamp created_at;
};
BOOST_DESCRIBE_STRUCT(RunStart, (), (agent_id, started_at, created_at))

std::string snippet(const std::string& body) { return std::string(utf16_prefix(body, snippet_units)); }

// Only the status changes: the stages of a policy are not asked here.
void reopen(store::Transaction& tx, const CompanyScope& scope, Issue& issue,
            const CommentCircumstances& circumstances) {
  tx.execute(
      "update issues set status = 'todo', completed_at = null, cancelled_at = null, checkout_run_id = null, "
      "execution_run_id = null, "
      "execution_agent_name_key = null, execution_locked_at = null, updated_at = :2, lock_fence = lock_fence + 1 where "
      "id = :1",
      issue.id, tx.now());
  issue.status = IssueStatus::todo;
  issue.completed_at.reset();
  issue.cancelled_at.reset();
  clear_lock(issue);
  issue.updated_at = tx.now();
  json::object details{{"status", "todo"}, {"source", "comment"}, {"reopened", true}};
  add_circumstances(details, circumstances);
  details["identifier"] = issue.identifier ? json::value(*issue.identifier) : json::value(nullptr);
  log_activity(tx, scope.company_id(), scope.author(), {"issue.updated", "issue", issue.id.str(), std::move(details)});
}

}  // namespace

void add_circumstances(json::object& to, const CommentCircumstances& circumstances) {
  if (circumstances.reopened_from) to["reopenedFrom"] = to_text(*circumstances.reopened_from);
  if (circumstances.resume)
    for (std::string_view key : {"followUpRequested", "resumeIntent"}) to[key] = true;
  if (circumstances.interrupted_run_id) to["interruptedRunId"] = circumstances.interrupted_run_id->view();
}

IssueComment insert_comment(store::Transaction& tx, CompanyId company, IssueId issue, const Author& author,
                            std::string body) {
  IssueComment comment{tx.new_id<CommentId>(), company,         issue,    author.agent_id, author.user_id(),
                       author.run_id,          std::move(body), tx.now(), tx.now()};
  tx.insert(table_of<IssueComment>, comment);
  tx.execute("update issues set updated_at = :2 where id = :1", issue, tx.now());
  return comment;
}

IssueComment speak(store::Transaction& tx, const CompanyScope& scope, const Issue& issue, std::string body,
                   const CommentCircumstances& circumstances) {
  IssueComment comment = insert_comment(tx, scope.company_id(), issue.id, scope.author(), std::move(body));
  const auto named_before = referenced_issues(tx, scope.company_id(), issue.id);
  sync_references(tx, scope.company_id(), issue.id,
                  {ReferenceSource::comment, id_cast<AnyId>(comment.id), std::nullopt}, comment.body, true);
  note_run_activity(tx, scope);
  json::object details{{"commentId", comment.id.view()},
                       {"bodySnippet", snippet(comment.body)},
                       {"identifier", issue.identifier ? json::value(*issue.identifier) : json::value(nullptr)},
                       {"issueTitle", issue.title}};
  if (circumstances.reopened_from) {
    details["reopened"] = true;
    details["source"] = "comment";
  }
  if (circumstances.with_update) details["updated"] = true;
  add_circumstances(details, circumstances);
  const bool names_something = comment.body.find('-') != std::string::npos;
  add_reference_changes(details, named_before,
                        names_something ? referenced_issues(tx, scope.company_id(), issue.id) : named_before);
  log_activity(tx, scope.company_id(), scope.author(),
               {"issue.comment_added", "issue", issue.id.str(), std::move(details)});
  return comment;
}

void add_comment_wake(PendingWakes& wakes, const Issue& issue, const IssueComment& comment, const Author& author,
                      bool was_closed, const CommentCircumstances& circumstances) {
  if (!issue.assignee_agent_id) return;
  const bool reopened = circumstances.reopened_from.has_value();
  const bool by_itself = author.agent_id && *author.agent_id == *issue.assignee_agent_id;
  if (!reopened && (by_itself || was_closed)) return;
  const std::string_view reason = reopened ? "issue_reopened_via_comment" : "issue_commented";
  json::object payload{{"issueId", issue.id.view()}, {"commentId", comment.id.view()}, {"mutation", "comment"}};
  add_circumstances(payload, circumstances);
  json::object context{{"issueId", issue.id.view()},
                       {"taskId", issue.id.view()},
                       {"commentId", comment.id.view()},
                       {"wakeCommentId", comment.id.view()},
                       {"source", reopened ? "issue.comment.reopen" : "issue.comment"},
                       {"wakeReason", reason}};
  add_circumstances(context, circumstances);
  wakes.add(*issue.assignee_agent_id, issue.id, "automation", reason, std::move(payload), std::move(context));
}

void add_mention_wake(PendingWakes& wakes, AgentId agent, const IssueComment& comment, bool overwrite) {
  json::object payload{{"issueId", comment.issue_id.view()}, {"commentId", comment.id.view()}};
  json::object context{{"issueId", comment.issue_id.view()},      {"taskId", comment.issue_id.view()},
                       {"commentId", comment.id.view()},          {"wakeCommentId", comment.id.view()},
                       {"wakeReason", "issue_comment_mentioned"}, {"source", "comment.mention"}};
  if (overwrite)
    wakes.add(agent, comment.issue_id, "automation", "issue_comment_mentioned", std::move(payload), std::move(context));
  else
    wakes.add_if_none(agent, comment.issue_id, "automation", "issue_comment_mentioned", std::move(payload),
                      std::move(context));
}

Result<IssueComment> post_comment(store::Transaction& tx, const CompanyScope& scope, IssueId id,
                                  const CommentBody& body) {
  Issue issue = TRY(lock_issue(tx, scope.company_id(), id));
  TRY(require_mutation(tx, scope, issue));
  TRY(require_open_workspace(tx, issue));
  const FollowUpIntent intent{body.reopen.value_or(false), body.resume.value_or(false)};
  TRY(require_follow_up(tx, scope, issue, intent));
  const bool was_closed = is_terminal(issue.status);
  CommentCircumstances circumstances;
  circumstances.resume = intent.resume;
  if (moves_to_todo(tx, scope, issue, intent, issue.assignee_agent_id)) {
    circumstances.reopened_from = issue.status;
    reopen(tx, scope, issue, circumstances);
  }
  if (body.interrupt.value_or(false)) {
    if (!scope.actor().is_board()) return forbidden("Only board users can interrupt active runs from issue comments");
    circumstances.interrupted_run_id =
        stop_running_run(tx, scope, issue, running_run(tx, issue), "issue_comment_interrupt");
  }
  IssueComment comment = speak(tx, scope, issue, body.body, circumstances);
  PendingWakes wakes(scope.author());
  add_comment_wake(wakes, issue, comment, scope.author(), was_closed, circumstances);
  for (const auto& agent : mentioned_agents(tx, scope.company_id(), comment.body, scope.author()))
    add_mention_wake(wakes, agent, comment, false);
  wakes.raise(tx);
  return comment;
}

Result<IssueComment> find_comment(store::Reader& reader, CompanyId company, IssueId issue, std::string_view comment) {
  const auto id = CommentId::parse(comment);
  auto found =
      id ? reader.one<IssueComment>("select {} from issue_comments where id = :1 and issue_id = :2 and company_id = :3",
                                    *id, issue, company)
         : std::nullopt;
  if (!found) return not_found("Comment not found");
  return *std::move(found);
}

Result<IssueComment> cancel_queued_comment(store::Transaction& tx, const CompanyScope& scope, IssueId id,
                                           std::string_view comment_id) {
  Issue issue = TRY(lock_issue(tx, scope.company_id(), id));
  TRY(require_mutation(tx, scope, issue));
  const IssueComment comment = TRY(find_comment(tx, scope.company_id(), id, comment_id));
  const Author author = scope.author();
  const bool own = author.agent_id ? comment.author_agent_id == author.agent_id
                                   : comment.author_user_id && comment.author_user_id == author.user_id();
  if (!own) return forbidden("Only the comment author can cancel queued comments");
  const auto run_id = running_run(tx, issue);
  const auto run = run_id ? tx.one<RunStart>("select {} from heartbeat_runs where id = :1", *run_id) : std::nullopt;
  if (!run) return conflict("Queued comment can no longer be canceled");
  if (comment.created_at < run->started_at.value_or(run->created_at) || comment.author_agent_id == run->agent_id)
    return conflict("Only queued comments can be canceled");
  tx.execute(
      "delete from issue_reference_mentions where source_issue_id = :1 and source_kind = 'comment' and "
      "source_record_id = :2",
      id, comment.id);
  tx.execute("delete from issue_comments where id = :1", comment.id);
  tx.execute("update issues set updated_at = :2 where id = :1", id, tx.now());
  log_activity(tx, scope.company_id(), author,
               {"issue.comment_cancelled", "issue", id.str(),
                json::value{{"commentId", comment.id.view()},
                            {"bodySnippet", snippet(comment.body)},
                            {"identifier", issue.identifier ? json::value(*issue.identifier) : json::value(nullptr)},
                            {"issueTitle", issue.title},
                            {"source", "queue_cancel"},
                            {"queueTargetRunId", run_id->view()}}});
  return comment;
}

void append_comments(std::string& out, store::Reader& reader, CompanyId company, IssueId issue,
                     const CommentPage& page) {
  out += '[';
  bool first = true;
  const auto write = [&](const IssueComment& comment) {
    if (!first) out += ',';
    first = false;
    append_json(out, comment);
  };
  const int limit = page.limit.value_or(1'000'000'000);
  if (!page.after) {
    reader.each<IssueComment>(
        page.ascending
            ? "select {} from issue_comments where issue_id = :1 and company_id = :2 order by created_at, seq limit :3"
            : "select {} from issue_comments where issue_id = :1 and company_id = :2 order by created_at desc, seq "
              "desc limit :3",
        write, issue, company, limit);
  } else if (const auto id = CommentId::parse(*page.after)) {
    const auto anchor = reader.one<std::pair<Timestamp, std::int64_t>>(
        "select created_at, seq from issue_comments where id = :1 and issue_id = :2 and company_id = :3", *id, issue,
        company);
    // Upwards the reference repeats the anchor (it compares a time cut to milliseconds with a finer one), and clients
    // are used to it (conformance: issues/comments.http).
    if (anchor)
      reader.each<IssueComment>(page.ascending ? "select {} from issue_comments where issue_id = :1 and company_id = "
                                                 ":2 and (created_at > :3 or (created_at = :3 and seq >= :4)) "
                                                 "order by created_at, seq limit :5"
                                               : "select {} from issue_comments where issue_id = :1 and company_id = "
                                                 ":2 and (created_at < :3 or (created_at = :3 and seq < :4)) "
                                                 "order by created_at desc, seq desc limit :5",
                                write, issue, company, anchor->first, anchor->second, limit);
  }
  out += ']';
}

}  // namespace paperclip::domain
