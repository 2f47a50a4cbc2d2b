#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "adapters/output.h"
#include "base/json.h"

/// The stream-json lines of the Claude command line (spec/adapters.md 4), as printed by 2.1.
namespace paperclip::adapters {

/// What of a run's output has a meaning to us.
struct ClaudeTranscript {
  std::string session_id;
  std::string model;
  std::string assistant_text;  // the texts of all messages, a blank line between them
  std::string
      assistant_error;  // `error` of the last message the tool made up itself: authentication_failed, rate_limit, …
  std::optional<json::object> result;  // the last result event
  std::string other_lines;             // stdout lines that are no events, the last 64 KiB
};

/// Collects a transcript line by line.
class ClaudeStream {
 public:
  ClaudeStream();
  void feed(std::string_view bytes);
  void finish();
  const ClaudeTranscript& transcript() const { return transcript_; }

 private:
  void take_line(std::string_view line);
  void take_event(const json::object& event);
  void take_assistant(const json::object& event);

  ClaudeTranscript transcript_;
  LineReader lines_;
};

}  // namespace paperclip::adapters
