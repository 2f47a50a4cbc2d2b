#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/fields.h"
#include "base/read_json.h"
#include "domain/access/scope.h"
#include "domain/workspaces/desired_state.h"
#include "domain/workspaces/execution_workspace.h"
#include "store/transaction.h"

/// Execution workspaces as people see and change them (spec/workspaces.md 6.2, 6.4).
namespace paperclip::domain {

/// As clients see it: the columns, `config` out of the metadata, the services.
void append_execution_workspace(std::string& out, store::Reader& reader, const ExecutionWorkspace& row);
std::optional<ExecutionWorkspace> find_execution_workspace(store::Reader& reader, CompanyId company, ExecutionWorkspaceId id);

struct ExecutionWorkspaceFilter {
  std::optional<ProjectId> project_id;
  std::optional<ProjectWorkspaceId> project_workspace_id;
  std::optional<IssueId> issue_id;  // the one it was made for
  std::vector<ExecutionWorkspaceStatus> statuses;  // empty: any
  bool reuse_eligible = false;
};
/// Last used first; at most 1,000.
std::vector<ExecutionWorkspace> list_execution_workspaces(store::Reader& reader, CompanyId company, const ExecutionWorkspaceFilter& filter);

struct ExecutionWorkspaceConfigBody {
  static constexpr bool strict = true;
  Patch<EnvironmentId> environment_id;
  Patch<std::string> provision_command, teardown_command, cleanup_command;
  Patch<JsonObject> workspace_runtime;
  Patch<DesiredState> desired_state;
  Patch<std::map<std::string, DesiredState>> service_states;
};
BOOST_DESCRIBE_STRUCT(ExecutionWorkspaceConfigBody, (),
                      (environment_id, provision_command, teardown_command, cleanup_command, workspace_runtime, desired_state, service_states))

struct ExecutionWorkspacePatch {
  static constexpr bool strict = true;
  Omit<Text<1>> name;
  Patch<std::string> cwd, repo_url, base_ref, branch_name, provider_ref;
  Omit<ExecutionWorkspaceStatus> status;
  Patch<Timestamp> cleanup_eligible_at;
  Patch<std::string> cleanup_reason;
  Patch<ExecutionWorkspaceConfigBody> config;
  Patch<JsonObject> metadata;
};
BOOST_DESCRIBE_STRUCT(ExecutionWorkspacePatch, (),
                      (name, cwd, repo_url, base_ref, branch_name, provider_ref, status, cleanup_eligible_at, cleanup_reason, config, metadata))

/// Whether the patch closes this workspace.
bool closes(const ExecutionWorkspacePatch& patch, const ExecutionWorkspace& row);

/// 403 when an agent sets what the host would run, or where the host would delete (OURS).
Result<> check_workspace_patch(const CompanyScope& scope, const ExecutionWorkspacePatch& patch);

/// Changes the row. A patch that closes it also sets `closedAt`, takes issues off a shared workspace, and refuses with
/// 409 while an isolated one has open issues; the cleanup of what is on the disk follows after. Writes no activity.
Result<ExecutionWorkspace> patch_execution_workspace(store::Transaction& tx, const CompanyScope& scope, ExecutionWorkspaceId id, const ExecutionWorkspacePatch& patch);

/// What the cleanup left (spec 6.2): `cleanup_failed` where something stayed, warnings as the reason.
void record_cleanup(store::Transaction& tx, ExecutionWorkspaceId id, const std::vector<std::string>& warnings, bool cleaned);

/// `execution_workspace.updated`
void log_workspace_update(store::Transaction& tx, const CompanyScope& scope, ExecutionWorkspaceId id, const std::vector<std::string>& changed_keys,
                          const std::vector<std::string>& cleanup_warnings);

/// `metadata.config` of a row; an empty object if there is none.
json::object workspace_config(const std::optional<RawJson>& metadata);
/// Puts configuration keys into `metadata.config`; blank texts become null, a block of nulls goes.
std::optional<RawJson> merged_workspace_config(const std::optional<RawJson>& metadata, const json::object& changes);

}  // namespace paperclip::domain
