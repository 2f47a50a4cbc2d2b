#include "domain/schema/parts.h"

/// Plugins and what the host keeps for them (spec/plugins.md 4).
namespace paperclip::domain::schema {

const std::string_view plugins = R"sql(
create table plugins (
  id {id} primary key,
  plugin_key {text} not null,
  package_name {text} not null,
  package_path {text},
  version {text} not null,
  api_version {int} not null default 1,
  categories {json} not null default '[]',
  manifest_json {json} not null,
  status {text} not null default 'installed',
  install_order {int},
  last_error {text},
  installed_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create unique index plugins_plugin_key_idx on plugins (plugin_key);
create index plugins_status_idx on plugins (status);

create table plugin_config (
  id {id} primary key,
  plugin_id {id} not null references plugins (id) on delete cascade,
  config_json {json} not null default '{}',
  last_error {text},
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create unique index plugin_config_plugin_id_idx on plugin_config (plugin_id);

create table plugin_state (
  id {id} primary key,
  plugin_id {id} not null references plugins (id) on delete cascade,
  scope_kind {text} not null,
  scope_id {text},
  namespace {text} not null default 'default',
  state_key {text} not null,
  value_json {json} not null,
  updated_at {timestamp} not null
){strict};
-- Two rows without a scope id are the same row; SQLite has no NULLS NOT DISTINCT.
create unique index plugin_state_unique_entry_idx
  on plugin_state (plugin_id, scope_kind, coalesce(scope_id, ''), namespace, state_key);

create table plugin_entities (
  id {id} primary key,
  plugin_id {id} not null references plugins (id) on delete cascade,
  entity_type {text} not null,
  scope_kind {text} not null,
  scope_id {text},
  external_id {text},
  title {text},
  status {text},
  data {json} not null default '{}',
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create unique index plugin_entities_external_idx on plugin_entities (plugin_id, entity_type, external_id);
create index plugin_entities_type_idx on plugin_entities (entity_type);
create index plugin_entities_scope_idx on plugin_entities (scope_kind, scope_id);

create table plugin_jobs (
  id {id} primary key,
  plugin_id {id} not null references plugins (id) on delete cascade,
  job_key {text} not null,
  schedule {text} not null,
  status {text} not null default 'active',
  last_run_at {timestamp},
  next_run_at {timestamp},
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create unique index plugin_jobs_unique_idx on plugin_jobs (plugin_id, job_key);
create index plugin_jobs_next_run_idx on plugin_jobs (next_run_at);

create table plugin_job_runs (
  id {id} primary key,
  job_id {id} not null references plugin_jobs (id) on delete cascade,
  plugin_id {id} not null references plugins (id) on delete cascade,
  trigger {text} not null,
  status {text} not null default 'pending',
  duration_ms {int},
  error {text},
  logs {json} not null default '[]',
  started_at {timestamp},
  finished_at {timestamp},
  created_at {timestamp} not null
){strict};
create index plugin_job_runs_job_idx on plugin_job_runs (job_id, created_at);
create index plugin_job_runs_plugin_idx on plugin_job_runs (plugin_id, created_at);
create index plugin_job_runs_status_idx on plugin_job_runs (status);

create table plugin_webhook_deliveries (
  id {id} primary key,
  plugin_id {id} not null references plugins (id) on delete cascade,
  webhook_key {text} not null,
  external_id {text},
  status {text} not null default 'pending',
  duration_ms {int},
  error {text},
  payload {json} not null,
  headers {json} not null default '{}',
  started_at {timestamp},
  finished_at {timestamp},
  created_at {timestamp} not null
){strict};
create index plugin_webhook_deliveries_plugin_idx on plugin_webhook_deliveries (plugin_id, created_at);
create index plugin_webhook_deliveries_status_idx on plugin_webhook_deliveries (status);
create index plugin_webhook_deliveries_key_idx on plugin_webhook_deliveries (webhook_key);

create table plugin_logs (
  id {id} primary key,
  plugin_id {id} not null references plugins (id) on delete cascade,
  level {text} not null default 'info',
  message {text} not null,
  meta {json},
  created_at {timestamp} not null
){strict};
create index plugin_logs_plugin_time_idx on plugin_logs (plugin_id, created_at);
create index plugin_logs_created_idx on plugin_logs (created_at);

create table plugin_company_settings (
  id {id} primary key,
  company_id {id} not null references companies (id) on delete cascade,
  plugin_id {id} not null references plugins (id) on delete cascade,
  enabled {bool} not null default {true},
  settings_json {json} not null default '{}',
  last_error {text},
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create unique index plugin_company_settings_company_plugin_uq on plugin_company_settings (company_id, plugin_id);
create index plugin_company_settings_plugin_idx on plugin_company_settings (plugin_id);

create table plugin_database_namespaces (
  id {id} primary key,
  plugin_id {id} not null references plugins (id) on delete cascade,
  plugin_key {text} not null,
  namespace_name {text} not null,
  namespace_mode {text} not null default 'schema',
  status {text} not null default 'active',
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create unique index plugin_database_namespaces_plugin_idx on plugin_database_namespaces (plugin_id);
create unique index plugin_database_namespaces_namespace_idx on plugin_database_namespaces (namespace_name);

create table plugin_migrations (
  id {id} primary key,
  plugin_id {id} not null references plugins (id) on delete cascade,
  plugin_key {text} not null,
  namespace_name {text} not null,
  migration_key {text} not null,
  checksum {text} not null,
  plugin_version {text} not null,
  status {text} not null,
  started_at {timestamp} not null,
  applied_at {timestamp},
  error_message {text}
){strict};
create unique index plugin_migrations_plugin_key_idx on plugin_migrations (plugin_id, migration_key);
)sql";

// OURS: variables of the server's environment that the board let a worker have.
const std::string_view plugin_grants = R"sql(
alter table plugins add column granted_variables {json} not null default '[]';
)sql";

}  // namespace paperclip::domain::schema
