#include "domain/wakeups/interaction_wake.h"

#include <boost/describe/class.hpp>

#include "domain/wakeups/wake_context.h"

namespace paperclip::domain {

namespace {

struct CommentAuthor {
  std::optional<AgentId> author_agent_id;
  std::optional<std::string> author_user_id;
};
BOOST_DESCRIBE_STRUCT(CommentAuthor, (), (author_agent_id, author_user_id))

struct Requester {
  std::optional<std::string> requested_by_actor_type, requested_by_actor_id;
  RawJson payload;
};
BOOST_DESCRIBE_STRUCT(Requester, (), (requested_by_actor_type, requested_by_actor_id, payload))

bool wrote_it(const CommentAuthor& author, const std::optional<std::string>& type, const std::optional<std::string>& id) {
  if (type == "system") return true;
  if (!id) return false;
  if (type == "agent") return author.author_agent_id && author.author_agent_id->view() == *id;
  if (type == "user") return author.author_user_id == *id;
  return false;
}

bool source_fits(const json::object& context) {
  auto reason = context_text(context, "wakeReason");
  if (!reason) reason = context_text(context, "reason");
  const auto source = context_text(context, "source");
  return (reason == "issue_commented" && source == "issue.comment") ||
         (reason == "issue_reopened_via_comment" && source == "issue.comment.reopen") ||
         (reason == "issue_comment_mentioned" && source == "comment.mention");
}

}  // namespace

bool is_verified_interaction(store::Reader& reader, CompanyId company, IssueId issue, const json::object& context,
                             const WakeOrigin& origin) {
  if (!source_fits(context)) return false;
  const auto batch = wake_comment_ids(context);
  const auto comment = batch.empty() ? std::nullopt : AnyId::parse(batch.back());
  if (!comment) return false;
  const auto author = reader.one<CommentAuthor>(
      "select {} from issue_comments where id = :1 and company_id = :2 and issue_id = :3", *comment, company, issue);
  if (!author) return false;
  if (wrote_it(*author, origin.actor_type, origin.actor_id)) return true;
  if (!origin.run_id && !origin.wakeup_id) return false;
  bool verified = false;
  reader.each<Requester>(
      "select {} from agent_wakeup_requests where company_id = :1 and (run_id = :2 or id = :3)",
      [&](const Requester& row) {
        const auto payload = row.payload.parse();
        verified = text_at(payload, "issueId") == issue.str() && text_at(payload, "commentId") == comment->str() &&
                   wrote_it(*author, row.requested_by_actor_type, row.requested_by_actor_id);
        return !verified;
      },
      company, origin.run_id.value_or(RunId()), origin.wakeup_id.value_or(WakeupId()));
  return verified;
}

}  // namespace paperclip::domain
