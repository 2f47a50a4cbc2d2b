#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/fields.h"
#include "base/read_json.h"
#include "domain/access/scope.h"
#include "domain/projects/project.h"
#include "domain/projects/workspaces.h"
#include "store/transaction.h"

/// Projects (spec/work-domain.md 2).
namespace paperclip::domain {

/// How issues of a project get their workspace (spec/work-domain.md 2.4); stored as it was sent.
struct WorkspacePolicy {
  RawJson value;
  static void read(const json::value* value, WorkspacePolicy& out, SchemaIssues& issues);
};

/// An environment as clients send it: names to strings or bindings; checked in depth by `normalise_env`.
struct EnvBindings {
  json::object value;
  static void read(const json::value* value, EnvBindings& out, SchemaIssues& issues);
};

struct ProjectFields {
  Patch<GoalId> goal_id;
  Omit<std::vector<GoalId>> goal_ids;
  Patch<std::string> description;
  Omit<ProjectStatus> status;
  Patch<AgentId> lead_agent_id;
  Patch<std::string> target_date, color;
  Patch<EnvBindings> env;
  Patch<WorkspacePolicy> execution_workspace_policy;
  Patch<Timestamp> archived_at;
};
BOOST_DESCRIBE_STRUCT(ProjectFields, (), (goal_id, goal_ids, description, status, lead_agent_id, target_date, color, env, execution_workspace_policy, archived_at))

struct NewProject {
  Text<1> name;
  Flat<ProjectFields> fields;
  Omit<NewWorkspace> workspace;
};
BOOST_DESCRIBE_STRUCT(NewProject, (), (name, fields, workspace))

struct ProjectPatch {
  Omit<Text<1>> name;
  Flat<ProjectFields> fields;
};
BOOST_DESCRIBE_STRUCT(ProjectPatch, (), (name, fields))

/// `urlKey` of a project: its name's, with the first 8 digits of the id where the name is not plain ASCII.
std::string project_url_key(std::string_view name, const ProjectId& id);

/// What the rules need of the server: whether plain secrets are refused, and where managed checkouts live.
struct ProjectSettings {
  bool strict_secrets = false;
  std::filesystem::path instance_root;
};

Result<ProjectId> create_project(store::Transaction& tx, const CompanyScope& scope, const NewProject& project, const ProjectSettings& settings);
/// `changed_keys` are the keys of the request body. 404 `Project not found`.
Result<> update_project(store::Transaction& tx, const CompanyScope& scope, ProjectId id, const ProjectPatch& patch, const ProjectSettings& settings,
                        const std::vector<std::string>& changed_keys);
/// 409 while issues or costs refer to it (OURS; 500 upstream).
Result<Project> delete_project(store::Transaction& tx, const CompanyScope& scope, ProjectId id);

/// The full wire object (spec/work-domain.md 2.3).
void append_project_json(std::string& out, store::Reader& reader, const Project& project, const std::filesystem::path& instance_root);
std::optional<Project> find_project(store::Reader& reader, CompanyId company, ProjectId id);

}  // namespace paperclip::domain
