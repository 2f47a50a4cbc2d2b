#include "domain/schema/parts.h"

/// What keeps a sandbox one run's (spec/environments.md 8; OURS).
namespace paperclip::domain::schema {

const std::string_view exclusive_leases = R"sql(
create unique index environment_leases_exclusive_idx on environment_leases (environment_id, provider_lease_id)
  where status = 'active' and lease_policy in ('reuse_by_environment', 'reuse_by_execution_workspace');
)sql";

}  // namespace paperclip::domain::schema
