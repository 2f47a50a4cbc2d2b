#include "domain/schema/parts.h"

/// Companies, their environments and agents, and what hangs on them (spec/organisation.md 1–2, 6; environments.md 1).
namespace paperclip::domain::schema {

const std::string_view companies = R"sql(
create table companies (
  id {id} primary key,
  name {text} not null,
  description {text},
  status {text} not null default 'active',
  pause_reason {text},
  paused_at {timestamp},
  issue_prefix {text} not null default 'PAP',
  issue_counter {int} not null default 0,
  budget_monthly_cents {bigint} not null default 0,
  spent_monthly_cents {bigint} not null default 0,
  attachment_max_bytes {int} not null default 10485760,
  require_board_approval_for_new_agents {bool} not null default {false},
  feedback_data_sharing_enabled {bool} not null default {false},
  feedback_data_sharing_consent_at {timestamp},
  feedback_data_sharing_consent_by_user_id {text},
  feedback_data_sharing_terms_version {text},
  brand_color {text},
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create unique index companies_issue_prefix_idx on companies (issue_prefix);

create table environments (
  id {id} primary key,
  company_id {id} not null references companies (id) on delete cascade,
  name {text} not null,
  description {text},
  driver {text} not null default 'local',
  status {text} not null default 'active',
  config {json} not null default '{}',
  metadata {json},
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create index environments_company_status_idx on environments (company_id, status);
create index environments_company_name_idx on environments (company_id, name);
create unique index environments_company_driver_idx on environments (company_id, driver) where driver = 'local';

create table agents (
  id {id} primary key,
  company_id {id} not null references companies (id),
  name {text} not null,
  role {text} not null default 'general',
  title {text},
  icon {text},
  status {text} not null default 'idle',
  reports_to {id} references agents (id),
  capabilities {text},
  adapter_type {text} not null default 'process',
  adapter_config {json} not null default '{}',
  runtime_config {json} not null default '{}',
  default_environment_id {id} references environments (id) on delete set null,
  budget_monthly_cents {bigint} not null default 0,
  spent_monthly_cents {bigint} not null default 0,
  pause_reason {text},
  paused_at {timestamp},
  permissions {json} not null default '{}',
  last_heartbeat_at {timestamp},
  metadata {json},
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create index agents_company_status_idx on agents (company_id, status);
create index agents_company_reports_to_idx on agents (company_id, reports_to);
create index agents_company_default_environment_idx on agents (company_id, default_environment_id);

create table agent_api_keys (
  id {id} primary key,
  agent_id {id} not null references agents (id),
  company_id {id} not null references companies (id),
  name {text} not null,
  key_hash {text} not null,
  last_used_at {timestamp},
  revoked_at {timestamp},
  created_at {timestamp} not null
){strict};
create index agent_api_keys_key_hash_idx on agent_api_keys (key_hash);
create index agent_api_keys_company_agent_idx on agent_api_keys (company_id, agent_id);

create table agent_config_revisions (
  id {id} primary key,
  company_id {id} not null references companies (id),
  agent_id {id} not null references agents (id) on delete cascade,
  created_by_agent_id {id} references agents (id) on delete set null,
  created_by_user_id {text},
  source {text} not null default 'patch',
  rolled_back_from_revision_id {id},
  changed_keys {json} not null default '[]',
  before_config {json} not null,
  after_config {json} not null,
  created_at {timestamp} not null
){strict};
create index agent_config_revisions_agent_created_idx on agent_config_revisions (agent_id, created_at);

create table assets (
  id {id} primary key,
  company_id {id} not null references companies (id),
  provider {text} not null,
  object_key {text} not null,
  content_type {text} not null,
  byte_size {int} not null,
  sha256 {text} not null,
  original_filename {text},
  created_by_agent_id {id} references agents (id),
  created_by_user_id {text},
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create unique index assets_company_object_key_uq on assets (company_id, object_key);
create index assets_company_created_idx on assets (company_id, created_at);

create table company_logos (
  id {id} primary key,
  company_id {id} not null references companies (id) on delete cascade,
  asset_id {id} not null references assets (id) on delete cascade,
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create unique index company_logos_company_uq on company_logos (company_id);
create unique index company_logos_asset_uq on company_logos (asset_id);

create table company_secrets (
  id {id} primary key,
  company_id {id} not null references companies (id),
  name {text} not null,
  provider {text} not null default 'local_encrypted',
  external_ref {text},
  latest_version {int} not null default 1,
  description {text},
  created_by_agent_id {id} references agents (id) on delete set null,
  created_by_user_id {text},
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create unique index company_secrets_company_name_uq on company_secrets (company_id, name);

create table company_secret_versions (
  id {id} primary key,
  secret_id {id} not null references company_secrets (id) on delete cascade,
  version {int} not null,
  material {json} not null,
  value_sha256 {text} not null,
  created_by_agent_id {id} references agents (id) on delete set null,
  created_by_user_id {text},
  created_at {timestamp} not null,
  revoked_at {timestamp}
){strict};
create unique index company_secret_versions_secret_version_uq on company_secret_versions (secret_id, version);

create table company_skills (
  id {id} primary key,
  company_id {id} not null references companies (id),
  key {text} not null,
  slug {text} not null,
  name {text} not null,
  description {text},
  markdown {text} not null,
  source_type {text} not null default 'local_path',
  source_locator {text},
  source_ref {text},
  trust_level {text} not null default 'markdown_only',
  compatibility {text} not null default 'compatible',
  file_inventory {json} not null default '[]',
  metadata {json},
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create unique index company_skills_company_key_idx on company_skills (company_id, key);
create index company_skills_company_name_idx on company_skills (company_id, name);

create table labels (
  id {id} primary key,
  company_id {id} not null references companies (id) on delete cascade,
  name {text} not null,
  color {text} not null,
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create unique index labels_company_name_idx on labels (company_id, name);
)sql";

}  // namespace paperclip::domain::schema
