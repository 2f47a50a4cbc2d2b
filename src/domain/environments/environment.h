#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <optional>
#include <string>

#include "base/id.h"
#include "base/json.h"
#include "base/time.h"
#include "domain/schema/table_of.h"

/// Places where agents run (spec/environments.md 1).
namespace paperclip::domain {

enum class EnvironmentDriver { local, ssh, sandbox, plugin };
BOOST_DESCRIBE_ENUM(EnvironmentDriver, local, ssh, sandbox, plugin)

enum class EnvironmentStatus { active, archived };
BOOST_DESCRIBE_ENUM(EnvironmentStatus, active, archived)

/// A place where runs can happen: this machine, an SSH host, a sandbox provider.
struct Environment {
  EnvironmentId id;
  CompanyId company_id;
  std::string name;
  std::optional<std::string> description;
  EnvironmentDriver driver = EnvironmentDriver::local;
  EnvironmentStatus status = EnvironmentStatus::active;
  RawJson config{std::string("{}")};
  std::optional<RawJson> metadata;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(Environment, (),
                      (id, company_id, name, description, driver, status, config, metadata, created_at, updated_at))
template <>
inline constexpr std::string_view table_of<Environment> = "environments";

enum class LeaseStatus { active, released, expired, failed, retained };
BOOST_DESCRIBE_ENUM(LeaseStatus, active, released, expired, failed, retained)

enum class LeasePolicy { ephemeral, reuse_by_environment, reuse_by_execution_workspace, retain_on_failure };
BOOST_DESCRIBE_ENUM(LeasePolicy, ephemeral, reuse_by_environment, reuse_by_execution_workspace, retain_on_failure)

enum class LeaseCleanupStatus { pending, success, failed };
BOOST_DESCRIBE_ENUM(LeaseCleanupStatus, pending, success, failed)

/// A run's hold of an environment.
struct EnvironmentLease {
  LeaseId id;
  CompanyId company_id;
  EnvironmentId environment_id;
  std::optional<ExecutionWorkspaceId> execution_workspace_id;
  std::optional<IssueId> issue_id;
  std::optional<RunId> heartbeat_run_id;
  LeaseStatus status = LeaseStatus::active;
  LeasePolicy lease_policy = LeasePolicy::ephemeral;
  std::optional<std::string> provider;
  std::optional<std::string> provider_lease_id;
  Timestamp acquired_at;
  Timestamp last_used_at;
  std::optional<Timestamp> expires_at;
  std::optional<Timestamp> released_at;
  std::optional<std::string> failure_reason;
  std::optional<LeaseCleanupStatus> cleanup_status;
  std::optional<RawJson> metadata;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(EnvironmentLease, (),
                      (id, company_id, environment_id, execution_workspace_id, issue_id, heartbeat_run_id, status,
                       lease_policy, provider, provider_lease_id, acquired_at, last_used_at, expires_at, released_at,
                       failure_reason, cleanup_status, metadata, created_at, updated_at))
template <>
inline constexpr std::string_view table_of<EnvironmentLease> = "environment_leases";

}  // namespace paperclip::domain
