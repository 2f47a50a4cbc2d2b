#include "domain/schema/parts.h"

/// Issues and the rows that belong to one (spec/issues.md 1).
/// OURS: `issues.lock_fence` counts the holders of the issue's lock.
namespace paperclip::domain::schema {

const std::string_view issues = R"sql(
-- Unique indexes begin with the column that is looked up, so that no second index is needed for it.
create table issues (
  id {id} primary key,
  company_id {id} not null references companies (id),
  project_id {id} references projects (id),
  project_workspace_id {id} references project_workspaces (id) on delete set null,
  goal_id {id} references goals (id),
  parent_id {id} references issues (id),
  title {text} not null,
  description {text},
  status {text} not null default 'backlog',
  priority {text} not null default 'medium',
  assignee_agent_id {id} references agents (id),
  assignee_user_id {text},
  checkout_run_id {id} references heartbeat_runs (id) on delete set null,
  execution_run_id {id} references heartbeat_runs (id) on delete set null,
  execution_agent_name_key {text},
  execution_locked_at {timestamp},
  created_by_agent_id {id} references agents (id),
  created_by_user_id {text},
  issue_number {int},
  identifier {text},
  origin_kind {text} not null default 'manual',
  origin_id {text},
  origin_run_id {text},
  origin_fingerprint {text} not null default 'default',
  request_depth {int} not null default 0,
  billing_code {text},
  assignee_adapter_overrides {json},
  execution_policy {json},
  execution_state {json},
  monitor_next_check_at {timestamp},
  monitor_wake_requested_at {timestamp},
  monitor_last_triggered_at {timestamp},
  monitor_attempt_count {int} not null default 0,
  monitor_notes {text},
  monitor_scheduled_by {text},
  execution_workspace_id {id} references execution_workspaces (id) on delete set null,
  execution_workspace_preference {text},
  execution_workspace_settings {json},
  started_at {timestamp},
  completed_at {timestamp},
  cancelled_at {timestamp},
  hidden_at {timestamp},
  created_at {timestamp} not null,
  updated_at {timestamp} not null,
  lock_fence {bigint} not null default 0
){strict};
create unique index issues_identifier_idx on issues (identifier);
create index issues_company_created_idx on issues (company_id, created_at);
create index issues_company_number_idx on issues (company_id, issue_number);
create index issues_company_status_idx on issues (company_id, status);
create index issues_company_assignee_status_idx on issues (company_id, assignee_agent_id, status)
  where assignee_agent_id is not null;
create index issues_company_assignee_user_status_idx on issues (company_id, assignee_user_id, status)
  where assignee_user_id is not null;
create index issues_parent_idx on issues (parent_id) where parent_id is not null;
create index issues_project_idx on issues (project_id) where project_id is not null;
create index issues_company_origin_idx on issues (company_id, origin_kind, origin_id)
  where origin_id is not null;
create index issues_project_workspace_idx on issues (project_workspace_id) where project_workspace_id is not null;
create index issues_execution_workspace_idx on issues (execution_workspace_id)
  where execution_workspace_id is not null;
create index issues_monitor_next_check_idx on issues (monitor_next_check_at) where monitor_next_check_at is not null;
create index issues_checkout_run_idx on issues (checkout_run_id) where checkout_run_id is not null;
create index issues_execution_run_idx on issues (execution_run_id) where execution_run_id is not null;

create unique index issues_open_routine_execution_uq
  on issues (company_id, origin_kind, origin_id, origin_fingerprint)
  where origin_kind = 'routine_execution' and origin_id is not null and hidden_at is null
    and execution_run_id is not null and status in ('backlog', 'todo', 'in_progress', 'in_review', 'blocked');
create unique index issues_active_liveness_recovery_incident_uq on issues (company_id, origin_kind, origin_id)
  where origin_kind = 'harness_liveness_escalation' and origin_id is not null and hidden_at is null
    and status not in ('done', 'cancelled');
create unique index issues_active_liveness_recovery_leaf_uq on issues (company_id, origin_kind, origin_fingerprint)
  where origin_kind = 'harness_liveness_escalation' and origin_fingerprint <> 'default' and hidden_at is null
    and status not in ('done', 'cancelled');
create unique index issues_active_stale_run_evaluation_uq on issues (company_id, origin_kind, origin_id)
  where origin_kind = 'stale_active_run_evaluation' and origin_id is not null and hidden_at is null
    and status not in ('done', 'cancelled');
create unique index issues_active_productivity_review_uq on issues (company_id, origin_kind, origin_id)
  where origin_kind = 'issue_productivity_review' and origin_id is not null and hidden_at is null
    and status not in ('done', 'cancelled');
create unique index issues_active_stranded_issue_recovery_uq on issues (company_id, origin_kind, origin_id)
  where origin_kind = 'stranded_issue_recovery' and origin_id is not null and hidden_at is null
    and status not in ('done', 'cancelled');

alter table execution_workspaces add column source_issue_id {id} references issues (id) on delete set null;
create index execution_workspaces_source_issue_idx on execution_workspaces (source_issue_id)
  where source_issue_id is not null;

-- `seq` tells comments of the same millisecond apart.
create table issue_comments (
  seq {serial_pk},
  id {id} not null unique,
  company_id {id} not null references companies (id),
  issue_id {id} not null references issues (id),
  author_agent_id {id} references agents (id),
  author_user_id {text},
  created_by_run_id {id} references heartbeat_runs (id) on delete set null,
  body {text} not null,
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create index issue_comments_issue_created_idx on issue_comments (issue_id, created_at);
create index issue_comments_company_created_idx on issue_comments (company_id, created_at);
create index issue_comments_company_author_issue_created_idx
  on issue_comments (company_id, author_user_id, issue_id, created_at) where author_user_id is not null;
create index issue_comments_created_by_run_idx on issue_comments (created_by_run_id)
  where created_by_run_id is not null;

create table issue_relations (
  id {id} primary key,
  company_id {id} not null references companies (id),
  issue_id {id} not null references issues (id) on delete cascade,
  related_issue_id {id} not null references issues (id) on delete cascade,
  type {text} not null default 'blocks',
  created_by_agent_id {id} references agents (id) on delete set null,
  created_by_user_id {text},
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create unique index issue_relations_company_edge_uq on issue_relations (issue_id, related_issue_id, type, company_id);
create index issue_relations_related_issue_idx on issue_relations (related_issue_id);

create table issue_labels (
  issue_id {id} not null references issues (id) on delete cascade,
  label_id {id} not null references labels (id) on delete cascade,
  company_id {id} not null references companies (id) on delete cascade,
  created_at {timestamp} not null,
  primary key (issue_id, label_id)
){strict};
create index issue_labels_label_idx on issue_labels (label_id);
create index issue_labels_company_idx on issue_labels (company_id);

create table issue_read_states (
  id {id} primary key,
  company_id {id} not null references companies (id),
  issue_id {id} not null references issues (id),
  user_id {text} not null,
  last_read_at {timestamp} not null,
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create unique index issue_read_states_company_issue_user_idx on issue_read_states (issue_id, user_id, company_id);

create table issue_inbox_archives (
  id {id} primary key,
  company_id {id} not null references companies (id),
  issue_id {id} not null references issues (id),
  user_id {text} not null,
  archived_at {timestamp} not null,
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create unique index issue_inbox_archives_company_issue_user_idx
  on issue_inbox_archives (issue_id, user_id, company_id);

create table issue_reference_mentions (
  id {id} primary key,
  company_id {id} not null references companies (id),
  source_issue_id {id} not null references issues (id) on delete cascade,
  target_issue_id {id} not null references issues (id) on delete cascade,
  source_kind {text} not null,
  source_record_id {id},
  document_key {text},
  matched_text {text},
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create unique index issue_reference_mentions_record_uq
  on issue_reference_mentions (company_id, source_issue_id, target_issue_id, source_kind, source_record_id)
  where source_record_id is not null;
create unique index issue_reference_mentions_no_record_uq
  on issue_reference_mentions (company_id, source_issue_id, target_issue_id, source_kind)
  where source_record_id is null;
create index issue_reference_mentions_source_idx on issue_reference_mentions (source_issue_id);
create index issue_reference_mentions_target_idx on issue_reference_mentions (target_issue_id);

create table issue_execution_decisions (
  id {id} primary key,
  company_id {id} not null references companies (id),
  issue_id {id} not null references issues (id) on delete cascade,
  stage_id {id} not null,
  stage_type {text} not null,
  actor_agent_id {id} references agents (id),
  actor_user_id {text},
  outcome {text} not null,
  body {text} not null,
  created_by_run_id {id} references heartbeat_runs (id) on delete set null,
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create index issue_execution_decisions_issue_stage_created_idx
  on issue_execution_decisions (issue_id, stage_id, created_at);
)sql";

}  // namespace paperclip::domain::schema
