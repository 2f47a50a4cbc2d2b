#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <optional>
#include <string>

#include "base/id.h"
#include "base/json.h"
#include "base/time.h"
#include "domain/schema/table_of.h"

/// Questions and suggestions in an issue's thread (spec/work-domain.md 9.1).
namespace paperclip::domain {

enum class InteractionKind { suggest_tasks, ask_user_questions, request_confirmation };
BOOST_DESCRIBE_ENUM(InteractionKind, suggest_tasks, ask_user_questions, request_confirmation)

enum class InteractionStatus { pending, accepted, rejected, answered, cancelled, expired, failed };
BOOST_DESCRIBE_ENUM(InteractionStatus, pending, accepted, rejected, answered, cancelled, expired, failed)

/// Whom the answer wakes.
enum class InteractionContinuation { none, wake_assignee, wake_assignee_on_accept };
BOOST_DESCRIBE_ENUM(InteractionContinuation, none, wake_assignee, wake_assignee_on_accept)

/// Something in a thread that a human answers.
struct IssueThreadInteraction {
  InteractionId id;
  CompanyId company_id;
  IssueId issue_id;
  InteractionKind kind{};
  InteractionStatus status = InteractionStatus::pending;
  InteractionContinuation continuation_policy = InteractionContinuation::wake_assignee;
  std::optional<std::string> idempotency_key;
  std::optional<CommentId> source_comment_id;
  std::optional<RunId> source_run_id;
  std::optional<std::string> title;
  std::optional<std::string> summary;
  std::optional<AgentId> created_by_agent_id;
  std::optional<std::string> created_by_user_id;
  std::optional<AgentId> resolved_by_agent_id;
  std::optional<std::string> resolved_by_user_id;
  RawJson payload;
  std::optional<RawJson> result;
  std::optional<Timestamp> resolved_at;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(IssueThreadInteraction, (),
                      (id, company_id, issue_id, kind, status, continuation_policy, idempotency_key, source_comment_id,
                       source_run_id, title, summary, created_by_agent_id, created_by_user_id, resolved_by_agent_id,
                       resolved_by_user_id, payload, result, resolved_at, created_at, updated_at))
template <>
inline constexpr std::string_view table_of<IssueThreadInteraction> = "issue_thread_interactions";

}  // namespace paperclip::domain
