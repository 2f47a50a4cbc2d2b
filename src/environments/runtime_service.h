#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "domain/workspaces/commands.h"
#include "domain/workspaces/host_command.h"
#include "domain/workspaces/runtime_service.h"
#include "os/process.h"

/// One service of a workspace, ready to start: its configuration rendered for the place where it shall run
/// (spec/workspaces.md 8.1–8.3).
namespace paperclip::environments {

/// What templates may name and where the service belongs.
struct ServicePlace {
  CompanyId company_id;
  std::optional<ProjectId> project_id;
  std::optional<ProjectWorkspaceId> project_workspace_id;
  std::optional<ExecutionWorkspaceId> execution_workspace_id;
  std::optional<IssueId> issue_id;
  std::optional<AgentId> agent_id;
  std::string cwd;  // of the workspace
  json::object template_data;  // workspace, issue, agent
};

struct ServiceSpec {
  domain::WorkspaceRuntimeService row;  // ids, scope, name, command, cwd, lifecycle, reuse key, stop policy
  domain::HostCommand command;
  os::Environment variables;  // rendered; without the port
  std::optional<int> port;    // asked for; `auto_port` takes any
  bool auto_port = false;
  std::string port_variable = "PORT";
  std::string url_template, ready_template;  // empty: none
  std::chrono::milliseconds ready_timeout{30'000}, ready_interval{500};
  json::object template_data;
  std::string env_fingerprint, service_key;
};

/// Error `Runtime service "x" is missing command`.
Result<ServiceSpec> service_spec(const domain::WorkspaceCommand& command, const ServicePlace& place);

/// A job's command line and directory, rendered. Error `Workspace job "x" is missing command`.
struct JobSpec {
  domain::HostCommand command;
  std::string cwd;
  os::Environment variables;
};
Result<JobSpec> job_spec(const domain::WorkspaceCommand& command, const ServicePlace& place);

}  // namespace paperclip::environments
