#include "domain/schema/parts.h"

/// Humans, their logins and the instance (spec/platform.md 3.5, 3.6, 4.1, 6.1).
namespace paperclip::domain::schema {

const std::string_view accounts = R"sql(
create table "user" (
  id {text} primary key,
  name {text} not null,
  email {text} not null unique,
  email_verified {bool} not null default {false},
  image {text},
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};

create table session (
  id {text} primary key,
  expires_at {timestamp} not null,
  token {text} not null unique,
  created_at {timestamp} not null,
  updated_at {timestamp} not null,
  ip_address {text},
  user_agent {text},
  user_id {text} not null references "user" (id) on delete cascade
){strict};
create index session_user_idx on session (user_id);

create table account (
  id {text} primary key,
  account_id {text} not null,
  provider_id {text} not null,
  user_id {text} not null references "user" (id) on delete cascade,
  access_token {text},
  refresh_token {text},
  id_token {text},
  access_token_expires_at {timestamp},
  refresh_token_expires_at {timestamp},
  scope {text},
  password {text},
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create index account_user_idx on account (user_id);

create table verification (
  id {text} primary key,
  identifier {text} not null,
  value {text} not null,
  expires_at {timestamp} not null,
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};

create table instance_settings (
  id {id} primary key,
  singleton_key {text} not null default 'default',
  general {json} not null default '{}',
  experimental {json} not null default '{}',
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create unique index instance_settings_singleton_key_idx on instance_settings (singleton_key);

create table instance_user_roles (
  id {id} primary key,
  user_id {text} not null,
  role {text} not null default 'instance_admin',
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create unique index instance_user_roles_user_role_unique_idx on instance_user_roles (user_id, role);
create index instance_user_roles_role_idx on instance_user_roles (role);

create table board_api_keys (
  id {id} primary key,
  user_id {text} not null references "user" (id) on delete cascade,
  name {text} not null,
  key_hash {text} not null,
  last_used_at {timestamp},
  revoked_at {timestamp},
  expires_at {timestamp},
  created_at {timestamp} not null
){strict};
create unique index board_api_keys_key_hash_idx on board_api_keys (key_hash);
create index board_api_keys_user_idx on board_api_keys (user_id);

create table user_sidebar_preferences (
  id {id} primary key,
  user_id {text} not null,
  company_order {json} not null default '[]',
  created_at {timestamp} not null,
  updated_at {timestamp} not null
){strict};
create unique index user_sidebar_preferences_user_uq on user_sidebar_preferences (user_id);
)sql";

}  // namespace paperclip::domain::schema
