#include "domain/schema/parts.h"

/// What keeps a sandbox one run's (spec/environments.md 8; OURS).
namespace paperclip::domain::schema {

const std::string_view exclusive_leases = R"sql(
create unique index environment_leases_exclusive_idx on environment_leases (environment_id, provider_lease_id)
  where status = 'active' and lease_policy in ('reuse_by_environment', 'reuse_by_execution_workspace');
)sql";

// Directories elsewhere in which one run at a time works (OURS).
const std::string_view held_directories = R"sql(
create table held_directories (
  directory {text} primary key not null,
  run_id {id} not null references heartbeat_runs (id) on delete cascade,
  since {timestamp} not null
){strict};
create index held_directories_run_idx on held_directories (run_id);
)sql";

}  // namespace paperclip::domain::schema
