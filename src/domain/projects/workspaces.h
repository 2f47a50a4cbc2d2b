#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/fields.h"
#include "base/read_json.h"
#include "domain/access/scope.h"
#include "domain/projects/project.h"
#include "store/transaction.h"

/// The directories and repositories of projects (spec/work-domain.md 2.4).
namespace paperclip::domain {

/// `{workspaceRuntime?, desiredState?, serviceStates?}`; merged field-wise into `metadata.runtimeConfig`.
struct WorkspaceRuntimeConfig {
  json::object value;
  static void read(const json::value* value, WorkspaceRuntimeConfig& out, SchemaIssues& issues);
};

struct WorkspaceFields {
  Patch<std::string> name;
  Omit<ProjectWorkspaceSource> source_type;
  Patch<std::string> cwd;
  Patch<Url> repo_url;
  Patch<std::string> repo_ref, default_ref;
  Omit<ProjectWorkspaceVisibility> visibility;
  Patch<std::string> setup_command, cleanup_command, remote_provider, remote_workspace_ref, shared_workspace_key;
  Patch<JsonObject> metadata;
  Patch<WorkspaceRuntimeConfig> runtime_config;
  Omit<bool> is_primary;
};
BOOST_DESCRIBE_STRUCT(WorkspaceFields, (), (name, source_type, cwd, repo_url, repo_ref, default_ref, visibility, setup_command, cleanup_command,
                                            remote_provider, remote_workspace_ref, shared_workspace_key, metadata, runtime_config, is_primary))

struct NewWorkspace {
  Flat<WorkspaceFields> fields;
  void check(SchemaIssues& issues) const;
};
BOOST_DESCRIBE_STRUCT(NewWorkspace, (), (fields))

struct WorkspacePatch {
  Flat<WorkspaceFields> fields;
};
BOOST_DESCRIBE_STRUCT(WorkspacePatch, (), (fields))

/// A workspace that only has a repository is stored with this directory and reads as having none.
inline constexpr std::string_view repo_only_cwd = "/__paperclip_repo_only__";

/// The last path segment of a repository's URL without `.git`; nothing for what is no URL.
std::optional<std::string> repository_name(const std::optional<std::string>& url);

/// Primary first, then by age.
std::vector<ProjectWorkspace> workspaces_of_project(store::Reader& reader, ProjectId project);
std::optional<ProjectWorkspace> find_workspace(store::Reader& reader, ProjectId project, std::string_view id);
void append_workspace_json(std::string& out, store::Reader& reader, const ProjectWorkspace& workspace);

/// 422 `Invalid project workspace payload`; 403 when an agent sets a cleanup command. Writes no activity.
Result<ProjectWorkspace> insert_workspace(store::Transaction& tx, const CompanyScope& scope, ProjectId project, const NewWorkspace& workspace);
/// 404 `Project workspace not found`.
Result<ProjectWorkspace> update_workspace(store::Transaction& tx, const CompanyScope& scope, ProjectId project, std::string_view id, const WorkspacePatch& patch);
Result<ProjectWorkspace> delete_workspace(store::Transaction& tx, const CompanyScope& scope, ProjectId project, std::string_view id);

}  // namespace paperclip::domain
