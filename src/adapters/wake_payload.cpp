#include "adapters/wake_payload.h"

#include <algorithm>
#include <array>

#include "adapters/config.h"
#include "base/text.h"
#include "base/write_json.h"

namespace paperclip::adapters {

namespace {

constexpr std::size_t most_comments = 8;
constexpr std::size_t longest_comment = 4000;  // UTF-16 units, here and below
constexpr std::size_t longest_together = 12000;
constexpr std::size_t longest_summary = 4000;

bool flag(const json::value& value, std::string_view key) {
  const auto* found = member(value, key);
  return found != nullptr && found->is_bool() && found->get_bool();
}

std::optional<std::int64_t> number(const json::value& value, std::string_view key) {
  const auto* found = member(value, key);
  if (found == nullptr || !found->is_number()) return std::nullopt;
  return static_cast<std::int64_t>(found->to_number<double>());
}

std::vector<std::string> texts(const json::value& value, std::string_view key) {
  std::vector<std::string> out;
  if (!value.is_object()) return out;
  for (const auto& text : config_list(value.get_object(), key))
    if (const auto trimmed = trim(text); !trimmed.empty()) out.emplace_back(trimmed);
  return out;
}

const json::array& items(const json::value& value, std::string_view key) {
  static const json::array none;
  const auto* found = member(value, key);
  return found != nullptr && found->is_array() ? found->get_array() : none;
}

WakeIssue read_issue(const json::value& v) {
  return {text_at(v, "id"), text_at(v, "identifier"), text_at(v, "title"), text_at(v, "status"),
          text_at(v, "priority")};
}

bool names_something(const WakeIssue& issue) { return issue.id || issue.identifier || issue.title; }

std::optional<WakeTreeHold> read_hold(const json::value* v) {
  if (v == nullptr || !v->is_object()) return std::nullopt;
  WakeTreeHold hold{text_at(*v, "holdId"), text_at(*v, "rootIssueId"), text_at(*v, "mode"), text_at(*v, "reason")};
  if (!hold.hold_id && !hold.root_issue_id && !hold.mode && !hold.reason) return std::nullopt;
  return hold;
}

RawJson read_principal(const json::value* v) {
  if (v == nullptr) return {};
  const auto type = text_at(*v, "type");
  if (type == "agent") return RawJson(json::value{{"type", "agent"}, {"agentId", text_at(*v, "agentId").value_or("")}});
  if (type == "user") return RawJson(json::value{{"type", "user"}, {"userId", text_at(*v, "userId").value_or("")}});
  return {};
}

std::optional<WakeStage> read_stage(const json::value* v) {
  if (v == nullptr || !v->is_object() || v->get_object().empty()) return std::nullopt;
  WakeStage stage;
  static constexpr std::array roles = {"reviewer", "approver", "executor"};
  if (auto role = text_at(*v, "wakeRole"); role && std::find(roles.begin(), roles.end(), *role) != roles.end())
    stage.wake_role = std::move(role);
  stage.stage_id = text_at(*v, "stageId");
  stage.stage_type = text_at(*v, "stageType");
  stage.current_participant = read_principal(member(*v, "currentParticipant"));
  stage.return_assignee = read_principal(member(*v, "returnAssignee"));
  if (const auto* request = member(*v, "reviewRequest"))
    if (auto instructions = text_at(*request, "instructions")) stage.review_request = WakeReviewRequest{*instructions};
  stage.last_decision_outcome = text_at(*v, "lastDecisionOutcome");
  stage.allowed_actions = texts(*v, "allowedActions");
  return stage;
}

std::optional<WakeSummary> read_summary(const json::value* v) {
  if (v == nullptr) return std::nullopt;
  auto body = string_at(*v, "body");
  if (!body || trim(*body).empty()) return std::nullopt;
  return WakeSummary{text_at(*v, "key"), text_at(*v, "title"), *body, flag(*v, "bodyTruncated"),
                     text_at(*v, "updatedAt")};
}

std::optional<WakeLiveness> read_liveness(const json::value* v) {
  if (v == nullptr || !v->is_object()) return std::nullopt;
  WakeLiveness liveness{number(*v, "attempt"), number(*v, "maxAttempts"), text_at(*v, "sourceRunId"),
                        text_at(*v, "state"),  text_at(*v, "reason"),     text_at(*v, "instruction")};
  if (!liveness.attempt && !liveness.source_run_id && !liveness.state && !liveness.instruction) return std::nullopt;
  return liveness;
}

std::vector<WakeComment> read_comments(const json::value& payload) {
  std::vector<WakeComment> out;
  for (const auto& v : items(payload, "comments")) {
    auto body = string_at(v, "body");
    if (!body || trim(*body).empty()) continue;
    WakeComment comment{text_at(v, "id"),         text_at(v, "issueId"),   *body,
                        flag(v, "bodyTruncated"), text_at(v, "createdAt"), text_at(v, "authorType"),
                        text_at(v, "authorId")};
    if (const auto* author = member(v, "author")) {
      if (!comment.author_type) comment.author_type = text_at(*author, "type");
      if (!comment.author_id) comment.author_id = text_at(*author, "id");
    }
    out.push_back(std::move(comment));
  }
  return out;
}

bool is_empty(const WakePayload& p) {
  return !p.issue && !p.execution_stage && !p.continuation_summary && !p.liveness_continuation && !p.active_tree_hold &&
         p.comments.empty() && p.comment_ids.empty() && p.child_issue_summaries.empty() &&
         p.unresolved_blocker_issue_ids.empty() && p.unresolved_blocker_summaries.empty();
}

}  // namespace

std::optional<WakePayload> WakePayload::read(const json::value* stored) {
  if (stored == nullptr || !stored->is_object()) return std::nullopt;
  const json::value& v = *stored;
  WakePayload p;
  p.reason = text_at(v, "reason");
  if (const auto* issue = member(v, "issue"))
    if (auto read = read_issue(*issue); names_something(read)) p.issue = std::move(read);
  p.checked_out_by_harness = flag(v, "checkedOutByHarness");
  p.dependency_blocked_interaction = flag(v, "dependencyBlockedInteraction");
  p.tree_hold_interaction = flag(v, "treeHoldInteraction");
  p.active_tree_hold = read_hold(member(v, "activeTreeHold"));
  p.unresolved_blocker_issue_ids = texts(v, "unresolvedBlockerIssueIds");
  for (const auto& blocker : items(v, "unresolvedBlockerSummaries"))
    if (auto read = read_issue(blocker); names_something(read))
      p.unresolved_blocker_summaries.push_back(std::move(read));
  p.execution_stage = read_stage(member(v, "executionStage"));
  p.continuation_summary = read_summary(member(v, "continuationSummary"));
  p.liveness_continuation = read_liveness(member(v, "livenessContinuation"));
  for (const auto& child : items(v, "childIssueSummaries")) {
    auto read = read_issue(child);
    if (names_something(read))
      p.child_issue_summaries.push_back(
          {read.id, read.identifier, read.title, read.status, read.priority, text_at(child, "summary")});
  }
  p.child_issue_summary_truncated = flag(v, "childIssueSummaryTruncated");
  p.comment_ids = texts(v, "commentIds");
  p.latest_comment_id = text_at(v, "latestCommentId");
  p.comments = read_comments(v);
  const json::value* window = member(v, "commentWindow");
  const json::value& counts = window != nullptr ? *window : v;
  const auto count = [&](std::string_view key, std::size_t fallback) {
    return number(counts, key).value_or(static_cast<std::int64_t>(fallback));
  };
  p.requested_count = count("requestedCount", p.comment_ids.size());
  p.included_count = count("includedCount", p.comments.size());
  p.missing_count = count("missingCount", 0);
  p.truncated = flag(v, "truncated");
  p.fallback_fetch_needed = flag(v, "fallbackFetchNeeded");
  if (is_empty(p)) return std::nullopt;
  return p;
}

std::string WakePayload::normal_form() const { return write_json(*this); }

namespace {

json::value or_null(const json::object& object, std::string_view key) {
  const auto* found = object.if_contains(key);
  return found != nullptr ? *found : json::value(nullptr);
}

json::value or_empty(const json::object& object, std::string_view key) {
  const auto* found = object.if_contains(key);
  return found != nullptr && found->is_array() ? *found : json::value(json::array());
}

json::value liveness_of(const json::object& context) {
  if (!context.contains("livenessContinuationAttempt")) return nullptr;
  return {{"attempt", or_null(context, "livenessContinuationAttempt")},
          {"maxAttempts", or_null(context, "livenessContinuationMaxAttempts")},
          {"sourceRunId", or_null(context, "livenessContinuationSourceRunId")},
          {"state", or_null(context, "livenessContinuationState")},
          {"reason", or_null(context, "livenessContinuationReason")},
          {"instruction", or_null(context, "livenessContinuationInstruction")}};
}

json::value summary_of(const std::optional<json::object>& document) {
  if (!document) return nullptr;
  const std::string body = config_text(*document, "body");
  const auto kept = utf16_prefix(body, longest_summary);
  return {{"key", or_null(*document, "key")},
          {"title", or_null(*document, "title")},
          {"body", kept},
          {"bodyTruncated", kept.size() < body.size()},
          {"updatedAt", or_null(*document, "updatedAt")}};
}

json::value comment_of(const WakeFacts::Comment& comment, std::string_view body) {
  return {{"id", comment.id},
          {"issueId", comment.issue_id},
          {"body", body},
          {"bodyTruncated", body.size() < comment.body.size()},
          {"createdAt", comment.created_at},
          {"author",
           {{"type", comment.author_type},
            {"id", comment.author_id ? json::value(*comment.author_id) : json::value(nullptr)}}}};
}

}  // namespace

json::value build_wake_payload(const WakeFacts& facts) {
  const json::object& context = facts.context;
  std::vector<std::string> ids = texts(context, "wakeCommentIds");
  if (ids.empty())
    if (auto id = text_at(json::value(context), "wakeCommentId")) ids.push_back(*id);
  const json::value stage = or_null(context, "executionStage");
  if (ids.empty() && !stage.is_object() && !facts.issue) return nullptr;

  json::array comments;
  std::size_t together = 0;
  std::int64_t missing = 0;
  bool truncated = false;
  for (const auto& id : ids) {
    const auto row =
        std::find_if(facts.comments.begin(), facts.comments.end(), [&](const auto& c) { return c.id == id; });
    if (row == facts.comments.end()) {
      ++missing;
      truncated = true;
      continue;
    }
    const std::size_t room = std::min(longest_comment, longest_together - together);
    if (comments.size() == most_comments || room == 0) {
      truncated = true;
      continue;
    }
    const auto body = utf16_prefix(row->body, room);
    together += utf16_length(body);
    if (body.size() < row->body.size()) truncated = true;
    comments.push_back(comment_of(*row, body));
  }

  json::array id_list(ids.begin(), ids.end());
  const auto included = static_cast<std::int64_t>(comments.size());
  const json::value hold = or_null(context, "activeTreeHold");
  return {{"reason", or_null(context, "wakeReason")},
          {"issue", facts.issue ? json::value(*facts.issue) : json::value(nullptr)},
          {"childIssueSummaries", or_empty(context, "childIssueSummaries")},
          {"childIssueSummaryTruncated", config_flag(context, "childIssueSummaryTruncated", false)},
          {"livenessContinuation", liveness_of(context)},
          {"checkedOutByHarness", facts.checked_out_by_harness},
          {"dependencyBlockedInteraction", config_flag(context, "dependencyBlockedInteraction", false)},
          {"treeHoldInteraction", config_flag(context, "treeHoldInteraction", false)},
          {"activeTreeHold", hold.is_object() ? hold : json::value(json::object())},
          {"unresolvedBlockerIssueIds", or_empty(context, "unresolvedBlockerIssueIds")},
          {"unresolvedBlockerSummaries", or_empty(context, "unresolvedBlockerSummaries")},
          {"executionStage", stage.is_object() ? stage : json::value(nullptr)},
          {"continuationSummary", summary_of(facts.continuation_summary)},
          {"commentIds", std::move(id_list)},
          {"latestCommentId", ids.empty() ? json::value(nullptr) : json::value(ids.back())},
          {"comments", std::move(comments)},
          {"commentWindow",
           {{"requestedCount", static_cast<std::int64_t>(ids.size())},
            {"includedCount", included},
            {"missingCount", missing}}},
          {"truncated", truncated},
          {"fallbackFetchNeeded", truncated || missing > 0}};
}

}  // namespace paperclip::adapters
