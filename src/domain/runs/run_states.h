#pragma once

#include <boost/describe/class.hpp>
#include <optional>

#include "base/transitions.h"
#include "domain/runs/heartbeat_run.h"

namespace paperclip::domain {

/// The life of a run (spec/execution.md 2.1).
///
///   scheduled_retry ──▶ queued ──▶ running ──▶ succeeded | failed | timed_out
///          ╰───────────────╰──────────╰──────▶ cancelled
inline constexpr auto run_transitions = transitions<RunStatus>({
    {RunStatus::queued, RunStatus::running, "claimed"},
    {RunStatus::queued, RunStatus::cancelled, "cancelled, or refused by a gate at the claim"},
    {RunStatus::scheduled_retry, RunStatus::queued, "its time has come and the gates let it through"},
    {RunStatus::scheduled_retry, RunStatus::cancelled, "cancelled, or refused by a gate when its time came"},
    {RunStatus::running, RunStatus::queued, "OURS: the server went away before it had started a process"},
    {RunStatus::running, RunStatus::succeeded, "ended without an error"},
    {RunStatus::running, RunStatus::failed, "ended with an error, could not start, or was lost"},
    {RunStatus::running, RunStatus::timed_out, "ran longer than it may"},
    {RunStatus::running, RunStatus::cancelled, "cancelled by a person, a pause or a budget"},
});

/// Queued, scheduled or running: it holds its issue and can be cancelled.
constexpr bool is_live(RunStatus status) { return !run_transitions.is_final(status); }

/// A run with what only we store of it.
struct StoredRun : HeartbeatRun {
  /// Counts the holders of the run: a write from a holder that lost its place is refused.
  std::int64_t fence = 0;
  /// `context_snapshot.issueId`, because runs are looked up by issue all the time.
  std::optional<IssueId> context_issue_id;
};
BOOST_DESCRIBE_STRUCT(StoredRun, (HeartbeatRun), (fence, context_issue_id))

}  // namespace paperclip::domain
