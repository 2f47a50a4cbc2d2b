#include "domain/runs/run_projections.h"

#include <initializer_list>

#include "base/text.h"
#include "base/write_json.h"

namespace paperclip::domain {

namespace {

constexpr std::size_t largest_shown = 64 * 1024;
constexpr std::size_t short_text = 500, stream_text = 4096;

const json::value* present(const json::value& object, std::string_view key) {
  const auto* found = member(object, key);
  return found != nullptr && !found->is_null() ? found : nullptr;
}

void copy(JsonObjectWriter& writer, const json::value& from, std::string_view key) {
  if (const auto* found = present(from, key)) writer.field(key, *found);
}

// The first of several spellings.
void copy_first(JsonObjectWriter& writer, const json::value& from, std::string_view key, std::initializer_list<std::string_view> spellings) {
  for (auto spelling : spellings)
    if (const auto* found = present(from, spelling)) {
      writer.field(key, *found);
      return;
    }
}

}  // namespace

std::string listed_context(const json::value& context) {
  std::string out;
  JsonObjectWriter writer(out);
  bool any = false;
  for (std::string_view key : {"issueId", "taskId", "taskKey", "commentId", "wakeCommentId", "wakeReason", "wakeSource", "wakeTriggerDetail"})
    if (const auto* found = present(context, key)) {
      writer.field(key, *found);
      any = true;
    }
  writer.end();
  return any ? out : "null";
}

std::string listed_result(const json::value& result) {
  std::string out;
  JsonObjectWriter writer(out);
  bool any = false;
  for (std::string_view key : {"summary", "result", "message", "error"})
    if (const auto* found = present(result, key); found != nullptr && found->is_string() && !found->get_string().empty()) {
      writer.field(key, utf16_prefix(found->get_string(), short_text));
      any = true;
    }
  for (std::string_view key : {"total_cost_usd", "cost_usd", "costUsd"})
    if (const auto* found = present(result, key); found != nullptr && found->is_number()) {
      writer.field(key, *found);
      any = true;
    }
  writer.end();
  return any ? out : "null";
}

std::string shown_result(const RawJson& raw) {
  if (raw.text.size() <= largest_shown) return raw.is_null() ? "null" : raw.text;
  const auto result = raw.parse();
  std::string out;
  JsonObjectWriter writer(out);
  for (std::string_view key : {"summary", "result", "message", "error"})
    if (const auto* found = present(result, key); found != nullptr && found->is_string())
      writer.field(key, utf16_prefix(found->get_string(), short_text));
  for (std::string_view key : {"stdout", "stderr"})
    if (const auto* found = present(result, key); found != nullptr && found->is_string()) {
      const std::string_view text = found->get_string();
      writer.field(key, utf16_prefix(text, stream_text));
      writer.field(std::string(key) + "Truncated", text.size() > stream_text);
    }
  for (std::string_view key : {"costUsd", "cost_usd", "total_cost_usd"}) copy(writer, result, key);
  writer.field("truncated", true)
      .field("truncationReason", "oversized_result_json")
      .field("originalSizeBytes", raw.text.size())
      .end();
  return out;
}

std::string ledger_usage(const RawJson& raw) {
  if (raw.is_null()) return "null";
  const auto usage = raw.parse();
  std::string out;
  JsonObjectWriter writer(out);
  copy_first(writer, usage, "inputTokens", {"inputTokens", "input_tokens"});
  copy_first(writer, usage, "outputTokens", {"outputTokens", "output_tokens"});
  copy_first(writer, usage, "cachedInputTokens", {"cachedInputTokens", "cached_input_tokens", "cache_read_input_tokens"});
  copy_first(writer, usage, "billingType", {"billingType", "billing_type"});
  copy_first(writer, usage, "costUsd", {"costUsd", "cost_usd", "total_cost_usd"});
  writer.end();
  return out;
}

std::string ledger_result(const RawJson& raw) {
  if (raw.is_null()) return "null";
  const auto result = raw.parse();
  std::string out;
  JsonObjectWriter writer(out);
  copy_first(writer, result, "billingType", {"billingType", "billing_type"});
  copy_first(writer, result, "costUsd", {"costUsd", "cost_usd", "total_cost_usd"});
  for (std::string_view key : {"stopReason", "effectiveTimeoutSec", "effectiveTimeoutMs", "timeoutConfigured", "timeoutSource", "timeoutFired"})
    copy(writer, result, key);
  writer.end();
  return out;
}

}  // namespace paperclip::domain
