#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "base/id.h"
#include "base/json.h"
#include "base/time.h"
#include "domain/schema/table_of.h"
#include "domain/wakeups/wakeup_request.h"

/// Runs (spec/execution.md 1.1, 2.1).
namespace paperclip::domain {

enum class RunStatus { queued, scheduled_retry, running, succeeded, failed, cancelled, timed_out };
BOOST_DESCRIBE_ENUM(RunStatus, queued, scheduled_retry, running, succeeded, failed, cancelled, timed_out)

/// Whether the run left the comment that its issue is owed.
enum class RunIssueCommentStatus { not_applicable, satisfied, retry_queued, retry_exhausted };
BOOST_DESCRIBE_ENUM(RunIssueCommentStatus, not_applicable, satisfied, retry_queued, retry_exhausted)

/// What a finished run got done.
enum class RunLivenessState { completed, advanced, plan_only, empty_response, blocked, failed, needs_followup };
BOOST_DESCRIBE_ENUM(RunLivenessState, completed, advanced, plan_only, empty_response, blocked, failed, needs_followup)

enum class OutputStream { system, stdout_, stderr_ };
BOOST_DESCRIBE_ENUM(OutputStream, system, stdout_, stderr_)

/// One turn of an agent at work. The columns `fence` and `context_issue_id` are not members: they are ours, not on the
/// wire, and only the engine writes them.
struct HeartbeatRun {
  RunId id;
  CompanyId company_id;
  AgentId agent_id;
  InvocationSource invocation_source = InvocationSource::on_demand;
  std::optional<TriggerDetail> trigger_detail;
  RunStatus status = RunStatus::queued;
  std::optional<Timestamp> started_at;
  std::optional<Timestamp> finished_at;
  std::optional<std::string> error;
  std::optional<std::string> error_code;
  std::optional<WakeupId> wakeup_request_id;
  std::optional<int> exit_code;
  std::optional<std::string> signal;
  std::optional<RawJson> usage_json;
  std::optional<RawJson> result_json;
  std::optional<std::string> session_id_before;
  std::optional<std::string> session_id_after;
  std::optional<std::string> log_store;
  std::optional<std::string> log_ref;
  std::optional<std::int64_t> log_bytes;
  std::optional<std::string> log_sha256;
  bool log_compressed = false;
  std::optional<std::string> stdout_excerpt;
  std::optional<std::string> stderr_excerpt;
  std::optional<std::string> external_run_id;
  std::optional<int> process_pid;
  std::optional<int> process_group_id;
  std::optional<Timestamp> process_started_at;
  std::optional<Timestamp> last_output_at;
  int last_output_seq = 0;
  std::optional<OutputStream> last_output_stream;
  std::optional<std::int64_t> last_output_bytes;
  std::optional<RunId> retry_of_run_id;
  int process_loss_retry_count = 0;
  std::optional<Timestamp> scheduled_retry_at;
  int scheduled_retry_attempt = 0;
  std::optional<std::string> scheduled_retry_reason;
  RunIssueCommentStatus issue_comment_status = RunIssueCommentStatus::not_applicable;
  std::optional<CommentId> issue_comment_satisfied_by_comment_id;
  std::optional<Timestamp> issue_comment_retry_queued_at;
  std::optional<RunLivenessState> liveness_state;
  std::optional<std::string> liveness_reason;
  int continuation_attempt = 0;
  std::optional<Timestamp> last_useful_action_at;
  std::optional<std::string> next_action;
  std::optional<RawJson> context_snapshot;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(HeartbeatRun, (),
                      (id, company_id, agent_id, invocation_source, trigger_detail, status, started_at, finished_at,
                       error, error_code, wakeup_request_id, exit_code, signal, usage_json, result_json,
                       session_id_before, session_id_after, log_store, log_ref, log_bytes, log_sha256, log_compressed,
                       stdout_excerpt, stderr_excerpt, external_run_id, process_pid, process_group_id,
                       process_started_at, last_output_at, last_output_seq, last_output_stream, last_output_bytes,
                       retry_of_run_id, process_loss_retry_count, scheduled_retry_at, scheduled_retry_attempt,
                       scheduled_retry_reason, issue_comment_status, issue_comment_satisfied_by_comment_id,
                       issue_comment_retry_queued_at, liveness_state, liveness_reason, continuation_attempt,
                       last_useful_action_at, next_action, context_snapshot, created_at, updated_at))
template <>
inline constexpr std::string_view table_of<HeartbeatRun> = "heartbeat_runs";

}  // namespace paperclip::domain
