#pragma once

#include <string>

#include "domain/runs/run_states.h"
#include "domain/access/scope.h"
#include "store/transaction.h"

/// Ending runs from outside (spec/execution.md 21). The row changes first; the engine, which the emitted
/// `heartbeat.run.status` reaches, then ends the process and accounts for it. Until that is done a running run keeps its
/// lease, so that nothing else starts on its issue.
namespace paperclip::domain {

inline constexpr const char* cancelled_by_control_plane = "Cancelled by control plane";
inline constexpr const char* cancelled_by_pause = "Cancelled due to agent pause";
inline constexpr const char* cancelled_by_budget = "Cancelled due to budget pause";

/// The run as it is afterwards; one that is over already is returned unchanged. 404 `Heartbeat run not found`.
Result<HeartbeatRun> cancel_run(store::Transaction& tx, const CompanyScope& scope, RunId run, const std::string& reason = cancelled_by_control_plane);

/// The same for the server's own rules.
void cancel_run_row(store::Transaction& tx, const StoredRun& run, const std::string& reason, const std::string& error_code = "cancelled");

/// Which runs a stop of a whole scope ends.
enum class CancelledRuns {
  all,     // whatever lives
  waiting  // what has not started: the rest may end by itself
};

/// All live runs of an agent: for pause and terminate, which set the agent's status themselves. Returns how many.
int cancel_runs_of_agent(store::Transaction& tx, CompanyId company, AgentId agent, const std::string& reason = cancelled_by_pause,
                         CancelledRuns which = CancelledRuns::all);
/// All live runs of a company, or of one project (`project` set), and the wakes of the scope that have no run yet.
int cancel_work_of_company(store::Transaction& tx, CompanyId company, std::optional<ProjectId> project = std::nullopt,
                           const std::string& reason = cancelled_by_budget, CancelledRuns which = CancelledRuns::all);
/// The same for one agent's wakes; used beside `cancel_runs_of_agent`.
int cancel_pending_wakes(store::Transaction& tx, CompanyId company, std::optional<AgentId> agent, std::optional<ProjectId> project, const std::string& reason);

}  // namespace paperclip::domain
