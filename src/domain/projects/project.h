#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <optional>
#include <string>

#include "base/id.h"
#include "base/json.h"
#include "base/time.h"
#include "domain/actor_type.h"
#include "domain/schema/table_of.h"

/// Projects and their workspaces (spec/work-domain.md 2.1, workspaces.md 1.1).
namespace paperclip::domain {

enum class ProjectStatus { backlog, planned, in_progress, completed, cancelled };
BOOST_DESCRIBE_ENUM(ProjectStatus, backlog, planned, in_progress, completed, cancelled)

/// A body of work with a place of its own. `target_date` is `YYYY-MM-DD`.
struct Project {
  ProjectId id;
  CompanyId company_id;
  std::optional<GoalId> goal_id;
  std::string name;
  std::optional<std::string> description;
  ProjectStatus status = ProjectStatus::backlog;
  std::optional<AgentId> lead_agent_id;
  std::optional<std::string> target_date;
  std::optional<std::string> color;
  std::optional<RawJson> env;
  std::optional<PauseReason> pause_reason;
  std::optional<Timestamp> paused_at;
  std::optional<RawJson> execution_workspace_policy;
  std::optional<Timestamp> archived_at;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(Project, (),
                      (id, company_id, goal_id, name, description, status, lead_agent_id, target_date, color, env,
                       pause_reason, paused_at, execution_workspace_policy, archived_at, created_at, updated_at))
template <>
inline constexpr std::string_view table_of<Project> = "projects";

/// A project serves a goal.
struct ProjectGoal {
  ProjectId project_id;
  GoalId goal_id;
  CompanyId company_id;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(ProjectGoal, (), (project_id, goal_id, company_id, created_at, updated_at))
template <>
inline constexpr std::string_view table_of<ProjectGoal> = "project_goals";

enum class ProjectWorkspaceSource { local_path, git_repo, remote_managed, non_git_path };
BOOST_DESCRIBE_ENUM(ProjectWorkspaceSource, local_path, git_repo, remote_managed, non_git_path)

enum class ProjectWorkspaceVisibility { default_, advanced };
BOOST_DESCRIBE_ENUM(ProjectWorkspaceVisibility, default_, advanced)

/// A directory or repository of a project.
struct ProjectWorkspace {
  ProjectWorkspaceId id;
  CompanyId company_id;
  ProjectId project_id;
  std::string name;
  ProjectWorkspaceSource source_type = ProjectWorkspaceSource::local_path;
  std::optional<std::string> cwd;
  std::optional<std::string> repo_url;
  std::optional<std::string> repo_ref;
  std::optional<std::string> default_ref;
  ProjectWorkspaceVisibility visibility = ProjectWorkspaceVisibility::default_;
  std::optional<std::string> setup_command;
  std::optional<std::string> cleanup_command;
  std::optional<std::string> remote_provider;
  std::optional<std::string> remote_workspace_ref;
  std::optional<std::string> shared_workspace_key;
  std::optional<RawJson> metadata;
  bool is_primary = false;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(ProjectWorkspace, (),
                      (id, company_id, project_id, name, source_type, cwd, repo_url, repo_ref, default_ref, visibility,
                       setup_command, cleanup_command, remote_provider, remote_workspace_ref, shared_workspace_key,
                       metadata, is_primary, created_at, updated_at))
template <>
inline constexpr std::string_view table_of<ProjectWorkspace> = "project_workspaces";

}  // namespace paperclip::domain
