#include "domain/schema/parts.h"

/// Who may act in a company, and how they came in (spec/platform.md 3.6, 4.1, 5.1; work-domain.md 7).
namespace paperclip::domain::schema {

const std::string_view access = R"sql(
create table company_memberships (
  id {id} primary key,
  company_id {id} not null references companies (id),
  principal_type {text} not null,
  principal_id {text} not null,
  status {text} not null default 'active',
  membership_role {text},
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create unique index company_memberships_company_principal_unique_idx
  on company_memberships (company_id, principal_type, principal_id);
create index company_memberships_principal_status_idx on company_memberships (principal_type, principal_id, status);

create table principal_permission_grants (
  id {id} primary key,
  company_id {id} not null references companies (id),
  principal_type {text} not null,
  principal_id {text} not null,
  permission_key {text} not null,
  scope {json},
  granted_by_user_id {text},
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create unique index principal_permission_grants_unique_idx
  on principal_permission_grants (company_id, principal_type, principal_id, permission_key);

create table invites (
  id {id} primary key,
  company_id {id} references companies (id),
  invite_type {text} not null default 'company_join',
  token_hash {text} not null,
  allowed_join_types {text} not null default 'both',
  defaults_payload {json},
  expires_at {timestamp} not null,
  invited_by_user_id {text},
  revoked_at {timestamp},
  accepted_at {timestamp},
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create unique index invites_token_hash_unique_idx on invites (token_hash);
create index invites_company_created_idx on invites (company_id, created_at);

create table join_requests (
  id {id} primary key,
  invite_id {id} not null references invites (id),
  company_id {id} not null references companies (id),
  request_type {text} not null,
  status {text} not null default 'pending_approval',
  request_ip {text} not null,
  requesting_user_id {text},
  request_email_snapshot {text},
  agent_name {text},
  adapter_type {text},
  capabilities {text},
  agent_defaults_payload {json},
  claim_secret_hash {text},
  claim_secret_expires_at {timestamp},
  claim_secret_consumed_at {timestamp},
  created_agent_id {id} references agents (id),
  approved_by_user_id {text},
  approved_at {timestamp},
  rejected_by_user_id {text},
  rejected_at {timestamp},
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create unique index join_requests_invite_unique_idx on join_requests (invite_id);
create index join_requests_company_status_created_idx on join_requests (company_id, status, created_at);
create unique index join_requests_pending_human_user_uq on join_requests (company_id, requesting_user_id)
  where request_type = 'human' and status = 'pending_approval' and requesting_user_id is not null;
create unique index join_requests_pending_human_email_uq on join_requests (company_id, lower(request_email_snapshot))
  where request_type = 'human' and status = 'pending_approval' and request_email_snapshot is not null;

create table cli_auth_challenges (
  id {id} primary key,
  secret_hash {text} not null,
  command {text} not null,
  client_name {text},
  requested_access {text} not null default 'board',
  requested_company_id {id} references companies (id) on delete set null,
  pending_key_hash {text} not null,
  pending_key_name {text} not null,
  approved_by_user_id {text} references "user" (id) on delete set null,
  board_api_key_id {id} references board_api_keys (id) on delete set null,
  approved_at {timestamp},
  cancelled_at {timestamp},
  expires_at {timestamp} not null,
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create index cli_auth_challenges_board_api_key_idx on cli_auth_challenges (board_api_key_id);

create table company_user_sidebar_preferences (
  id {id} primary key,
  company_id {id} not null references companies (id) on delete cascade,
  user_id {text} not null,
  project_order {json} not null default '[]',
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create unique index company_user_sidebar_preferences_company_user_uq
  on company_user_sidebar_preferences (company_id, user_id);

create table inbox_dismissals (
  id {id} primary key,
  company_id {id} not null references companies (id),
  user_id {text} not null,
  item_key {text} not null,
  dismissed_at {timestamp} not null,
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create unique index inbox_dismissals_company_user_item_idx on inbox_dismissals (company_id, user_id, item_key);
)sql";

}  // namespace paperclip::domain::schema
