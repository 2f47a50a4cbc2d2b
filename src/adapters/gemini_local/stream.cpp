#include "adapters/gemini_local/stream.h"

#include "adapters/config.h"
#include "base/text.h"

namespace paperclip::adapters {

namespace {

constexpr std::size_t kept_text = 256u << 10;
constexpr std::size_t kept_other = 64u << 10;

void keep_tail(std::string& text, std::size_t limit) {
  if (text.size() > 2 * limit) text = std::string(utf8_tail(text, limit));
}

std::string first_text(const json::object& object, std::initializer_list<std::string_view> keys) {
  for (auto key : keys)
    if (auto text = config_text(object, key); !text.empty()) return text;
  return {};
}

std::int64_t first_number(const json::object& object, std::initializer_list<std::string_view> keys) {
  for (auto key : keys)
    if (const auto* value = object.if_contains(key); value != nullptr && value->is_number())
      return static_cast<std::int64_t>(config_number(object, key));
  return 0;
}

/// An error may be a text, or an object that holds one, however deep.
std::string error_text(const json::value& error) {
  if (error.is_string()) return std::string(error.get_string());
  if (!error.is_object()) return {};
  for (auto key : {"message", "error", "detail", "code"})
    if (const auto* inner = error.get_object().if_contains(key))
      if (auto text = error_text(*inner); !text.empty()) return text;
  return {};
}

/// The text of a message: a string, or parts of which some are text.
std::string message_text(const json::value& message) {
  if (message.is_string()) return std::string(message.get_string());
  if (message.is_object()) {
    for (auto key : {"content", "text"})
      if (const auto* inner = message.get_object().if_contains(key))
        if (auto text = message_text(*inner); !text.empty()) return text;
    return {};
  }
  std::string out;
  if (!message.is_array()) return out;
  for (const auto& part : message.get_array()) {
    const auto type = string_at(part, "type").value_or("");
    if (!type.empty() && type != "text" && type != "output_text" && type != "content") continue;
    if (const auto text = message_text(part); !text.empty()) (out += out.empty() ? "" : "\n\n") += text;
  }
  return out;
}

void add_usage(GeminiTranscript& t, const json::object& from) {
  t.usage.input_tokens += first_number(from, {"input_tokens", "inputTokens", "promptTokenCount"});
  t.usage.cached_input_tokens +=
      first_number(from, {"cached_input_tokens", "cachedInputTokens", "cachedContentTokenCount", "cached"});
  t.usage.output_tokens += first_number(from, {"output_tokens", "outputTokens", "candidatesTokenCount"});
}

/// The model that did most of the work: `auto` chooses among several.
std::string busiest_model(const json::object& stats) {
  std::string busiest;
  std::int64_t most = 0;
  for (const auto& item : config_object(stats, "models")) {
    if (!item.value().is_object()) continue;
    const auto tokens = first_number(item.value().get_object(), {"total_tokens"});
    if (tokens <= most) continue;
    most = tokens;
    busiest = item.key();
  }
  return busiest;
}

}  // namespace

GeminiStream::GeminiStream() : lines_([this](std::string_view line) { take_line(line); }) {}

void GeminiStream::take_line(std::string_view line) {
  const auto trimmed = trim(line);
  if (trimmed.starts_with('{')) {
    if (auto event = parse_json(trimmed); event.ok()) return take_event(event->get_object());
  }
  transcript_.other_lines.append(line).append("\n");
  keep_tail(transcript_.other_lines, kept_other);
}

void GeminiStream::take_event(const json::object& event) {
  const std::string type = config_text(event, "type");
  if (auto id = first_text(event, {"session_id", "sessionId", "sessionID", "checkpoint_id", "thread_id"}); !id.empty())
    transcript_.session_id = std::move(id);
  if (type == "init") transcript_.model = config_text(event, "model", transcript_.model);
  if (type == "message" || type == "assistant" || type == "text") take_message(event);
  if (type == "tool_use" || type == "tool_result") message_open_ = false;
  if (type == "error" && config_text(event, "severity") != "warning") {
    if (auto text = error_text(json::value(event)); !text.empty()) transcript_.error = std::move(text);
  }
  if (type == "system" && config_text(event, "subtype") == "error") transcript_.error = error_text(json::value(event));
  if (type == "result") return take_result(event);
  for (auto key : {"usage", "usageMetadata"}) add_usage(transcript_, config_object(event, key));
}

void GeminiStream::take_message(const json::object& event) {
  const std::string type = config_text(event, "type");
  if (type == "message" && config_text(event, "role") != "assistant") {
    message_open_ = false;
    return;
  }
  const auto* part = event.if_contains(type == "text" ? "part" : "message");
  const std::string text = message_text(part != nullptr ? *part : json::value(event));
  if (!text.empty()) say(text, config_flag(event, "delta", false));
}

void GeminiStream::say(std::string_view text, bool goes_on) {
  GeminiTranscript& t = transcript_;
  const bool appended = goes_on && message_open_;
  if (!appended) {
    if (!t.assistant_text.empty()) t.assistant_text += "\n\n";
    t.last_message.clear();
  }
  t.assistant_text += text;
  t.last_message += text;
  message_open_ = goes_on;
  keep_tail(t.assistant_text, kept_text);
  keep_tail(t.last_message, kept_text);
}

void GeminiStream::take_result(const json::object& event) {
  GeminiTranscript& t = transcript_;
  t.result = event;
  for (auto key : {"usage", "usageMetadata", "stats"}) add_usage(t, config_object(event, key));
  for (auto key : {"total_cost_usd", "cost_usd", "cost"})
    if (const auto* cost = event.if_contains(key); cost != nullptr && cost->is_number() && !t.cost_usd)
      t.cost_usd = config_number(event, key);
  if (auto model = busiest_model(config_object(event, "stats")); !model.empty()) t.model = std::move(model);
  if (const auto* error = event.if_contains("error"))
    if (auto text = error_text(*error); !text.empty()) t.error = std::move(text);
}

}  // namespace paperclip::adapters
