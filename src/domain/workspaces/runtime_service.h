#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <optional>
#include <string>

#include "base/id.h"
#include "base/json.h"
#include "base/time.h"
#include "domain/schema/table_of.h"
#include "domain/workspaces/health.h"

/// Services that run beside the work (spec/workspaces.md 8.2).
namespace paperclip::domain {

enum class RuntimeServiceScope { project_workspace, execution_workspace, run, agent };
BOOST_DESCRIBE_ENUM(RuntimeServiceScope, project_workspace, execution_workspace, run, agent)

enum class RuntimeServiceStatus { starting, running, stopped, failed };
BOOST_DESCRIBE_ENUM(RuntimeServiceStatus, starting, running, stopped, failed)

enum class RuntimeServiceLifecycle { shared, ephemeral };
BOOST_DESCRIBE_ENUM(RuntimeServiceLifecycle, shared, ephemeral)

/// A long-running process of a workspace, such as a development server.
struct WorkspaceRuntimeService {
  RuntimeServiceId id;
  CompanyId company_id;
  std::optional<ProjectId> project_id;
  std::optional<ProjectWorkspaceId> project_workspace_id;
  std::optional<ExecutionWorkspaceId> execution_workspace_id;
  std::optional<IssueId> issue_id;
  RuntimeServiceScope scope_type{};
  std::optional<std::string> scope_id;
  std::string service_name;
  RuntimeServiceStatus status{};
  RuntimeServiceLifecycle lifecycle{};
  std::optional<std::string> reuse_key;
  std::optional<std::string> command;
  std::optional<std::string> cwd;
  std::optional<int> port;
  std::optional<std::string> url;
  std::string provider;
  std::optional<std::string> provider_ref;
  std::optional<AgentId> owner_agent_id;
  std::optional<RunId> started_by_run_id;
  Timestamp last_used_at;
  Timestamp started_at;
  std::optional<Timestamp> stopped_at;
  std::optional<RawJson> stop_policy;
  HealthStatus health_status = HealthStatus::unknown;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(WorkspaceRuntimeService, (),
                      (id, company_id, project_id, project_workspace_id, execution_workspace_id, issue_id, scope_type,
                       scope_id, service_name, status, lifecycle, reuse_key, command, cwd, port, url, provider,
                       provider_ref, owner_agent_id, started_by_run_id, last_used_at, started_at, stopped_at,
                       stop_policy, health_status, created_at, updated_at))
template <>
inline constexpr std::string_view table_of<WorkspaceRuntimeService> = "workspace_runtime_services";

}  // namespace paperclip::domain
