#include "domain/wakeups/heartbeat_policy.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "base/text.h"

namespace paperclip::domain {

namespace {

std::optional<double> number(const json::value* value) {
  if (value == nullptr || !value->is_number()) return std::nullopt;
  const double n = value->to_number<double>();
  return std::isfinite(n) ? std::optional(n) : std::nullopt;
}

std::optional<double> lenient_number(const json::value* value) {
  if (auto plain = number(value)) return plain;
  if (value == nullptr || !value->is_string()) return std::nullopt;
  const auto text = trim(value->get_string());
  double n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || !std::isfinite(n)) return std::nullopt;
  return n;
}

std::optional<bool> lenient_bool(const json::value* value) {
  if (value == nullptr) return std::nullopt;
  if (value->is_bool()) return value->get_bool();
  if (auto n = number(value)) return *n != 0;
  if (!value->is_string()) return std::nullopt;
  const std::string word = lower(trim(value->get_string()));
  if (word == "true" || word == "1" || word == "yes" || word == "on") return true;
  if (word == "false" || word == "0" || word == "no" || word == "off") return false;
  return std::nullopt;
}

std::int64_t whole(double value, double low, double high) {
  return static_cast<std::int64_t>(std::floor(std::clamp(value, low, high)));
}

const json::value* object_at(const json::value& value, std::string_view path) {
  const auto* found = find_path(value, path);
  return found != nullptr && found->is_object() ? found : nullptr;
}

}  // namespace

HeartbeatPolicy heartbeat_policy(const json::value& runtime_config) {
  HeartbeatPolicy policy;
  const auto* heartbeat = object_at(runtime_config, "heartbeat");
  if (heartbeat == nullptr) return policy;
  const auto* enabled = member(*heartbeat, "enabled");
  policy.enabled = enabled != nullptr && enabled->is_bool() && enabled->get_bool();
  if (auto interval = number(member(*heartbeat, "intervalSec")))
    policy.interval = std::chrono::seconds(whole(*interval, 0, 1e9));
  // Four names of one switch; the first that is there decides.
  for (std::string_view key : {"wakeOnDemand", "wakeOnAssignment", "wakeOnOnDemand", "wakeOnAutomation"}) {
    const auto* value = member(*heartbeat, key);
    if (value == nullptr || value->is_null()) continue;
    policy.wake_on_demand = !value->is_bool() || value->get_bool();
    break;
  }
  if (auto most = number(member(*heartbeat, "maxConcurrentRuns")))
    policy.max_concurrent_runs = static_cast<int>(whole(*most, 1, 50));
  return policy;
}

bool heartbeat_enabled_leniently(const json::value& runtime_config) {
  const auto* enabled = find_path(runtime_config, "heartbeat.enabled");
  return lenient_bool(enabled).value_or(false);
}

MaxTurnContinuation max_turn_continuation(const json::value& runtime_config) {
  MaxTurnContinuation policy;
  const auto* given = object_at(runtime_config, "heartbeat.maxTurnContinuation");
  if (given == nullptr) return policy;
  if (const auto* enabled = member(*given, "enabled"); enabled != nullptr && enabled->is_bool())
    policy.enabled = enabled->get_bool();
  if (auto attempts = number(member(*given, "maxAttempts"))) policy.max_attempts = static_cast<int>(whole(*attempts, 0, 10));
  if (auto delay = number(member(*given, "delayMs"))) policy.delay = std::chrono::milliseconds(whole(*delay, 0, 300000));
  return policy;
}

SessionCompaction session_compaction(std::string_view adapter_type, const json::value& runtime_config) {
  SessionCompaction policy;
  for (std::string_view type : {"acpx_local", "claude_local", "codex_local", "hermes_local"})
    if (adapter_type == type) policy = {true, 0, 0, 0};  // the tool compacts by itself
  for (std::string_view type : {"cursor", "gemini_local", "opencode_local", "pi_local"})
    if (adapter_type == type) policy = {true, 200, 2'000'000, 72};
  const json::value* given = nullptr;
  for (std::string_view path : {"heartbeat.sessionCompaction", "heartbeat.sessionRotation", "sessionCompaction"})
    if (given == nullptr) given = object_at(runtime_config, path);
  if (given == nullptr) return policy;
  if (auto enabled = lenient_bool(member(*given, "enabled"))) policy.enabled = *enabled;
  if (auto n = lenient_number(member(*given, "maxSessionRuns"))) policy.max_runs = whole(*n, 0, 1e15);
  if (auto n = lenient_number(member(*given, "maxRawInputTokens"))) policy.max_raw_input_tokens = whole(*n, 0, 1e15);
  if (auto n = lenient_number(member(*given, "maxSessionAgeHours"))) policy.max_age_hours = std::max(0.0, *n);
  return policy;
}

}  // namespace paperclip::domain
