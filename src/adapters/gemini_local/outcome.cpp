#include <algorithm>
#include <array>

#include "adapters/config.h"
#include "adapters/gemini_local/stream.h"
#include "adapters/text_signs.h"
#include "base/text.h"

// What a Gemini run's output means.
namespace paperclip::adapters {

namespace {

using Pattern = std::string_view;

// The last three are what 0.61 says.
constexpr std::array<Pattern, 19> auth_signs = {"not authenticated",      "please authenticate",
                                                "api_key required",       "api_key missing",
                                                "api_key invalid",        "api key required",
                                                "api key missing",        "api key invalid",
                                                "apikey required",        "apikey missing",
                                                "authentication required", "unauthorized",
                                                "invalid credentials",    "not logged in",
                                                "login required",         "run gemini auth",
                                                "api key not valid",      "please set an auth method",
                                                "invalid auth method"};

// The last three are what 0.61 says.
constexpr std::array<Pattern, 9> unknown_session_signs = {
    "unknown session", "session * not found",    "resume * not found",         "checkpoint * not found",      "cannot resume",
    "failed to resume", "error resuming session", "invalid session identifier", "no previous sessions found"};

constexpr std::array turn_words = {"turn_limit", "max_turns", "max_turns_exhausted", "turn_limit_exhausted", "fatalturnlimitederror"};

// What the tool's own exit codes say (its documentation, and seen with 0.61).
constexpr int exit_not_authenticated = 41, exit_turn_limit = 53;

// Printed by every run; the reason of a failure comes after.
constexpr std::array<Pattern, 9> chatter = {"Warning:",          "YOLO mode is enabled", "Ripgrep is not available", "[STARTUP]",
                                            "Approval mode overridden", "Loaded cached credentials", "Data collection is disabled",
                                            "Skill \"",          "(node:"};

std::string telling_line(std::string_view err) {
  for (const auto& line : split(err, '\n')) {
    const auto text = trim(line);
    if (!text.empty() && std::none_of(chatter.begin(), chatter.end(), [&](Pattern begin) { return text.starts_with(begin); }))
      return std::string(text);
  }
  return first_line(err);
}

// The texts in which a failure explains itself; the agent's own words are not among them.
std::string explanations(const GeminiTranscript& t, const CliEvidence& e) {
  std::string out = t.error + "\n";
  if (t.result)
    for (auto key : {"result", "status", "message"}) out += config_text(*t.result, key) + "\n";
  return out.append(t.other_lines).append("\n").append(e.err);
}

bool ran_out_of_turns(const GeminiTranscript& t, const CliEvidence& e) {
  if (e.exit.code == exit_turn_limit) return true;
  if (!t.result) return false;
  const auto is_turn_word = [](const std::string& text) {
    const std::string word = lower(trim(text));
    return std::find(turn_words.begin(), turn_words.end(), word) != turn_words.end();
  };
  for (auto key : {"status", "stopReason", "stop_reason", "errorCode", "error_code"})
    if (is_turn_word(config_text(*t.result, key))) return true;
  return is_turn_word(config_text(config_object(*t.result, "error"), "type"));
}

bool calls_itself_failed(const GeminiTranscript& t) {
  return t.result && (config_flag(*t.result, "is_error", false) || config_text(*t.result, "status") == "error");
}

std::string failure_message(const GeminiTranscript& t, const CliEvidence& e) {
  if (!t.error.empty()) return std::string(trim(t.error));
  if (t.result) {
    std::string detail;
    for (auto key : {"result", "text", "response", "message"})
      if (detail.empty()) detail = std::string(trim(config_text(*t.result, key)));
    const std::string status = config_text(*t.result, "status", config_text(*t.result, "subtype"));
    if (!status.empty() || !detail.empty())
      return "Gemini run failed" + (status.empty() ? "" : ": status=" + status) + (detail.empty() ? "" : ": " + detail);
  }
  if (const auto line = telling_line(e.err); !line.empty()) return line;
  if (!e.exit.code && !e.exit.signal.empty()) return "Gemini was ended by signal " + e.exit.signal;
  return "Gemini exited with code " + std::to_string(e.exit.code.value_or(-1));
}

std::string summary_of(const GeminiTranscript& t) {
  // Ours: where the tool tells its messages apart from its work, what it said at the end is the summary.
  std::string summary(trim(t.last_message));
  for (auto key : {"result", "text", "response"})
    if (t.result && summary.empty()) summary = std::string(trim(config_text(*t.result, key)));
  return summary;
}

}  // namespace

CliVerdict judge_gemini_run(const GeminiTranscript& t, const CliEvidence& e) {
  CliVerdict verdict;
  verdict.session_id = t.session_id;
  AdapterResult& result = verdict.result;
  const std::string said = explanations(t, e);
  const bool needs_login = e.exit.code == exit_not_authenticated || mentions(said, auth_signs);
  if (judge_exit(result, e)) {
    if (result.timed_out && needs_login) result.error_code = "gemini_auth_required";
    return verdict;
  }
  result.usage = t.usage;
  result.billing.model = t.model;
  result.billing.cost_usd = t.cost_usd;
  result.summary = summary_of(t);
  if (t.result)
    result.result = *t.result;
  else
    result.result = json::value{{"stdout", e.out}, {"stderr", e.err}};
  // Ours: a tool that ends its stream with an error has failed, whatever a wrapper around it made of its exit code.
  const bool failed = !e.exit.signal.empty() || e.exit.code.value_or(0) != 0 || calls_itself_failed(t);
  if (!failed) return verdict;
  result.error_message = failure_message(t, e);
  verdict.session_unknown = mentions(said, unknown_session_signs);
  if (ran_out_of_turns(t, e)) {
    result.error_code = "max_turns_exhausted";
    result.clear_session = true;
    result.result.get_object()["stopReason"] = result.error_code;
  } else if (needs_login) {
    result.error_code = "gemini_auth_required";
  }
  return verdict;
}

}  // namespace paperclip::adapters
