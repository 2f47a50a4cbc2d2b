#pragma once

#include <chrono>

#include "base/json.h"

/// What an agent's `runtimeConfig` says about its heartbeats (spec/execution.md 4.1.8, 15.4, 18.2).
namespace paperclip::domain {

struct HeartbeatPolicy {
  bool enabled = false;                      // timer wakes
  std::chrono::seconds interval{0};          // 0: no timer
  bool wake_on_demand = true;                // every other wake
  int max_concurrent_runs = 20;              // 1..50
};

/// The strict reading that wakes follow: only a JSON boolean enables the timer.
HeartbeatPolicy heartbeat_policy(const json::value& runtime_config);

/// The reading of the scheduler's list, where "true", 1 and the like enable too.
bool heartbeat_enabled_leniently(const json::value& runtime_config);

/// How often, and how soon, a run that used up its turns is continued.
struct MaxTurnContinuation {
  bool enabled = true;
  int max_attempts = 2;                      // 0..10
  std::chrono::milliseconds delay{1000};     // 0..300000
};
MaxTurnContinuation max_turn_continuation(const json::value& runtime_config);

/// When a session is given up for a fresh one; 0 means never. A disabled policy has `enabled` false.
struct SessionCompaction {
  bool enabled = false;
  std::int64_t max_runs = 0;
  std::int64_t max_raw_input_tokens = 0;
  double max_age_hours = 0;
};
/// The agent's settings over its adapter's defaults, field by field; numbers and booleans may be written as text.
SessionCompaction session_compaction(std::string_view adapter_type, const json::value& runtime_config);

}  // namespace paperclip::domain
