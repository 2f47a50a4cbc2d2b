#include "domain/schema/parts.h"

/// Goals, projects and the places where projects live (spec/work-domain.md 1–2, workspaces.md 1, 3.3).
namespace paperclip::domain::schema {

const std::string_view projects = R"sql(
create table goals (
  id {id} primary key,
  company_id {id} not null references companies (id),
  title {text} not null,
  description {text},
  level {text} not null default 'task',
  status {text} not null default 'planned',
  parent_id {id} references goals (id),
  owner_agent_id {id} references agents (id),
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create index goals_company_idx on goals (company_id, created_at);

create table projects (
  id {id} primary key,
  company_id {id} not null references companies (id),
  goal_id {id} references goals (id),
  name {text} not null,
  description {text},
  status {text} not null default 'backlog',
  lead_agent_id {id} references agents (id),
  target_date {text},
  color {text},
  env {json},
  pause_reason {text},
  paused_at {timestamp},
  execution_workspace_policy {json},
  archived_at {timestamp},
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create index projects_company_idx on projects (company_id, created_at);

create table project_goals (
  project_id {id} not null references projects (id) on delete cascade,
  goal_id {id} not null references goals (id) on delete cascade,
  company_id {id} not null references companies (id),
  created_at {timestamp} not null,
  updated_at {timestamp} not null,
  primary key (project_id, goal_id)
){strict};
create index project_goals_goal_idx on project_goals (goal_id);
create index project_goals_company_idx on project_goals (company_id);

create table project_workspaces (
  id {id} primary key,
  company_id {id} not null references companies (id),
  project_id {id} not null references projects (id) on delete cascade,
  name {text} not null,
  source_type {text} not null default 'local_path',
  cwd {text},
  repo_url {text},
  repo_ref {text},
  default_ref {text},
  visibility {text} not null default 'default',
  setup_command {text},
  cleanup_command {text},
  remote_provider {text},
  remote_workspace_ref {text},
  shared_workspace_key {text},
  metadata {json},
  is_primary {bool} not null default {false},
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create index project_workspaces_company_project_idx on project_workspaces (company_id, project_id);
create index project_workspaces_company_shared_key_idx on project_workspaces (company_id, shared_workspace_key)
  where shared_workspace_key is not null;
create unique index project_workspaces_project_remote_ref_idx
  on project_workspaces (project_id, remote_provider, remote_workspace_ref);

-- source_issue_id follows in the part `issues`, because the two tables name each other.
create table execution_workspaces (
  id {id} primary key,
  company_id {id} not null references companies (id),
  project_id {id} not null references projects (id) on delete cascade,
  project_workspace_id {id} references project_workspaces (id) on delete set null,
  mode {text} not null,
  strategy_type {text} not null,
  name {text} not null,
  status {text} not null default 'active',
  cwd {text},
  repo_url {text},
  base_ref {text},
  branch_name {text},
  provider_type {text} not null default 'local_fs',
  provider_ref {text},
  derived_from_execution_workspace_id {id} references execution_workspaces (id) on delete set null,
  last_used_at {timestamp} not null,
  opened_at {timestamp} not null,
  closed_at {timestamp},
  cleanup_eligible_at {timestamp},
  cleanup_reason {text},
  metadata {json},
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create index execution_workspaces_company_project_status_idx
  on execution_workspaces (company_id, project_id, status);
create index execution_workspaces_company_last_used_idx on execution_workspaces (company_id, last_used_at);
)sql";

}  // namespace paperclip::domain::schema
