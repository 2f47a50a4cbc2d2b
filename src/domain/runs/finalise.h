#pragma once

#include <optional>
#include <string>

#include "domain/runs/run_states.h"
#include "domain/runs/sessions.h"
#include "domain/runs/usage.h"
#include "store/transaction.h"

/// The end of a run: everything that follows from it, in one transaction (spec/execution.md 13, 16.3, 17, 18).
namespace paperclip::domain {

/// How far the output of a run has come.
struct OutputProgress {
  std::optional<Timestamp> at;
  int seq = 0;
  std::optional<OutputStream> stream;
  std::int64_t bytes = 0;
};

/// What is known once the process (or the call) is over.
struct RunReport {
  std::optional<int> exit_code;
  std::optional<std::string> signal;
  bool timed_out = false;
  std::string error_message, error_code, error_family;  // empty: none
  std::optional<Timestamp> retry_not_before;
  /// The run failed around the adapter, not in it: an `error` event tells so instead of the closing one.
  bool broke = false;
  /// The process is gone and nobody knows how it ended.
  bool lost = false;
  /// The tool's configuration of time (spec/execution.md 13.4).
  double timeout_seconds = 0;
  bool timeout_configured = false;
  std::optional<std::int64_t> timeout_ms;  // http only
  UsageReport usage;
  SessionChoice session_before;
  SessionReport session;
  json::value result = nullptr;
  std::string summary;
  json::value model_profile = nullptr;
  // The log
  std::optional<std::int64_t> log_bytes;
  std::optional<std::string> log_ref;  // of a run that ended before its start was recorded, too
  std::optional<std::string> log_sha256, stdout_excerpt, stderr_excerpt;
  OutputProgress progress;
};

struct Finalised {
  RunStatus status = RunStatus::failed;
  /// Agents with queued runs that may be able to start now: the run's own, and those that waited for its issue.
  std::vector<AgentId> waiting_agents;
};

/// Ends a claimed run. A run that was cancelled meanwhile keeps that outcome and gets what the report adds. 409 when the
/// run is in other hands by now (`fence`), or was ended before.
Result<Finalised> finalise_run(store::Transaction& tx, RunId run, std::int64_t fence, const RunReport& report);

/// Notes how far the output has come, now and then (spec/execution.md 11).
void record_output_progress(store::Transaction& tx, RunId run, std::int64_t fence, const OutputProgress& progress);

/// Sets the agent's status after one of its runs ended (spec/execution.md 2.3).
void settle_agent(store::Transaction& tx, CompanyId company, AgentId agent, RunStatus outcome);

/// `resultJson`'s word for why a run stopped.
std::string stop_reason(RunStatus status, const std::optional<std::string>& error, const std::optional<std::string>& error_code, const json::value& result);

}  // namespace paperclip::domain
