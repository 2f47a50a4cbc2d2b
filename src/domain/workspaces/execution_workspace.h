#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "base/id.h"
#include "base/json.h"
#include "base/time.h"
#include "domain/schema/table_of.h"

/// Where runs of a project work, and what was done there (spec/workspaces.md 3.3, 7).
namespace paperclip::domain {

enum class ExecutionWorkspaceMode {
  shared_workspace,
  isolated_workspace,
  operator_branch,
  adapter_managed,
  cloud_sandbox
};
BOOST_DESCRIBE_ENUM(ExecutionWorkspaceMode, shared_workspace, isolated_workspace, operator_branch, adapter_managed,
                    cloud_sandbox)

enum class ExecutionWorkspaceStrategy { project_primary, git_worktree, adapter_managed, cloud_sandbox };
BOOST_DESCRIBE_ENUM(ExecutionWorkspaceStrategy, project_primary, git_worktree, adapter_managed, cloud_sandbox)

enum class ExecutionWorkspaceStatus { active, idle, in_review, archived, cleanup_failed };
BOOST_DESCRIBE_ENUM(ExecutionWorkspaceStatus, active, idle, in_review, archived, cleanup_failed)

/// A directory made or chosen for the runs of an issue.
struct ExecutionWorkspace {
  ExecutionWorkspaceId id;
  CompanyId company_id;
  ProjectId project_id;
  std::optional<ProjectWorkspaceId> project_workspace_id;
  std::optional<IssueId> source_issue_id;
  ExecutionWorkspaceMode mode{};
  ExecutionWorkspaceStrategy strategy_type{};
  std::string name;
  ExecutionWorkspaceStatus status = ExecutionWorkspaceStatus::active;
  std::optional<std::string> cwd;
  std::optional<std::string> repo_url;
  std::optional<std::string> base_ref;
  std::optional<std::string> branch_name;
  std::string provider_type = "local_fs";
  std::optional<std::string> provider_ref;
  std::optional<ExecutionWorkspaceId> derived_from_execution_workspace_id;
  Timestamp last_used_at;
  Timestamp opened_at;
  std::optional<Timestamp> closed_at;
  std::optional<Timestamp> cleanup_eligible_at;
  std::optional<std::string> cleanup_reason;
  std::optional<RawJson> metadata;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(ExecutionWorkspace, (),
                      (id, company_id, project_id, project_workspace_id, source_issue_id, mode, strategy_type, name,
                       status, cwd, repo_url, base_ref, branch_name, provider_type, provider_ref,
                       derived_from_execution_workspace_id, last_used_at, opened_at, closed_at, cleanup_eligible_at,
                       cleanup_reason, metadata, created_at, updated_at))
template <>
inline constexpr std::string_view table_of<ExecutionWorkspace> = "execution_workspaces";

enum class WorkspaceOperationPhase { worktree_prepare, workspace_provision, workspace_teardown, worktree_cleanup };
BOOST_DESCRIBE_ENUM(WorkspaceOperationPhase, worktree_prepare, workspace_provision, workspace_teardown,
                    worktree_cleanup)

enum class WorkspaceOperationStatus { running, succeeded, failed, skipped };
BOOST_DESCRIBE_ENUM(WorkspaceOperationStatus, running, succeeded, failed, skipped)

/// A command that prepared or cleaned up a workspace.
struct WorkspaceOperation {
  WorkspaceOperationId id;
  CompanyId company_id;
  std::optional<ExecutionWorkspaceId> execution_workspace_id;
  std::optional<RunId> heartbeat_run_id;
  WorkspaceOperationPhase phase{};
  std::optional<std::string> command;
  std::optional<std::string> cwd;
  WorkspaceOperationStatus status = WorkspaceOperationStatus::running;
  std::optional<int> exit_code;
  std::optional<std::string> log_store;
  std::optional<std::string> log_ref;
  std::optional<std::int64_t> log_bytes;
  std::optional<std::string> log_sha256;
  bool log_compressed = false;
  std::optional<std::string> stdout_excerpt;
  std::optional<std::string> stderr_excerpt;
  std::optional<RawJson> metadata;
  Timestamp started_at;
  std::optional<Timestamp> finished_at;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(WorkspaceOperation, (),
                      (id, company_id, execution_workspace_id, heartbeat_run_id, phase, command, cwd, status, exit_code,
                       log_store, log_ref, log_bytes, log_sha256, log_compressed, stdout_excerpt, stderr_excerpt,
                       metadata, started_at, finished_at, created_at, updated_at))
template <>
inline constexpr std::string_view table_of<WorkspaceOperation> = "workspace_operations";

}  // namespace paperclip::domain
