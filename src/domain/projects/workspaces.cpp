#include "domain/projects/workspaces.h"

#include <algorithm>

#include "domain/workspaces/desired_state.h"
#include "domain/workspaces/service_views.h"

namespace paperclip::domain {

namespace {

struct RuntimeConfigBody {
  static constexpr bool strict = true;
  std::optional<JsonObject> workspace_runtime;
  std::optional<DesiredState> desired_state;
  std::optional<std::map<std::string, DesiredState>> service_states;
};
BOOST_DESCRIBE_STRUCT(RuntimeConfigBody, (), (workspace_runtime, desired_state, service_states))

// Blank text counts as none.
std::optional<std::string> cleaned(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  std::string out(trim(*text));
  return out.empty() ? std::nullopt : std::optional(out);
}
void apply_text(const Patch<std::string>& patch, std::optional<std::string>& to) {
  if (patch) to = cleaned(patch.optional());
}

std::string last_segment(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  const auto slash = path.rfind('/');
  return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
}

std::string derived_name(const ProjectWorkspace& workspace) {
  if (workspace.cwd && *workspace.cwd != repo_only_cwd)
    if (auto name = last_segment(*workspace.cwd); !name.empty()) return name;
  return repository_name(workspace.repo_url).value_or("Workspace");
}

void merge_runtime_config(ProjectWorkspace& workspace, const Patch<WorkspaceRuntimeConfig>& patch) {
  if (!patch) return;
  json::value metadata = workspace.metadata ? workspace.metadata->parse() : json::value(json::object());
  if (!metadata.is_object()) metadata = json::object();
  auto& object = metadata.get_object();
  if (patch.is_null()) {
    object.erase("runtimeConfig");
  } else {
    json::value& slot = object["runtimeConfig"];
    if (!slot.is_object()) slot = {{"workspaceRuntime", nullptr}, {"desiredState", nullptr}, {"serviceStates", nullptr}};
    for (const auto& item : patch->value) slot.get_object()[item.key()] = item.value();
  }
  workspace.metadata = object.empty() ? std::nullopt : std::optional(RawJson(metadata));
}

// Only a board may set what the host executes (OURS: the commands of services too).
Result<> refuse_commands(const CompanyScope& scope, const WorkspaceFields& fields) {
  if (!scope.actor().is_agent()) return {};
  std::string paths;
  if (fields.cleanup_command) paths = "cleanupCommand";
  if (fields.runtime_config.has_value() && fields.runtime_config->value.contains("workspaceRuntime"))
    (paths += paths.empty() ? "" : ", ") += "runtimeConfig.workspaceRuntime";
  if (paths.empty()) return {};
  return forbidden("Agent keys cannot modify host-executed workspace commands (" + paths + ").");
}

void apply(const WorkspaceFields& fields, ProjectWorkspace& workspace) {
  if (fields.source_type) workspace.source_type = *fields.source_type;
  apply_text(fields.cwd, workspace.cwd);
  if (fields.repo_url) workspace.repo_url = fields.repo_url.has_value() ? cleaned(std::string(*fields.repo_url)) : std::nullopt;
  apply_text(fields.repo_ref, workspace.repo_ref);
  apply_text(fields.default_ref, workspace.default_ref);
  if (fields.visibility) workspace.visibility = *fields.visibility;
  apply_text(fields.setup_command, workspace.setup_command);
  apply_text(fields.cleanup_command, workspace.cleanup_command);
  apply_text(fields.remote_provider, workspace.remote_provider);
  apply_text(fields.remote_workspace_ref, workspace.remote_workspace_ref);
  apply_text(fields.shared_workspace_key, workspace.shared_workspace_key);
  if (fields.metadata) workspace.metadata = fields.metadata.has_value() ? std::optional(fields.metadata->raw()) : std::nullopt;
  merge_runtime_config(workspace, fields.runtime_config);
}

Result<> check_place(const ProjectWorkspace& workspace) {
  const bool has_cwd = workspace.cwd && *workspace.cwd != repo_only_cwd;
  const bool remote = workspace.source_type == ProjectWorkspaceSource::remote_managed;
  if (remote ? !(workspace.remote_workspace_ref || workspace.repo_url) : !(has_cwd || workspace.repo_url))
    return unprocessable("Invalid project workspace payload");
  return {};
}

void make_sole_primary(store::Transaction& tx, const ProjectWorkspace& workspace) {
  tx.execute("update project_workspaces set is_primary = false where project_id = :1 and id <> :2", workspace.project_id, workspace.id);
}

// The oldest other one takes over; a lone workspace stays what it is.
bool promote_another(store::Transaction& tx, const ProjectWorkspace& workspace) {
  const auto heir = tx.value<ProjectWorkspaceId>("select id from project_workspaces where project_id = :1 and id <> :2 order by created_at, id limit 1",
                                                 workspace.project_id, workspace.id);
  if (heir) tx.execute("update project_workspaces set is_primary = true where id = :1", *heir);
  return heir.has_value();
}

}  // namespace

void WorkspaceRuntimeConfig::read(const json::value* value, WorkspaceRuntimeConfig& out, SchemaIssues& issues) {
  RuntimeConfigBody checked;
  const auto before = issues.size();
  read_json(value, checked, issues);
  if (issues.size() == before) out.value = value->get_object();
}

void NewWorkspace::check(SchemaIssues& issues) const {
  const bool has_cwd = fields.cwd.has_value() && !trim(*fields.cwd).empty();
  const bool has_repo = fields.repo_url.has_value() && !fields.repo_url->empty();
  const bool has_remote = fields.remote_workspace_ref.has_value() && !trim(*fields.remote_workspace_ref).empty();
  const bool remote = fields.source_type && *fields.source_type == ProjectWorkspaceSource::remote_managed;
  if (remote && !has_remote && !has_repo) {
    SchemaIssues::Step step(issues, "remoteWorkspaceRef");
    issues.add("custom", "Remote-managed workspace requires remoteWorkspaceRef or repoUrl.");
  } else if (!remote && !has_cwd && !has_repo) {
    SchemaIssues::Step step(issues, "cwd");
    issues.add("custom", "Workspace requires at least one of cwd or repoUrl.");
  }
}

std::optional<std::string> repository_name(const std::optional<std::string>& url) {
  if (!url) return std::nullopt;
  const auto scheme = url->find("://");
  if (scheme == std::string::npos) return std::nullopt;
  const auto slash = url->find('/', scheme + 3);
  if (slash == std::string::npos) return std::nullopt;
  std::string_view path = std::string_view(*url).substr(slash);
  path = path.substr(0, path.find_first_of("?#"));
  std::string name = last_segment(path);
  if (name.ends_with(".git")) name.resize(name.size() - 4);
  if (name.empty() || name == "/") return std::nullopt;
  return name;
}

std::vector<ProjectWorkspace> workspaces_of_project(store::Reader& reader, ProjectId project) {
  return reader.all<ProjectWorkspace>("select {} from project_workspaces where project_id = :1 order by is_primary desc, created_at, id limit 1000", project);
}

std::optional<ProjectWorkspace> find_workspace(store::Reader& reader, ProjectId project, std::string_view id) {
  const auto workspace_id = ProjectWorkspaceId::parse(id);
  if (!workspace_id) return std::nullopt;
  return reader.one<ProjectWorkspace>("select {} from project_workspaces where id = :1 and project_id = :2", *workspace_id, project);
}

void append_workspace_json(std::string& out, store::Reader& reader, const ProjectWorkspace& workspace) {
  ProjectWorkspace shown = workspace;
  if (shown.cwd && *shown.cwd == repo_only_cwd) shown.cwd.reset();
  if (!shown.default_ref) shown.default_ref = shown.repo_ref;
  JsonObjectWriter writer(out);
  writer.members(shown);
  const json::value metadata = workspace.metadata ? workspace.metadata->parse() : json::value(nullptr);
  const auto* config = member(metadata, "runtimeConfig");
  const auto part = [&](const char* key) -> json::value {
    const auto* found = config == nullptr ? nullptr : member(*config, key);
    return found == nullptr ? json::value(nullptr) : *found;
  };
  const json::value runtime = part("workspaceRuntime"), desired = part("desiredState"), states = part("serviceStates");
  if (runtime.is_null() && desired.is_null() && states.is_null()) writer.field("runtimeConfig", nullptr);
  else writer.field("runtimeConfig", json::value{{"workspaceRuntime", runtime}, {"desiredState", desired}, {"serviceStates", states}});
  append_services(writer.begin("runtimeServices"), services_of_project_workspace(reader, workspace.id));
  writer.end();
}

Result<ProjectWorkspace> insert_workspace(store::Transaction& tx, const CompanyScope& scope, ProjectId project, const NewWorkspace& input) {
  const WorkspaceFields& fields = input.fields;
  TRY(refuse_commands(scope, fields));
  ProjectWorkspace workspace;
  workspace.id = tx.new_id<ProjectWorkspaceId>();
  workspace.company_id = scope.company_id();
  workspace.project_id = project;
  apply(fields, workspace);
  if (!fields.source_type)
    workspace.source_type = workspace.repo_url ? ProjectWorkspaceSource::git_repo
                            : workspace.cwd    ? ProjectWorkspaceSource::local_path
                                               : ProjectWorkspaceSource::remote_managed;
  TRY(check_place(workspace));
  if (!workspace.default_ref) workspace.default_ref = workspace.repo_ref;
  workspace.name = cleaned(fields.name.optional()).value_or(derived_name(workspace));
  const bool first = !tx.exists("select 1 from project_workspaces where project_id = :1", project);
  workspace.is_primary = first || (fields.is_primary && *fields.is_primary);
  workspace.created_at = workspace.updated_at = tx.now();
  if (workspace.is_primary) make_sole_primary(tx, workspace);
  tx.insert("project_workspaces", workspace);
  return workspace;
}

Result<ProjectWorkspace> update_workspace(store::Transaction& tx, const CompanyScope& scope, ProjectId project, std::string_view id, const WorkspacePatch& patch) {
  auto workspace = find_workspace(tx, project, id);
  if (!workspace) return not_found("Project workspace not found");
  const WorkspaceFields& fields = patch.fields;
  TRY(refuse_commands(scope, fields));
  apply(fields, *workspace);
  TRY(check_place(*workspace));
  if (const auto name = cleaned(fields.name.optional())) workspace->name = *name;
  else if (fields.cwd || fields.repo_url) workspace->name = derived_name(*workspace);
  if (fields.is_primary) {
    if (*fields.is_primary) make_sole_primary(tx, *workspace);
    workspace->is_primary = *fields.is_primary || !workspace->is_primary ? *fields.is_primary : !promote_another(tx, *workspace);
  }
  workspace->updated_at = tx.now();
  tx.update("project_workspaces", *workspace);
  return *std::move(workspace);
}

Result<ProjectWorkspace> delete_workspace(store::Transaction& tx, const CompanyScope&, ProjectId project, std::string_view id) {
  auto workspace = find_workspace(tx, project, id);
  if (!workspace) return not_found("Project workspace not found");
  if (workspace->is_primary) promote_another(tx, *workspace);
  tx.execute("delete from project_workspaces where id = :1", workspace->id);
  return *std::move(workspace);
}

}  // namespace paperclip::domain
