#include "domain/schema/parts.h"

/// Approvals, documents, files and interactions around issues, holds over trees of them, and the leases and services
/// that serve them (spec/work-domain.md 3, 9, 10; issues.md 1.3–1.4; environments.md 1.2; workspaces.md 8.2).
namespace paperclip::domain::schema {

const std::string_view issue_threads = R"sql(
create table approvals (
  id {id} primary key,
  company_id {id} not null references companies (id),
  type {text} not null,
  requested_by_agent_id {id} references agents (id),
  requested_by_user_id {text},
  status {text} not null default 'pending',
  payload {json} not null,
  decision_note {text},
  decided_by_user_id {text},
  decided_at {timestamp},
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create index approvals_company_status_type_idx on approvals (company_id, status, type);
create index approvals_company_created_idx on approvals (company_id, created_at);

create table approval_comments (
  id {id} primary key,
  company_id {id} not null references companies (id),
  approval_id {id} not null references approvals (id),
  author_agent_id {id} references agents (id),
  author_user_id {text},
  body {text} not null,
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create index approval_comments_approval_created_idx on approval_comments (approval_id, created_at);

create table issue_approvals (
  company_id {id} not null references companies (id),
  issue_id {id} not null references issues (id) on delete cascade,
  approval_id {id} not null references approvals (id) on delete cascade,
  linked_by_agent_id {id} references agents (id) on delete set null,
  linked_by_user_id {text},
  created_at {timestamp} not null,
  primary key (issue_id, approval_id)
){strict};
create index issue_approvals_approval_idx on issue_approvals (approval_id);

create table documents (
  id {id} primary key,
  company_id {id} not null references companies (id),
  title {text},
  format {text} not null default 'markdown',
  latest_body {text} not null,
  latest_revision_id {id},
  latest_revision_number {int} not null default 1,
  created_by_agent_id {id} references agents (id) on delete set null,
  created_by_user_id {text},
  updated_by_agent_id {id} references agents (id) on delete set null,
  updated_by_user_id {text},
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create index documents_company_updated_idx on documents (company_id, updated_at);

create table document_revisions (
  id {id} primary key,
  company_id {id} not null references companies (id),
  document_id {id} not null references documents (id) on delete cascade,
  revision_number {int} not null,
  title {text},
  format {text} not null default 'markdown',
  body {text} not null,
  change_summary {text},
  created_by_agent_id {id} references agents (id) on delete set null,
  created_by_user_id {text},
  created_by_run_id {id} references heartbeat_runs (id) on delete set null,
  created_at {timestamp} not null
){strict};
create unique index document_revisions_document_revision_uq on document_revisions (document_id, revision_number);
create index document_revisions_created_by_run_idx on document_revisions (created_by_run_id)
  where created_by_run_id is not null;

create table issue_documents (
  id {id} primary key,
  company_id {id} not null references companies (id),
  issue_id {id} not null references issues (id) on delete cascade,
  document_id {id} not null references documents (id) on delete cascade,
  key {text} not null,
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create unique index issue_documents_company_issue_key_uq on issue_documents (issue_id, key, company_id);
create unique index issue_documents_document_uq on issue_documents (document_id);

create table issue_attachments (
  id {id} primary key,
  company_id {id} not null references companies (id),
  issue_id {id} not null references issues (id) on delete cascade,
  asset_id {id} not null references assets (id) on delete cascade,
  issue_comment_id {id} references issue_comments (id) on delete set null,
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create unique index issue_attachments_asset_uq on issue_attachments (asset_id);
create index issue_attachments_issue_idx on issue_attachments (issue_id, created_at);
create index issue_attachments_comment_idx on issue_attachments (issue_comment_id)
  where issue_comment_id is not null;

create table workspace_runtime_services (
  id {id} primary key,
  company_id {id} not null references companies (id),
  project_id {id} references projects (id) on delete set null,
  project_workspace_id {id} references project_workspaces (id) on delete set null,
  execution_workspace_id {id} references execution_workspaces (id) on delete set null,
  issue_id {id} references issues (id) on delete set null,
  scope_type {text} not null,
  scope_id {text},
  service_name {text} not null,
  status {text} not null,
  lifecycle {text} not null,
  reuse_key {text},
  command {text},
  cwd {text},
  port {int},
  url {text},
  provider {text} not null,
  provider_ref {text},
  owner_agent_id {id} references agents (id) on delete set null,
  started_by_run_id {id} references heartbeat_runs (id) on delete set null,
  last_used_at {timestamp} not null,
  started_at {timestamp} not null,
  stopped_at {timestamp},
  stop_policy {json},
  health_status {text} not null default 'unknown',
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create index workspace_runtime_services_company_status_idx on workspace_runtime_services (company_id, status);
create index workspace_runtime_services_project_workspace_idx on workspace_runtime_services (project_workspace_id)
  where project_workspace_id is not null;
create index workspace_runtime_services_execution_workspace_idx
  on workspace_runtime_services (execution_workspace_id) where execution_workspace_id is not null;
create index workspace_runtime_services_issue_idx on workspace_runtime_services (issue_id) where issue_id is not null;

create table issue_work_products (
  id {id} primary key,
  company_id {id} not null references companies (id),
  project_id {id} references projects (id) on delete set null,
  issue_id {id} not null references issues (id) on delete cascade,
  execution_workspace_id {id} references execution_workspaces (id) on delete set null,
  runtime_service_id {id} references workspace_runtime_services (id) on delete set null,
  type {text} not null,
  provider {text} not null,
  external_id {text},
  title {text} not null,
  url {text},
  status {text} not null,
  review_state {text} not null default 'none',
  is_primary {bool} not null default {false},
  health_status {text} not null default 'unknown',
  summary {text},
  metadata {json},
  created_by_run_id {id} references heartbeat_runs (id) on delete set null,
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create index issue_work_products_issue_idx on issue_work_products (issue_id, created_at);
create index issue_work_products_created_by_run_idx on issue_work_products (created_by_run_id)
  where created_by_run_id is not null;

create table issue_thread_interactions (
  id {id} primary key,
  company_id {id} not null references companies (id),
  issue_id {id} not null references issues (id),
  kind {text} not null,
  status {text} not null default 'pending',
  continuation_policy {text} not null default 'wake_assignee',
  idempotency_key {text},
  source_comment_id {id} references issue_comments (id) on delete set null,
  source_run_id {id} references heartbeat_runs (id) on delete set null,
  title {text},
  summary {text},
  created_by_agent_id {id} references agents (id),
  created_by_user_id {text},
  resolved_by_agent_id {id} references agents (id),
  resolved_by_user_id {text},
  payload {json} not null,
  result {json},
  resolved_at {timestamp},
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create index issue_thread_interactions_issue_created_idx on issue_thread_interactions (issue_id, created_at);
create index issue_thread_interactions_company_status_idx on issue_thread_interactions (company_id, status);
create unique index issue_thread_interactions_company_issue_idempotency_uq
  on issue_thread_interactions (company_id, issue_id, idempotency_key) where idempotency_key is not null;

create table issue_tree_holds (
  id {id} primary key,
  company_id {id} not null references companies (id),
  root_issue_id {id} not null references issues (id) on delete cascade,
  mode {text} not null,
  status {text} not null default 'active',
  reason {text},
  release_policy {json},
  created_by_actor_type {text} not null default 'system',
  created_by_agent_id {id} references agents (id) on delete set null,
  created_by_user_id {text},
  created_by_run_id {id} references heartbeat_runs (id) on delete set null,
  released_at {timestamp},
  released_by_actor_type {text},
  released_by_agent_id {id} references agents (id) on delete set null,
  released_by_user_id {text},
  released_by_run_id {id} references heartbeat_runs (id) on delete set null,
  release_reason {text},
  release_metadata {json},
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create index issue_tree_holds_root_status_idx on issue_tree_holds (root_issue_id, status);
create index issue_tree_holds_company_status_mode_idx on issue_tree_holds (company_id, status, mode);

create table issue_tree_hold_members (
  id {id} primary key,
  company_id {id} not null references companies (id),
  hold_id {id} not null references issue_tree_holds (id) on delete cascade,
  issue_id {id} not null references issues (id) on delete cascade,
  parent_issue_id {id} references issues (id) on delete set null,
  depth {int} not null default 0,
  issue_identifier {text},
  issue_title {text} not null,
  issue_status {text} not null,
  assignee_agent_id {id} references agents (id) on delete set null,
  assignee_user_id {text},
  active_run_id {id} references heartbeat_runs (id) on delete set null,
  active_run_status {text},
  skipped {bool} not null default {false},
  skip_reason {text},
  created_at {timestamp} not null
){strict};
create unique index issue_tree_hold_members_hold_issue_uq on issue_tree_hold_members (hold_id, issue_id);
create index issue_tree_hold_members_issue_idx on issue_tree_hold_members (issue_id);

create table heartbeat_run_watchdog_decisions (
  id {id} primary key,
  company_id {id} not null references companies (id),
  run_id {id} not null references heartbeat_runs (id) on delete cascade,
  evaluation_issue_id {id} references issues (id) on delete set null,
  decision {text} not null,
  snoozed_until {timestamp},
  reason {text},
  created_by_agent_id {id} references agents (id) on delete set null,
  created_by_user_id {text},
  created_by_run_id {id} references heartbeat_runs (id) on delete set null,
  created_at {timestamp} not null
){strict};
create index heartbeat_run_watchdog_decisions_run_created_idx
  on heartbeat_run_watchdog_decisions (run_id, created_at);

create table environment_leases (
  id {id} primary key,
  company_id {id} not null references companies (id) on delete cascade,
  environment_id {id} not null references environments (id) on delete cascade,
  execution_workspace_id {id} references execution_workspaces (id) on delete set null,
  issue_id {id} references issues (id) on delete set null,
  heartbeat_run_id {id} references heartbeat_runs (id) on delete set null,
  status {text} not null default 'active',
  lease_policy {text} not null default 'ephemeral',
  provider {text},
  provider_lease_id {text},
  acquired_at {timestamp} not null,
  last_used_at {timestamp} not null,
  expires_at {timestamp},
  released_at {timestamp},
  failure_reason {text},
  cleanup_status {text},
  metadata {json},
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create index environment_leases_company_environment_status_idx
  on environment_leases (company_id, environment_id, status);
create index environment_leases_company_execution_workspace_idx
  on environment_leases (company_id, execution_workspace_id);
create index environment_leases_company_issue_idx on environment_leases (company_id, issue_id);
create index environment_leases_heartbeat_run_idx on environment_leases (heartbeat_run_id);
create index environment_leases_company_last_used_idx on environment_leases (company_id, last_used_at);
create index environment_leases_provider_lease_idx on environment_leases (provider_lease_id);
)sql";

}  // namespace paperclip::domain::schema
