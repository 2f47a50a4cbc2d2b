#include "adapters/claude_local/stream.h"

#include "adapters/config.h"
#include "base/text.h"

namespace paperclip::adapters {

namespace {

constexpr std::size_t kept_text = 256u << 10;
constexpr std::size_t kept_other = 64u << 10;

void keep_tail(std::string& text, std::size_t limit) {
  if (text.size() > 2 * limit) text = std::string(utf8_tail(text, limit));
}

}  // namespace

ClaudeStream::ClaudeStream() : lines_([this](std::string_view line) { take_line(line); }) {}

void ClaudeStream::feed(std::string_view bytes) { lines_.feed(bytes); }

void ClaudeStream::finish() {
  lines_.finish();
  // A tool that prints one indented document instead of lines: the reference reads it as the result.
  if (transcript_.result || transcript_.other_lines.empty()) return;
  const auto whole = parse_json(transcript_.other_lines);
  if (whole.ok() && whole->is_object()) take_event(whole->get_object());
}

void ClaudeStream::take_line(std::string_view line) {
  const auto trimmed = trim(line);
  if (trimmed.starts_with('{')) {
    if (auto event = parse_json(trimmed); event.ok()) return take_event(event->get_object());
  }
  transcript_.other_lines.append(line).append("\n");
  keep_tail(transcript_.other_lines, kept_other);
}

void ClaudeStream::take_event(const json::object& event) {
  const std::string type = config_text(event, "type");
  if (type == "system" && config_text(event, "subtype") == "init") {
    transcript_.session_id = config_text(event, "session_id", transcript_.session_id);
    transcript_.model = config_text(event, "model", transcript_.model);
  } else if (type == "assistant") {
    take_assistant(event);
  } else if (type == "result") {
    transcript_.session_id = config_text(event, "session_id", transcript_.session_id);
    transcript_.result = event;
  }
}

void ClaudeStream::take_assistant(const json::object& event) {
  transcript_.session_id = config_text(event, "session_id", transcript_.session_id);
  transcript_.assistant_error = config_text(event, "error");
  const auto* content = config_object(event, "message").if_contains("content");
  if (content == nullptr || !content->is_array()) return;
  for (const auto& block : content->get_array()) {
    if (string_at(block, "type") != "text") continue;
    const auto text = string_at(block, "text").value_or("");
    if (text.empty()) continue;
    if (!transcript_.assistant_text.empty()) transcript_.assistant_text += "\n\n";
    transcript_.assistant_text += text;
  }
  keep_tail(transcript_.assistant_text, kept_text);
}

}  // namespace paperclip::adapters
