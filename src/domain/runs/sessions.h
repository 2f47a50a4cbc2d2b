#pragma once

#include <optional>
#include <string>

#include "base/fields.h"
#include "domain/runs/agent_state.h"
#include "domain/runs/run_states.h"
#include "domain/wakeups/heartbeat_policy.h"
#include "domain/wakeups/invokable.h"
#include "store/transaction.h"

/// What an agent's tool remembers between runs, kept per task (spec/execution.md 15).
namespace paperclip::domain {

std::optional<AgentTaskSession> find_task_session(store::Reader& reader, const WakeAgent& agent, const std::string& task_key);

/// The display id of the session a new run would go on from (spec/execution.md 4.1.4).
std::optional<std::string> session_before(store::Reader& reader, const WakeAgent& agent, const json::object& context,
                                          const std::optional<std::string>& task_key);

/// The session another run left, for a wake that names that run.
struct ResumedRun {
  std::optional<std::string> display_id;
  std::optional<json::object> params;
  json::object context;
};
/// Nothing if the run is not one of this agent's.
std::optional<ResumedRun> session_to_resume(store::Reader& reader, const WakeAgent& agent, RunId run);

/// What a run starts with.
struct SessionChoice {
  std::optional<std::string> task_key;
  std::optional<std::string> session_id, display_id;
  std::optional<json::object> params;
  bool from_task_session = false;
  /// Why a saved session was not used, for the log; empty if it was, or there was no reason not to.
  std::string reset_reason;
  /// Why the session was given up for a fresh one; empty if it was not.
  std::string rotation_reason;
  std::optional<std::string> previous_session_id;  // of a rotation
};
/// Resume, reset and rotation rules in one place (spec/execution.md 6.5, 6.9, 15.2, 15.4).
SessionChoice choose_session(store::Reader& reader, const WakeAgent& agent, const json::object& context,
                             const json::value& runtime_config);

/// What the adapter said about the session after a run: absent keeps what was there.
struct SessionReport {
  Patch<std::string> session_id;
  Patch<json::object> params;
  Patch<std::string> display_id;
  bool clear = false;
};
struct SessionAfter {
  std::optional<std::string> session_id, display_id;
  std::optional<json::object> params;
};
/// The session as it is after the run.
SessionAfter session_after(const SessionChoice& before, const SessionReport& report);
/// Stores it for the task, or forgets it when there is none.
void store_session(store::Transaction& tx, const WakeAgent& agent, RunId run, const std::optional<std::string>& task_key,
                   const SessionAfter& after, const std::optional<std::string>& error);

}  // namespace paperclip::domain
