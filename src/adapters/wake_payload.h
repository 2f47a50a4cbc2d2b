#pragma once

#include <boost/describe/class.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"

/// The wake payload: what woke the agent, in one JSON (spec/execution.md 9.2). The run's context stores it in one form;
/// agents read a normalised one, from PAPERCLIP_WAKE_PAYLOAD_JSON and as the wake prompt (wake_prompt.h).
namespace paperclip::adapters {

using MaybeText = std::optional<std::string>;

struct WakeIssue {
  MaybeText id, identifier, title, status, priority;
};
BOOST_DESCRIBE_STRUCT(WakeIssue, (), (id, identifier, title, status, priority))

struct WakeChild {
  MaybeText id, identifier, title, status, priority, summary;
};
BOOST_DESCRIBE_STRUCT(WakeChild, (), (id, identifier, title, status, priority, summary))

struct WakeTreeHold {
  MaybeText hold_id, root_issue_id, mode, reason;
};
BOOST_DESCRIBE_STRUCT(WakeTreeHold, (), (hold_id, root_issue_id, mode, reason))

struct WakeReviewRequest {
  std::string instructions;
};
BOOST_DESCRIBE_STRUCT(WakeReviewRequest, (), (instructions))

struct WakeStage {
  MaybeText wake_role;  // reviewer, approver or executor
  MaybeText stage_id, stage_type;
  RawJson current_participant;  // {type:"agent",agentId} or {type:"user",userId}, or null
  RawJson return_assignee;
  std::optional<WakeReviewRequest> review_request;
  MaybeText last_decision_outcome;
  std::vector<std::string> allowed_actions;
};
BOOST_DESCRIBE_STRUCT(WakeStage, (),
                      (wake_role, stage_id, stage_type, current_participant, return_assignee, review_request,
                       last_decision_outcome, allowed_actions))

struct WakeSummary {
  MaybeText key, title;
  std::string body;
  bool body_truncated = false;
  MaybeText updated_at;
};
BOOST_DESCRIBE_STRUCT(WakeSummary, (), (key, title, body, body_truncated, updated_at))

struct WakeLiveness {
  std::optional<std::int64_t> attempt, max_attempts;
  MaybeText source_run_id, state, reason, instruction;
};
BOOST_DESCRIBE_STRUCT(WakeLiveness, (), (attempt, max_attempts, source_run_id, state, reason, instruction))

struct WakeComment {
  MaybeText id, issue_id;
  std::string body;
  bool body_truncated = false;
  MaybeText created_at, author_type, author_id;
};
BOOST_DESCRIBE_STRUCT(WakeComment, (), (id, issue_id, body, body_truncated, created_at, author_type, author_id))

/// The normalised form; the order of the members is the order of the JSON's keys.
struct WakePayload {
  MaybeText reason;
  std::optional<WakeIssue> issue;
  bool checked_out_by_harness = false;
  bool dependency_blocked_interaction = false;
  bool tree_hold_interaction = false;
  std::optional<WakeTreeHold> active_tree_hold;
  std::vector<std::string> unresolved_blocker_issue_ids;
  std::vector<WakeIssue> unresolved_blocker_summaries;
  std::optional<WakeStage> execution_stage;
  std::optional<WakeSummary> continuation_summary;
  std::optional<WakeLiveness> liveness_continuation;
  std::vector<WakeChild> child_issue_summaries;
  bool child_issue_summary_truncated = false;
  std::vector<std::string> comment_ids;
  MaybeText latest_comment_id;
  std::vector<WakeComment> comments;
  std::int64_t requested_count = 0;
  std::int64_t included_count = 0;
  std::int64_t missing_count = 0;
  bool truncated = false;
  bool fallback_fetch_needed = false;

  /// Reads `context.paperclipWake` (or what is already normalised). nullopt when there is nothing in it.
  static std::optional<WakePayload> read(const json::value* stored);
  /// One line of JSON.
  std::string normal_form() const;
};
BOOST_DESCRIBE_STRUCT(WakePayload, (),
                      (reason, issue, checked_out_by_harness, dependency_blocked_interaction, tree_hold_interaction,
                       active_tree_hold, unresolved_blocker_issue_ids, unresolved_blocker_summaries, execution_stage,
                       continuation_summary, liveness_continuation, child_issue_summaries,
                       child_issue_summary_truncated, comment_ids, latest_comment_id, comments, requested_count,
                       included_count, missing_count, truncated, fallback_fetch_needed))

/// What the server knows when it builds the stored form for a run.
struct WakeFacts {
  struct Comment {
    std::string id, issue_id, body, created_at;
    std::string author_type;  // agent, user or system
    MaybeText author_id;
  };
  json::object context;               // the run's context before
  std::optional<json::object> issue;  // {id, identifier, title, status, priority}
  /// The rows of `context.wakeCommentIds` that exist; matched by id.
  std::vector<Comment> comments;
  std::optional<json::object> continuation_summary;  // {key, title, body, updatedAt}
  bool checked_out_by_harness = false;
};

/// `context.paperclipWake`; null when there are no comment ids, no execution stage and no issue. At most 8 comments are
/// inlined, the given order kept, 4000 characters each and 12000 together; whatever is left out sets `truncated`.
json::value build_wake_payload(const WakeFacts& facts);

}  // namespace paperclip::adapters
