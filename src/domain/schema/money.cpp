#include "domain/schema/parts.h"

/// What work costs and what it may cost (spec/organisation.md 7–9), and the audit trail (spec/work-domain.md 5.1).
namespace paperclip::domain::schema {

const std::string_view money = R"sql(
create table cost_events (
  id {id} primary key,
  company_id {id} not null references companies (id),
  agent_id {id} not null references agents (id),
  issue_id {id} references issues (id),
  project_id {id} references projects (id),
  goal_id {id} references goals (id),
  heartbeat_run_id {id} references heartbeat_runs (id),
  billing_code {text},
  provider {text} not null,
  biller {text} not null default 'unknown',
  billing_type {text} not null default 'unknown',
  model {text} not null,
  input_tokens {int} not null default 0,
  cached_input_tokens {int} not null default 0,
  output_tokens {int} not null default 0,
  cost_cents {int} not null,
  occurred_at {timestamp} not null,
  created_at {timestamp} not null
){strict};
create index cost_events_company_occurred_idx on cost_events (company_id, occurred_at);
create index cost_events_agent_occurred_idx on cost_events (agent_id, occurred_at);
create index cost_events_company_provider_occurred_idx on cost_events (company_id, provider, occurred_at);
create index cost_events_company_biller_occurred_idx on cost_events (company_id, biller, occurred_at);
create index cost_events_run_idx on cost_events (heartbeat_run_id) where heartbeat_run_id is not null;
create index cost_events_issue_idx on cost_events (issue_id) where issue_id is not null;
create index cost_events_project_occurred_idx on cost_events (project_id, occurred_at) where project_id is not null;

create table finance_events (
  id {id} primary key,
  company_id {id} not null references companies (id),
  agent_id {id} references agents (id),
  issue_id {id} references issues (id),
  project_id {id} references projects (id),
  goal_id {id} references goals (id),
  heartbeat_run_id {id} references heartbeat_runs (id),
  cost_event_id {id} references cost_events (id),
  billing_code {text},
  description {text},
  event_kind {text} not null,
  direction {text} not null default 'debit',
  biller {text} not null,
  provider {text},
  execution_adapter_type {text},
  pricing_tier {text},
  region {text},
  model {text},
  quantity {int},
  unit {text},
  amount_cents {int} not null,
  currency {text} not null default 'USD',
  estimated {bool} not null default {false},
  external_invoice_id {text},
  metadata_json {json},
  occurred_at {timestamp} not null,
  created_at {timestamp} not null
){strict};
create index finance_events_company_occurred_idx on finance_events (company_id, occurred_at);
create index finance_events_cost_event_idx on finance_events (cost_event_id) where cost_event_id is not null;

create table budget_policies (
  id {id} primary key,
  company_id {id} not null references companies (id),
  scope_type {text} not null,
  scope_id {id} not null,
  metric {text} not null default 'billed_cents',
  window_kind {text} not null,
  amount {int} not null default 0,
  warn_percent {int} not null default 80,
  hard_stop_enabled {bool} not null default {true},
  notify_enabled {bool} not null default {true},
  is_active {bool} not null default {true},
  created_by_user_id {text},
  updated_by_user_id {text},
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create unique index budget_policies_company_scope_metric_unique_idx
  on budget_policies (company_id, scope_type, scope_id, metric, window_kind);

create table budget_incidents (
  id {id} primary key,
  company_id {id} not null references companies (id),
  policy_id {id} not null references budget_policies (id),
  scope_type {text} not null,
  scope_id {id} not null,
  metric {text} not null,
  window_kind {text} not null,
  window_start {timestamp} not null,
  window_end {timestamp} not null,
  threshold_type {text} not null,
  amount_limit {int} not null,
  amount_observed {int} not null,
  status {text} not null default 'open',
  approval_id {id} references approvals (id),
  resolved_at {timestamp},
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create unique index budget_incidents_policy_window_threshold_idx
  on budget_incidents (policy_id, window_start, threshold_type) where status <> 'dismissed';
create index budget_incidents_company_status_idx on budget_incidents (company_id, status);

create table activity_log (
  id {id} primary key,
  company_id {id} not null references companies (id),
  actor_type {text} not null default 'system',
  actor_id {text} not null,
  action {text} not null,
  entity_type {text} not null,
  entity_id {text} not null,
  agent_id {id} references agents (id),
  run_id {id} references heartbeat_runs (id),
  details {json},
  created_at {timestamp} not null,
  ordinal {int} not null default 0
){strict};
create index activity_log_company_created_idx on activity_log (company_id, created_at, ordinal);
create index activity_log_entity_idx on activity_log (entity_type, entity_id, created_at, ordinal);
create index activity_log_run_idx on activity_log (run_id) where run_id is not null;
create index activity_log_agent_idx on activity_log (agent_id, created_at) where agent_id is not null;
)sql";

}  // namespace paperclip::domain::schema
