#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "adapters/cli_output.h"
#include "base/json.h"

/// The stream-json lines of the Gemini command line, as printed by 0.61 and as the contract tells them (spec/adapters.md 7).
namespace paperclip::adapters {

/// What of a run's output has a meaning to us.
struct GeminiTranscript {
  std::string session_id;
  std::string model;
  std::string assistant_text;          // the texts of all messages, a blank line between them
  std::string last_message;            // what was said after the last tool was used
  std::string error;                   // the last error the tool told of
  Usage usage;                         // summed over the events that carry one
  std::optional<double> cost_usd;
  std::optional<json::object> result;  // the last result event
  std::string other_lines;             // stdout lines that are no events, the last 64 KiB
};

/// Collects a transcript line by line.
class GeminiStream {
 public:
  GeminiStream();
  void feed(std::string_view bytes) { lines_.feed(bytes); }
  void finish() { lines_.finish(); }
  const GeminiTranscript& transcript() const { return transcript_; }

 private:
  void take_line(std::string_view line);
  void take_event(const json::object& event);
  void take_message(const json::object& event);
  void take_result(const json::object& event);
  void say(std::string_view text, bool goes_on);

  GeminiTranscript transcript_;
  bool message_open_ = false;
  LineReader lines_;
};

/// Success or which failure, usage, cost, model and summary (spec/adapters.md 7, Errors).
CliVerdict judge_gemini_run(const GeminiTranscript& transcript, const CliEvidence& evidence);

}  // namespace paperclip::adapters
