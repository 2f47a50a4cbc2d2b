#include "domain/schema/parts.h"

/// Wakeups, heartbeat runs and what agents remember between them (spec/execution.md 1, workspaces.md 7).
/// OURS: `heartbeat_runs.fence` numbers the holders of a run (a write from a holder that lost its place is refused),
/// and `context_issue_id` repeats `context_snapshot.issueId`, because runs are looked up by issue all the time.
namespace paperclip::domain::schema {

const std::string_view runs = R"sql(
create table agent_wakeup_requests (
  id {id} primary key,
  company_id {id} not null references companies (id),
  agent_id {id} not null references agents (id),
  source {text} not null,
  trigger_detail {text},
  reason {text},
  payload {json},
  status {text} not null default 'queued',
  coalesced_count {int} not null default 0,
  requested_by_actor_type {text},
  requested_by_actor_id {text},
  idempotency_key {text},
  run_id {id},
  requested_at {timestamp} not null,
  claimed_at {timestamp},
  finished_at {timestamp},
  error {text},
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create index agent_wakeup_requests_company_agent_status_idx on agent_wakeup_requests (company_id, agent_id, status);
create index agent_wakeup_requests_agent_requested_idx on agent_wakeup_requests (agent_id, requested_at);
create index agent_wakeup_requests_run_idx on agent_wakeup_requests (run_id) where run_id is not null;
create index agent_wakeup_requests_idempotency_idx on agent_wakeup_requests (company_id, idempotency_key)
  where idempotency_key is not null;
-- For queries that say `status = 'deferred_issue_execution'`, as a literal.
create index agent_wakeup_requests_deferred_idx on agent_wakeup_requests (company_id, requested_at)
  where status = 'deferred_issue_execution';

create table heartbeat_runs (
  id {id} primary key,
  company_id {id} not null references companies (id),
  agent_id {id} not null references agents (id),
  invocation_source {text} not null default 'on_demand',
  trigger_detail {text},
  status {text} not null default 'queued',
  started_at {timestamp},
  finished_at {timestamp},
  error {text},
  error_code {text},
  wakeup_request_id {id} references agent_wakeup_requests (id),
  exit_code {int},
  signal {text},
  usage_json {json},
  result_json {json},
  session_id_before {text},
  session_id_after {text},
  log_store {text},
  log_ref {text},
  log_bytes {bigint},
  log_sha256 {text},
  log_compressed {bool} not null default {false},
  stdout_excerpt {text},
  stderr_excerpt {text},
  external_run_id {text},
  process_pid {int},
  process_group_id {int},
  process_started_at {timestamp},
  last_output_at {timestamp},
  last_output_seq {int} not null default 0,
  last_output_stream {text},
  last_output_bytes {bigint},
  retry_of_run_id {id} references heartbeat_runs (id) on delete set null,
  process_loss_retry_count {int} not null default 0,
  scheduled_retry_at {timestamp},
  scheduled_retry_attempt {int} not null default 0,
  scheduled_retry_reason {text},
  issue_comment_status {text} not null default 'not_applicable',
  issue_comment_satisfied_by_comment_id {id},
  issue_comment_retry_queued_at {timestamp},
  liveness_state {text},
  liveness_reason {text},
  continuation_attempt {int} not null default 0,
  last_useful_action_at {timestamp},
  next_action {text},
  context_snapshot {json},
  created_at {timestamp} not null,
  updated_at {timestamp} not null,
  fence {bigint} not null default 0,
  context_issue_id {id}
){strict};
create index heartbeat_runs_company_created_idx on heartbeat_runs (company_id, created_at);
create index heartbeat_runs_agent_created_idx on heartbeat_runs (agent_id, created_at);
create index heartbeat_runs_context_issue_idx on heartbeat_runs (context_issue_id, created_at)
  where context_issue_id is not null;
-- The living are few and asked for constantly: claims, live lists, the reaper, the promotion of due retries. Not a
-- partial index: SQLite uses one only for a query that repeats its condition word for word.
create index heartbeat_runs_status_idx on heartbeat_runs (status, agent_id, created_at);
create index heartbeat_runs_retry_of_idx on heartbeat_runs (retry_of_run_id) where retry_of_run_id is not null;
create index heartbeat_runs_wakeup_idx on heartbeat_runs (wakeup_request_id) where wakeup_request_id is not null;

create table heartbeat_run_events (
  id {serial_pk},
  company_id {id} not null references companies (id),
  run_id {id} not null references heartbeat_runs (id),
  agent_id {id} not null references agents (id),
  seq {int} not null,
  event_type {text} not null,
  stream {text},
  level {text},
  color {text},
  message {text},
  payload {json},
  created_at {timestamp} not null
){strict};
create unique index heartbeat_run_events_run_seq_idx on heartbeat_run_events (run_id, seq);

create table agent_runtime_state (
  agent_id {id} primary key references agents (id),
  company_id {id} not null references companies (id),
  adapter_type {text} not null,
  session_id {text},
  state_json {json} not null default '{}',
  last_run_id {id},
  last_run_status {text},
  total_input_tokens {bigint} not null default 0,
  total_output_tokens {bigint} not null default 0,
  total_cached_input_tokens {bigint} not null default 0,
  total_cost_cents {bigint} not null default 0,
  last_error {text},
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create index agent_runtime_state_company_idx on agent_runtime_state (company_id);

create table agent_task_sessions (
  id {id} primary key,
  company_id {id} not null references companies (id),
  agent_id {id} not null references agents (id),
  adapter_type {text} not null,
  task_key {text} not null,
  session_params_json {json},
  session_display_id {text},
  last_run_id {id} references heartbeat_runs (id),
  last_error {text},
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create unique index agent_task_sessions_company_agent_adapter_task_uq
  on agent_task_sessions (company_id, agent_id, adapter_type, task_key);
create index agent_task_sessions_agent_updated_idx on agent_task_sessions (agent_id, updated_at);

create table workspace_operations (
  id {id} primary key,
  company_id {id} not null references companies (id),
  execution_workspace_id {id} references execution_workspaces (id) on delete set null,
  heartbeat_run_id {id} references heartbeat_runs (id) on delete set null,
  phase {text} not null,
  command {text},
  cwd {text},
  status {text} not null default 'running',
  exit_code {int},
  log_store {text},
  log_ref {text},
  log_bytes {bigint},
  log_sha256 {text},
  log_compressed {bool} not null default {false},
  stdout_excerpt {text},
  stderr_excerpt {text},
  metadata {json},
  started_at {timestamp} not null,
  finished_at {timestamp},
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create index workspace_operations_run_started_idx on workspace_operations (heartbeat_run_id, started_at);
create index workspace_operations_workspace_started_idx on workspace_operations (execution_workspace_id, started_at);
create index workspace_operations_company_idx on workspace_operations (company_id);
)sql";

}  // namespace paperclip::domain::schema
