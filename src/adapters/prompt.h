#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "adapters/run.h"
#include "adapters/wake_payload.h"

/// The texts a prompt is made of (spec/execution.md 9). Skills and people's instructions refer to the headings and
/// bullet labels in here: they are part of the wire.
namespace paperclip::adapters {

/// What an agent without `promptTemplate` is told at each heartbeat.
std::string_view default_heartbeat_template();

/// `## Paperclip Wake Payload`, or `## Paperclip Resume Delta` when a session is resumed (spec/execution.md 9.3).
std::string wake_prompt(const WakePayload& payload, bool resumed);

/// The shortest fence of backticks (at least three) that no run of backticks in the text can close.
std::string fence_for(std::string_view text);

/// The task as data (spec/execution.md 9.4): identifier and title quoted, description and the latest wake comment
/// fenced, preceded by the warning that people wrote it. Empty without an issue.
std::string task_markdown(const json::object& issue, const std::optional<json::object>& wake_comment);

/// What a session that follows another is told (spec/execution.md 9.5).
struct SessionHandoff {
  std::string previous_session;
  std::string issue;
  std::string rotation_reason;
  std::string last_run_summary;
  std::string continuation_summary;
};
std::string session_handoff_markdown(const SessionHandoff& handoff);

/// The sections every command line agent shares, rendered for this run.
struct PromptParts {
  std::string bootstrap;  // empty when a session is resumed
  std::string wake;
  std::string session_handoff;
  std::string task;
  std::string heartbeat;  // empty when a session is resumed and the wake section says enough
};
PromptParts prompt_parts(const RunContext& run, bool resumed);

/// Lengths in characters, for `promptMetrics` of the invocation event.
json::object prompt_metrics(const PromptParts& parts, std::string_view prompt, std::string_view instructions);

}  // namespace paperclip::adapters
