#include "domain/schema/parts.h"

/// Work that comes back, and what people thought of the work done (spec/work-domain.md 4, 12).
namespace paperclip::domain::schema {

const std::string_view routines = R"sql(
create table routines (
  id {id} primary key,
  company_id {id} not null references companies (id) on delete cascade,
  project_id {id} references projects (id) on delete cascade,
  goal_id {id} references goals (id) on delete set null,
  parent_issue_id {id} references issues (id) on delete set null,
  title {text} not null,
  description {text},
  assignee_agent_id {id} references agents (id),
  priority {text} not null default 'medium',
  status {text} not null default 'active',
  concurrency_policy {text} not null default 'coalesce_if_active',
  catch_up_policy {text} not null default 'skip_missed',
  variables {json} not null default '[]',
  created_by_agent_id {id} references agents (id) on delete set null,
  created_by_user_id {text},
  updated_by_agent_id {id} references agents (id) on delete set null,
  updated_by_user_id {text},
  last_triggered_at {timestamp},
  last_enqueued_at {timestamp},
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create index routines_company_status_idx on routines (company_id, status);
create index routines_assignee_idx on routines (assignee_agent_id) where assignee_agent_id is not null;
create index routines_project_idx on routines (project_id) where project_id is not null;

create table routine_triggers (
  id {id} primary key,
  company_id {id} not null references companies (id) on delete cascade,
  routine_id {id} not null references routines (id) on delete cascade,
  kind {text} not null,
  label {text},
  enabled {bool} not null default {true},
  cron_expression {text},
  timezone {text},
  next_run_at {timestamp},
  last_fired_at {timestamp},
  public_id {text},
  secret_id {id} references company_secrets (id) on delete set null,
  signing_mode {text},
  replay_window_sec {int},
  last_rotated_at {timestamp},
  last_result {text},
  created_by_agent_id {id} references agents (id) on delete set null,
  created_by_user_id {text},
  updated_by_agent_id {id} references agents (id) on delete set null,
  updated_by_user_id {text},
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create index routine_triggers_routine_idx on routine_triggers (routine_id, created_at);
create index routine_triggers_company_kind_idx on routine_triggers (company_id, kind);
create index routine_triggers_next_run_idx on routine_triggers (next_run_at) where next_run_at is not null;
create unique index routine_triggers_public_id_uq on routine_triggers (public_id);

create table routine_runs (
  id {id} primary key,
  company_id {id} not null references companies (id) on delete cascade,
  routine_id {id} not null references routines (id) on delete cascade,
  trigger_id {id} references routine_triggers (id) on delete set null,
  source {text} not null,
  status {text} not null default 'received',
  triggered_at {timestamp} not null,
  idempotency_key {text},
  trigger_payload {json},
  dispatch_fingerprint {text},
  linked_issue_id {id} references issues (id) on delete set null,
  coalesced_into_run_id {id},
  failure_reason {text},
  completed_at {timestamp},
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create index routine_runs_routine_created_idx on routine_runs (routine_id, created_at);
create index routine_runs_company_idx on routine_runs (company_id);
create index routine_runs_routine_fingerprint_idx on routine_runs (routine_id, dispatch_fingerprint);
create index routine_runs_linked_issue_idx on routine_runs (linked_issue_id) where linked_issue_id is not null;
create index routine_runs_trigger_created_idx on routine_runs (trigger_id, created_at) where trigger_id is not null;
create index routine_runs_trigger_idempotency_idx on routine_runs (trigger_id, idempotency_key)
  where idempotency_key is not null;

create table feedback_votes (
  id {id} primary key,
  company_id {id} not null references companies (id),
  issue_id {id} not null references issues (id) on delete cascade,
  target_type {text} not null,
  target_id {text} not null,
  author_user_id {text} not null,
  vote {text} not null,
  reason {text},
  shared_with_labs {bool} not null default {false},
  shared_at {timestamp},
  consent_version {text},
  redaction_summary {json},
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create unique index feedback_votes_company_target_author_idx
  on feedback_votes (company_id, target_type, target_id, author_user_id);
create index feedback_votes_issue_idx on feedback_votes (issue_id, target_type, target_id);

create table feedback_exports (
  id {id} primary key,
  company_id {id} not null references companies (id),
  feedback_vote_id {id} not null references feedback_votes (id) on delete cascade,
  issue_id {id} not null references issues (id) on delete cascade,
  project_id {id} references projects (id) on delete set null,
  author_user_id {text} not null,
  target_type {text} not null,
  target_id {text} not null,
  vote {text} not null,
  status {text} not null default 'local_only',
  destination {text},
  export_id {text},
  consent_version {text},
  schema_version {text} not null default 'paperclip-feedback-envelope-v2',
  bundle_version {text} not null default 'paperclip-feedback-bundle-v2',
  payload_version {text} not null default 'paperclip-feedback-v1',
  payload_digest {text},
  payload_snapshot {json},
  target_summary {json} not null,
  redaction_summary {json},
  attempt_count {int} not null default 0,
  last_attempted_at {timestamp},
  exported_at {timestamp},
  failure_reason {text},
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create unique index feedback_exports_feedback_vote_idx on feedback_exports (feedback_vote_id);
create index feedback_exports_company_created_idx on feedback_exports (company_id, created_at);
create index feedback_exports_issue_created_idx on feedback_exports (issue_id, created_at);
create index feedback_exports_status_idx on feedback_exports (status, created_at);
)sql";

}  // namespace paperclip::domain::schema
