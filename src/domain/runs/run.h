#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <optional>
#include <string>

#include "base/id.h"
#include "base/json.h"
#include "base/time.h"
#include "base/transitions.h"

/// A run: one attempt of an agent at its work (spec/execution.md 1.1, 2.1).
namespace paperclip::domain {

enum class RunStatus { queued, scheduled_retry, running, succeeded, failed, cancelled, timed_out };
BOOST_DESCRIBE_ENUM(RunStatus, queued, scheduled_retry, running, succeeded, failed, cancelled, timed_out)

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
/// The same for SQL.
inline constexpr std::string_view live_run_statuses = "('queued', 'running', 'scheduled_retry')";

/// A row of `heartbeat_runs` as clients see it.
struct Run {
  RunId id;
  CompanyId company_id;
  AgentId agent_id;
  std::string invocation_source = "on_demand";
  std::optional<std::string> trigger_detail;
  RunStatus status = RunStatus::queued;
  std::optional<Timestamp> started_at, finished_at;
  std::optional<std::string> error;
  std::optional<WakeupId> wakeup_request_id;
  std::optional<int> exit_code;
  std::optional<std::string> signal;
  RawJson usage_json, result_json;
  std::optional<std::string> session_id_before, session_id_after;  // display ids
  std::optional<std::string> log_store, log_ref;
  std::optional<std::int64_t> log_bytes;
  std::optional<std::string> log_sha256;
  bool log_compressed = false;
  std::optional<std::string> stdout_excerpt, stderr_excerpt;
  std::optional<std::string> error_code, external_run_id;
  std::optional<int> process_pid, process_group_id;
  std::optional<Timestamp> process_started_at, last_output_at;
  int last_output_seq = 0;
  std::optional<std::string> last_output_stream;
  std::optional<std::int64_t> last_output_bytes;
  std::optional<RunId> retry_of_run_id;
  int process_loss_retry_count = 0;
  std::optional<Timestamp> scheduled_retry_at;
  int scheduled_retry_attempt = 0;
  std::optional<std::string> scheduled_retry_reason;
  std::string issue_comment_status = "not_applicable";
  std::optional<AnyId> issue_comment_satisfied_by_comment_id;
  std::optional<Timestamp> issue_comment_retry_queued_at;
  std::optional<std::string> liveness_state, liveness_reason;
  int continuation_attempt = 0;
  std::optional<Timestamp> last_useful_action_at;
  std::optional<std::string> next_action;
  RawJson context_snapshot;
  Timestamp created_at, updated_at;
};
BOOST_DESCRIBE_STRUCT(Run, (),
                      (id, company_id, agent_id, invocation_source, trigger_detail, status, started_at, finished_at, error,
                       wakeup_request_id, exit_code, signal, usage_json, result_json, session_id_before, session_id_after,
                       log_store, log_ref, log_bytes, log_sha256, log_compressed, stdout_excerpt, stderr_excerpt, error_code,
                       external_run_id, process_pid, process_group_id, process_started_at, last_output_at, last_output_seq,
                       last_output_stream, last_output_bytes, retry_of_run_id, process_loss_retry_count, scheduled_retry_at,
                       scheduled_retry_attempt, scheduled_retry_reason, issue_comment_status,
                       issue_comment_satisfied_by_comment_id, issue_comment_retry_queued_at, liveness_state, liveness_reason,
                       continuation_attempt, last_useful_action_at, next_action, context_snapshot, created_at, updated_at))

/// What only we store of a run.
struct StoredRun : Run {
  /// Counts the holders of the run: a write from a holder that lost its place is refused.
  std::int64_t fence = 0;
  /// `context_snapshot.issueId`, because runs are looked up by issue all the time.
  std::optional<IssueId> context_issue_id;
};
BOOST_DESCRIBE_STRUCT(StoredRun, (Run), (fence, context_issue_id))

}  // namespace paperclip::domain
