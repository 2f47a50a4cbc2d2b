#include "domain/wakeups/wake_context.h"

#include <algorithm>

#include "base/text.h"

namespace paperclip::domain {

namespace {

void fill(json::object& context, std::string_view key, const std::optional<std::string>& value) {
  if (!value || value->empty()) return;
  if (!context_text(context, key)) context[key] = *value;
}

void add_comment(std::vector<std::string>& batch, std::optional<std::string> id) {
  if (id && std::find(batch.begin(), batch.end(), *id) == batch.end()) batch.push_back(*std::move(id));
}

// The batch and its two scalars say the same; an older rendering of the wake is stale then.
void set_comments(json::object& context, const std::vector<std::string>& batch) {
  if (batch.empty()) return;
  json::array ids;
  for (const auto& id : batch) ids.emplace_back(id);
  context["wakeCommentIds"] = std::move(ids);
  context["commentId"] = batch.back();
  context["wakeCommentId"] = batch.back();
  context.erase("paperclipWake");
}

}  // namespace

std::optional<std::string> context_text(const json::object& context, std::string_view key) {
  const auto* value = context.if_contains(key);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  const auto text = trim(value->get_string());
  if (text.empty()) return std::nullopt;
  return std::string(text);
}

bool context_flag(const json::object& context, std::string_view key) {
  const auto* value = context.if_contains(key);
  return value != nullptr && value->is_bool() && value->get_bool();
}

std::optional<std::string> derive_task_key(const json::object& context, const json::object* payload) {
  for (const json::object* from : {&context, payload}) {
    if (from == nullptr) continue;
    for (std::string_view key : {"taskKey", "taskId", "issueId"})
      if (auto found = context_text(*from, key)) return found;
  }
  return std::nullopt;
}

std::vector<std::string> wake_comment_ids(const json::object& context) {
  std::vector<std::string> batch;
  if (const auto* list = context.if_contains("wakeCommentIds"); list != nullptr && list->is_array())
    for (const auto& item : list->get_array())
      if (item.is_string() && !trim(item.get_string()).empty()) add_comment(batch, std::string(trim(item.get_string())));
  if (!batch.empty()) return batch;
  auto single = context_text(context, "wakeCommentId");
  if (!single) single = context_text(context, "commentId");
  add_comment(batch, std::move(single));
  return batch;
}

json::object enrich_wake_context(const WakeRequest& request) {
  json::object context = request.context;
  static const json::object nothing;
  const json::object& payload = request.payload ? *request.payload : nothing;
  fill(context, "wakeReason", request.reason);
  fill(context, "issueId", context_text(payload, "issueId"));
  fill(context, "taskId", context_text(payload, "issueId"));
  fill(context, "taskKey", derive_task_key(context, &payload));
  fill(context, "commentId", context_text(payload, "commentId"));
  fill(context, "wakeSource", request.source);
  fill(context, "wakeTriggerDetail", request.trigger_detail);
  if (context_text(payload, "modelProfile") == "cheap") fill(context, "modelProfile", std::string("cheap"));
  auto batch = wake_comment_ids(context);
  add_comment(batch, context_text(payload, "commentId"));
  set_comments(context, batch);
  return context;
}

json::object merge_wake_context(const json::object& existing, const json::object& incoming) {
  json::object merged = existing;
  for (const auto& item : incoming) merged[item.key()] = item.value();
  auto batch = wake_comment_ids(existing);
  for (auto& id : wake_comment_ids(incoming)) add_comment(batch, std::move(id));
  set_comments(merged, batch);
  return merged;
}

bool is_interaction_reason(std::string_view reason) {
  return reason == "issue_commented" || reason == "issue_reopened_via_comment" || reason == "issue_comment_mentioned";
}

bool is_comment_wake(const json::object& context) {
  const auto reason = context_text(context, "wakeReason");
  return reason && is_interaction_reason(*reason) && !wake_comment_ids(context).empty();
}

}  // namespace paperclip::domain
