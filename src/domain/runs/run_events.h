#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "domain/runs/run_states.h"
#include "store/transaction.h"

/// What happened to a run, for people to read and clients to page through (spec/execution.md 1.2, 11, 12).
namespace paperclip::domain {

/// Names a run where its events are written.
struct RunIdentity {
  RunId id;
  CompanyId company_id;
  AgentId agent_id;
};

struct RunEventEntry {
  std::string_view event_type = "lifecycle";  // lifecycle | adapter.invoke | error
  std::string_view level = "info";            // info | warn | error
  std::string message;
  /// Bounded and redacted before it is stored; null for none.
  json::value payload = nullptr;
};

/// Appends with the run's next sequence number (OURS: unique per run) and emits `heartbeat.run.event`.
void append_run_event(store::Transaction& tx, const RunIdentity& run, RunEventEntry entry);

/// Strings, lists and depth cut to what an event may hold.
json::value bounded(const json::value& payload);

/// Emits `heartbeat.run.status` with the run's row as it is in this transaction.
void emit_run_status(store::Transaction& tx, RunId run);
/// Emits `heartbeat.run.queued`: the engine looks at the agent's queue.
void emit_run_queued(store::Transaction& tx, const HeartbeatRun& run);
/// Emits `agent.status`.
void emit_agent_status(store::Transaction& tx, CompanyId company, AgentId agent, std::string_view status,
                       std::string_view outcome, std::optional<Timestamp> last_heartbeat_at = std::nullopt);

}  // namespace paperclip::domain
