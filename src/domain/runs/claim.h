#pragma once

#include <vector>

#include "domain/runs/run_setup.h"
#include "store/transaction.h"

/// From queued to running (spec/execution.md 5, 6 steps 0–10): one transaction decides which of an agent's queued runs
/// start, and gives them everything that is a row: their issue, their place, their first event.
namespace paperclip::domain {

struct ClaimOptions {
  /// How many more runs this machine takes.
  int free_slots = 1;
  ProfileDefaults profiles;
  /// Whether our adapter of that type can work in a remote place; without it, whether the contract says so.
  std::function<bool(std::string_view adapter_type)> runs_remotely;
  /// The engine can carry runs into places other than this machine.
  bool remote_places = false;
};

struct Claims {
  std::vector<RunSetup> runs;
  /// Runs stayed queued only because the machine is full.
  bool machine_full = false;
};

/// Claims as many queued runs of the agent as its limit and the machine's allow, most urgent first. A run that a gate
/// refuses is cancelled and takes no slot; one whose set-up fails ends as failed.
Claims claim_queued_runs(store::Transaction& tx, AgentId agent, const ClaimOptions& options);

/// What is known only when the command is ready (spec/execution.md 6 steps 6–13).
struct StartFacts {
  json::object context;  // keys to set on the run's context
  json::object lease_metadata;
  json::value invocation = nullptr;  // payload of `adapter.invoke`
  std::string log_ref;
};
/// The last word before the process starts. 409 when the run was cancelled meanwhile or is in other hands.
Result<> record_start(store::Transaction& tx, const RunSetup& setup, const StartFacts& facts);

/// A run that was claimed but never started a process goes back into the queue (after a restart of the server).
void requeue_unstarted(store::Transaction& tx, RunId run);

}  // namespace paperclip::domain
