#include "adapters/claude_local/outcome.h"

#include <algorithm>
#include <array>

#include "adapters/cli.h"
#include "adapters/config.h"
#include "adapters/text_signs.h"
#include "base/text.h"

namespace paperclip::adapters {

namespace {

using Pattern = std::string_view;

constexpr std::array<Pattern, 11> auth_signs = {
    "not logged in",           "please log in",   "please run claude login", "please run `claude login",
    "please run /login",       "login required",  "requires login",          "unauthorized",
    "authentication required", "invalid api key", "invalid x-api-key"};

constexpr std::array<Pattern, 24> transient_signs = {"rate~limit",
                                                     "rate_limit_error",
                                                     "too many requests",
                                                     "#429#",
                                                     "overloaded",
                                                     "service unavailable",
                                                     "#503#",
                                                     "#529#",
                                                     "high demand",
                                                     "try again later",
                                                     "temporarily unavailable",
                                                     "throttled",
                                                     "throttling",
                                                     "servicequotaexceededexception",
                                                     "out of extra usage",
                                                     "extra usage#",
                                                     "5~hour limit reached",
                                                     "weekly limit reached",
                                                     "usage limit reached",
                                                     "usage cap reached",
                                                     "hit your limit",
                                                     "hit your usage limit",
                                                     "limit will reset",
                                                     "session limit reached"};

constexpr std::array<Pattern, 3> unknown_session_signs = {"no conversation found with session id", "unknown session",
                                                          "session * not found"};

constexpr std::array max_turn_words = {"max_turns", "max_turns_exhausted", "turn_limit", "turn_limit_exhausted"};

std::string error_list(const json::object& result) {
  std::string out;
  const auto* errors = result.if_contains("errors");
  if (errors == nullptr || !errors->is_array()) return out;
  for (const auto& error : errors->get_array()) {
    std::string text;
    if (error.is_string())
      text = std::string(error.get_string());
    else
      text = string_at(error, "message").value_or(string_at(error, "error").value_or(""));
    if (!text.empty()) (out += out.empty() ? "" : "\n") += text;
  }
  return out;
}

bool ran_out_of_turns(const json::object& result) {
  if (config_text(result, "subtype") == "error_max_turns") return true;
  for (auto key : {"stop_reason", "stopReason", "error_code", "errorCode", "terminal_reason"}) {
    const std::string word = lower(trim(config_text(result, key)));
    if (std::find(max_turn_words.begin(), max_turn_words.end(), word) != max_turn_words.end()) return true;
  }
  return false;
}

// The texts in which a failure explains itself. The transcript proper is not among them: an agent may well write about
// logins and rate limits.
std::string explanations(const ClaudeEvidence& e) {
  std::string out;
  if (e.transcript.result) {
    out += config_text(*e.transcript.result, "result") + "\n";
    out += error_list(*e.transcript.result) + "\n";
  }
  out.append(e.transcript.other_lines).append("\n").append(e.run.err);
  return out;
}

int api_status(const ClaudeTranscript& t) {
  return t.result ? static_cast<int>(config_number(*t.result, "api_error_status")) : 0;
}

bool needs_login(const ClaudeEvidence& e, std::string_view said) {
  return e.transcript.assistant_error == "authentication_failed" || api_status(e.transcript) == 401 ||
         mentions(said, auth_signs);
}

bool is_transient(const ClaudeEvidence& e, std::string_view said) {
  const int status = api_status(e.transcript);
  return status == 429 || status >= 500 || mentions(said, transient_signs);
}

std::string failure_message(const ClaudeEvidence& e) {
  const json::object& result = *e.transcript.result;
  std::string detail(trim(config_text(result, "result")));
  if (detail.empty()) detail = first_line(error_list(result));
  std::string message = "Claude run failed";
  if (const auto subtype = config_text(result, "subtype"); !subtype.empty()) message += ": subtype=" + subtype;
  if (!detail.empty()) message += ": " + detail;
  return message;
}

std::string no_result_message(const ClaudeEvidence& e) {
  if (!e.run.exit.code && !e.run.exit.signal.empty()) return "Claude was ended by signal " + e.run.exit.signal;
  const int code = e.run.exit.code.value_or(-1);
  if (code == 0) return "Failed to parse claude JSON output";
  const std::string reason = first_line(e.run.err);
  return "Claude exited with code " + std::to_string(code) + (reason.empty() ? "" : ": " + reason);
}

void name_failure(AdapterResult& result, const ClaudeEvidence& e) {
  const std::string said = explanations(e);
  const bool turns = e.transcript.result && ran_out_of_turns(*e.transcript.result);
  if (needs_login(e, said)) {
    result.error_code = "claude_auth_required";
    if (const auto url = login_url(said); !url.empty()) result.error_meta = json::value{{"loginUrl", url}};
  } else if (turns) {
    result.error_code = "max_turns_exhausted";
  } else if (!is_unknown_claude_session(e.transcript) && is_transient(e, said)) {
    result.error_code = "claude_transient_upstream";
    result.error_family = "transient_upstream";
    result.retry_not_before = usage_limit_reset(said, e.run.now);
  }
}

void add_marks(AdapterResult& result) {
  json::object& marked = result.result.get_object();
  if (result.error_code == "max_turns_exhausted") marked["stopReason"] = result.error_code;
  if (!result.error_family.empty()) marked["errorFamily"] = result.error_family;
  if (!result.retry_not_before) return;
  marked["retryNotBefore"] = to_iso(*result.retry_not_before);
  marked["transientRetryNotBefore"] = to_iso(*result.retry_not_before);
}

Usage usage_of(const json::object& result) {
  const json::object& usage = config_object(result, "usage");
  const auto tokens = [&](std::string_view key) { return static_cast<std::int64_t>(config_number(usage, key)); };
  return {tokens("input_tokens"), tokens("cache_read_input_tokens"), tokens("output_tokens"), false};
}

}  // namespace

bool is_unknown_claude_session(const ClaudeTranscript& transcript) {
  if (!transcript.result) return false;
  return mentions(config_text(*transcript.result, "result") + "\n" + error_list(*transcript.result),
                  unknown_session_signs);
}

AdapterResult judge_claude_run(const ClaudeEvidence& e) {
  AdapterResult result;
  if (judge_exit(result, e.run)) return result;
  if (!e.transcript.result) {
    result.error_message = no_result_message(e);
    result.result = json::value{{"stdout", e.run.out}, {"stderr", e.run.err}};
    name_failure(result, e);
    add_marks(result);
    return result;
  }
  const json::object& event = *e.transcript.result;
  result.result = event;
  result.usage = usage_of(event);
  if (const auto* cost = event.if_contains("total_cost_usd"); cost != nullptr && cost->is_number())
    result.billing.cost_usd = config_number(event, "total_cost_usd");
  result.billing.model = e.transcript.model.empty() ? config_text(event, "model") : e.transcript.model;
  result.summary = std::string(trim(config_text(event, "result")));
  if (result.summary.empty()) result.summary = std::string(trim(e.transcript.assistant_text));
  if (ran_out_of_turns(event)) result.clear_session = true;
  // With the result on stdout a signal is our own clean-up of a process that lingered.
  if (e.run.exit.code.value_or(0) == 0 && !config_flag(event, "is_error", false)) return result;
  result.error_message = failure_message(e);
  name_failure(result, e);
  add_marks(result);
  return result;
}

std::string login_url(std::string_view text) {
  std::string first;
  for (std::size_t at = text.find("http"); at != std::string_view::npos; at = text.find("http", at + 4)) {
    const auto rest = text.substr(at);
    if (!rest.starts_with("http://") && !rest.starts_with("https://")) continue;
    auto url = rest.substr(0, rest.find_first_of(" \t\r\n\"'`<>()[]{}"));
    while (url.ends_with('.') || url.ends_with(',') || url.ends_with(';') || url.ends_with('!')) url.remove_suffix(1);
    const std::string folded = lower(url);
    for (auto word : {"claude", "anthropic", "auth"})
      if (folded.find(word) != std::string::npos) return std::string(url);
    if (first.empty()) first = url;
  }
  return first;
}

}  // namespace paperclip::adapters
