#include "domain/projects/projects.h"

#include <algorithm>
#include <array>

#include "domain/activity/activity.h"
#include "domain/agents/agents.h"
#include "domain/environments/selection.h"
#include "domain/projects/managed_folder.h"
#include "domain/secrets/secrets.h"

namespace paperclip::domain {

namespace {

constexpr std::array palette = {"#6366f1", "#8b5cf6", "#ec4899", "#ef4444", "#f97316", "#eab308", "#22c55e", "#14b8a6", "#06b6d4", "#3b82f6"};

enum class PolicyMode { shared_workspace, isolated_workspace, operator_branch, adapter_default };
BOOST_DESCRIBE_ENUM(PolicyMode, shared_workspace, isolated_workspace, operator_branch, adapter_default)
enum class PolicyStrategy { project_primary, git_worktree, adapter_managed, cloud_sandbox };
BOOST_DESCRIBE_ENUM(PolicyStrategy, project_primary, git_worktree, adapter_managed, cloud_sandbox)

struct StrategyBody {
  static constexpr bool strict = true;
  Omit<PolicyStrategy> type;
  std::optional<std::string> base_ref, branch_template, worktree_parent_dir, provision_command, teardown_command;
};
BOOST_DESCRIBE_STRUCT(StrategyBody, (), (type, base_ref, branch_template, worktree_parent_dir, provision_command, teardown_command))

struct PolicyBody {
  static constexpr bool strict = true;
  bool enabled = false;
  Omit<PolicyMode> default_mode;
  Omit<bool> allow_issue_override;
  std::optional<ProjectWorkspaceId> default_project_workspace_id;
  std::optional<EnvironmentId> environment_id;
  std::optional<StrategyBody> workspace_strategy;
  std::optional<JsonObject> workspace_runtime, branch_policy, pull_request_policy, runtime_policy, cleanup_policy;
};
BOOST_DESCRIBE_STRUCT(PolicyBody, (), (enabled, default_mode, allow_issue_override, default_project_workspace_id, environment_id, workspace_strategy,
                                       workspace_runtime, branch_policy, pull_request_policy, runtime_policy, cleanup_policy))

struct GoalName {
  GoalId id;
  std::string title;
};
BOOST_DESCRIBE_STRUCT(GoalName, (), (id, title))

bool is_plain_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// Names whose shortname cannot collide are left alone.
bool has_shortname(std::string_view name) { return is_plain_ascii(name) && !url_key(name, "").empty(); }

std::string free_name(store::Reader& reader, const CompanyScope& scope, const std::string& name, const std::optional<ProjectId>& self) {
  if (!has_shortname(name)) return name;
  std::vector<std::string> taken;
  reader.each<std::pair<ProjectId, std::string>>("select id, name from projects where company_id = :1",
      [&](const std::pair<ProjectId, std::string>& other) {
        if (other.first != self) taken.push_back(url_key(other.second, ""));
      }, scope.company_id());
  const auto is_free = [&](const std::string& candidate) { return std::find(taken.begin(), taken.end(), url_key(candidate, "")) == taken.end(); };
  if (is_free(name)) return name;
  for (int n = 2; n < 10000; ++n)
    if (std::string candidate = name + " " + std::to_string(n); is_free(candidate)) return candidate;
  return name;
}

std::string next_color(store::Reader& reader, const CompanyScope& scope) {
  const auto used = reader.column<std::optional<std::string>>("select color from projects where company_id = :1", scope.company_id());
  for (const char* color : palette)
    if (std::find(used.begin(), used.end(), std::optional<std::string>(color)) == used.end()) return color;
  return palette[used.size() % palette.size()];
}

Result<> check_environment(store::Reader& reader, const CompanyScope& scope, const Patch<WorkspacePolicy>& policy) {
  if (!policy.has_value()) return {};
  return check_project_environment(reader, scope.company_id(), policy->value.parse());
}

// What the host would execute is the board's to set.
Result<> refuse_commands(const CompanyScope& scope, const ProjectFields& fields, const NewWorkspace* workspace) {
  if (!scope.actor().is_agent()) return {};
  std::string paths;
  const auto add = [&](const std::string& path) { (paths += paths.empty() ? "" : ", ") += path; };
  if (fields.execution_workspace_policy.has_value()) {
    const json::value policy = fields.execution_workspace_policy->value.parse();
    if (const auto* strategy = member(policy, "workspaceStrategy"))
      for (const char* key : {"provisionCommand", "teardownCommand"})
        if (member(*strategy, key) != nullptr) add(std::string("executionWorkspacePolicy.workspaceStrategy.") + key);
    // OURS: services and jobs are commands, too.
    if (const auto* runtime = member(policy, "workspaceRuntime"); runtime != nullptr && !runtime->is_null()) add("executionWorkspacePolicy.workspaceRuntime");
  }
  if (workspace != nullptr && workspace->fields.cleanup_command) add("workspace.cleanupCommand");
  if (!paths.empty()) return forbidden("Agent keys cannot modify host-executed workspace commands (" + paths + ").");
  return {};
}

Result<> check_references(store::Reader& reader, const CompanyScope& scope, const std::vector<GoalId>& goals, const Patch<AgentId>& lead) {
  for (const auto& goal : goals)
    if (!reader.exists("select 1 from goals where id = :1 and company_id = :2", goal, scope.company_id()))
      return unprocessable("Goal must belong to same company");
  if (lead.has_value() && !reader.exists("select 1 from agents where id = :1 and company_id = :2", *lead, scope.company_id()))
    return unprocessable("Lead agent must belong to same company");
  return {};
}

// The goals a body names: `goalIds`, else the deprecated `goalId`; nothing when it names neither.
std::optional<std::vector<GoalId>> named_goals(const ProjectFields& fields) {
  std::vector<GoalId> goals;
  if (fields.goal_ids) goals = *fields.goal_ids;
  else if (fields.goal_id.has_value()) goals = {*fields.goal_id};
  else if (!fields.goal_id) return std::nullopt;
  std::vector<GoalId> unique;
  for (const auto& goal : goals)
    if (std::find(unique.begin(), unique.end(), goal) == unique.end()) unique.push_back(goal);
  return unique;
}

void link_goals(store::Transaction& tx, const CompanyScope& scope, ProjectId project, const std::vector<GoalId>& goals) {
  tx.execute("delete from project_goals where project_id = :1", project);
  // A later link is a later row, so that the order of the body is kept.
  std::int64_t offset = 0;
  for (const auto& goal : goals)
    tx.insert("project_goals", ProjectGoal{project, goal, scope.company_id(), tx.now() + std::chrono::milliseconds(offset++), tx.now()});
}

Result<> apply(store::Transaction& tx, const CompanyScope& scope, const ProjectFields& fields, const ProjectSettings& settings, Project& project) {
  fields.description.apply(project.description);
  if (fields.status) project.status = *fields.status;
  fields.lead_agent_id.apply(project.lead_agent_id);
  fields.target_date.apply(project.target_date);
  fields.color.apply(project.color);
  fields.archived_at.apply(project.archived_at);
  if (fields.env.is_null()) return unprocessable("env must be an object");
  if (fields.env)
    project.env = RawJson(json::value(TRY(normalise_env(tx, scope, json::value(fields.env->value), settings.strict_secrets))));
  if (fields.execution_workspace_policy)
    project.execution_workspace_policy = fields.execution_workspace_policy.has_value() ? std::optional(fields.execution_workspace_policy->value) : std::nullopt;
  project.updated_at = tx.now();
  return {};
}

json::array env_keys(const Project& project) {
  std::vector<std::string> keys;
  const json::value env = project.env ? project.env->parse() : json::value(nullptr);
  if (env.is_object())
    for (const auto& item : env.get_object()) keys.emplace_back(item.key());
  std::sort(keys.begin(), keys.end());
  json::array out;
  for (auto& key : keys) out.emplace_back(key);
  return out;
}

void append_codebase(std::string& out, const Project& project, const ProjectWorkspace* primary, const std::filesystem::path& root) {
  const auto repo = primary == nullptr ? std::nullopt : repository_name(primary->repo_url);
  const auto local = primary == nullptr || !primary->cwd || *primary->cwd == repo_only_cwd ? std::nullopt : primary->cwd;
  const std::string managed = managed_folder(root, project.company_id, project.id, primary == nullptr ? std::nullopt : primary->repo_url).string();
  const auto part = [&](std::optional<std::string> ProjectWorkspace::*field) { return primary == nullptr ? std::nullopt : primary->*field; };
  JsonObjectWriter(out)
      .field("workspaceId", primary == nullptr ? std::nullopt : std::optional(primary->id))
      .field("repoUrl", part(&ProjectWorkspace::repo_url))
      .field("repoRef", part(&ProjectWorkspace::repo_ref))
      .field("defaultRef", primary == nullptr || primary->default_ref ? part(&ProjectWorkspace::default_ref) : primary->repo_ref)
      .field("repoName", repo)
      .field("localFolder", local)
      .field("managedFolder", managed)
      .field("effectiveLocalFolder", local.value_or(managed))
      .field("origin", local ? "local_folder" : "managed_checkout")
      .end();
}

// The policy as it reads: old words translated, empty ones dropped (spec/work-domain.md 2.3).
json::value shown_policy(const std::optional<RawJson>& stored) {
  if (!stored) return nullptr;
  json::value policy = stored->parse();
  if (!policy.is_object() || policy.get_object().empty()) return nullptr;
  auto& object = policy.get_object();
  const auto* enabled = object.if_contains("enabled");
  if (enabled == nullptr || !enabled->is_bool()) object["enabled"] = false;
  if (const auto mode = string_at(policy, "defaultMode")) {
    if (*mode == "project_primary") object["defaultMode"] = "shared_workspace";
    else if (*mode == "isolated") object["defaultMode"] = "isolated_workspace";
    else if (!parse_enum<PolicyMode>(*mode)) object.erase("defaultMode");
  }
  for (const char* key : {"defaultProjectWorkspaceId", "environmentId", "workspaceStrategy", "workspaceRuntime", "branchPolicy", "pullRequestPolicy",
                          "runtimePolicy", "cleanupPolicy"})
    if (const auto* found = object.if_contains(key); found != nullptr && found->is_null()) object.erase(key);
  return policy;
}

// The project routes record no run (spec/work-domain.md 2.6).
void log_project(store::Transaction& tx, const CompanyScope& scope, ProjectId id, std::string_view action, json::value details = nullptr) {
  Author author = scope.author();
  author.run_id.reset();
  log_activity(tx, scope.company_id(), author, {action, "project", id.str(), std::move(details)});
}

}  // namespace

void WorkspacePolicy::read(const json::value* value, WorkspacePolicy& out, SchemaIssues& issues) {
  PolicyBody checked;
  const auto before = issues.size();
  read_json(value, checked, issues);
  if (issues.size() == before) out.value = RawJson(*value);
}

void EnvBindings::read(const json::value* value, EnvBindings& out, SchemaIssues& issues) {
  if (value == nullptr || !value->is_object()) return issues.invalid_type("object", value);
  for (const auto& item : value->get_object()) {
    const json::value& binding = item.value();
    const auto type = string_at(binding, "type");
    const bool fits = binding.is_string() || (type == "plain" && string_at(binding, "value")) ||
                      (type == "secret_ref" && is_uuid(string_at(binding, "secretId").value_or("")));
    if (fits) continue;
    SchemaIssues::Step step(issues, item.key());
    issues.add("invalid_union", "Invalid input");
  }
  out.value = value->get_object();
}

std::string project_url_key(std::string_view name, const ProjectId& id) {
  const std::string base = url_key(trim(name), "");
  const std::string digits(id.view().substr(0, 8));
  if (base.empty()) return digits;
  return is_plain_ascii(name) ? base : base + "-" + digits;
}

std::optional<Project> find_project(store::Reader& reader, CompanyId company, ProjectId id) {
  return reader.one<Project>("select {} from projects where id = :1 and company_id = :2", id, company);
}

Result<ProjectId> create_project(store::Transaction& tx, const CompanyScope& scope, const NewProject& input, const ProjectSettings& settings) {
  if (!tx.exists("select 1 from companies where id = :1", scope.company_id())) return not_found("Company not found");
  TRY(check_environment(tx, scope, input.fields.execution_workspace_policy));
  TRY(refuse_commands(scope, input.fields, input.workspace ? &*input.workspace : nullptr));
  const auto goals = named_goals(input.fields).value_or(std::vector<GoalId>());
  TRY(check_references(tx, scope, goals, input.fields.lead_agent_id));
  Project project;
  project.id = tx.new_id<ProjectId>();
  project.company_id = scope.company_id();
  project.name = free_name(tx, scope, input.name, std::nullopt);
  project.created_at = tx.now();
  TRY(apply(tx, scope, input.fields, settings, project));
  if (!project.color || project.color->empty()) project.color = next_color(tx, scope);
  if (!goals.empty()) project.goal_id = goals.front();
  tx.insert("projects", project);
  link_goals(tx, scope, project.id, goals);
  json::value workspace_id = nullptr;
  if (input.workspace) workspace_id = TRY(insert_workspace(tx, scope, project.id, *input.workspace)).id.view();
  log_project(tx, scope, project.id, "project.created", json::value{{"name", project.name}, {"workspaceId", workspace_id}, {"envKeys", env_keys(project)}});
  return project.id;
}

Result<> update_project(store::Transaction& tx, const CompanyScope& scope, ProjectId id, const ProjectPatch& patch, const ProjectSettings& settings,
                        const std::vector<std::string>& changed_keys) {
  auto project = find_project(tx, scope.company_id(), id);
  if (!project) return not_found("Project not found");
  TRY(refuse_commands(scope, patch.fields, nullptr));
  TRY(check_environment(tx, scope, patch.fields.execution_workspace_policy));
  const auto goals = named_goals(patch.fields);
  TRY(check_references(tx, scope, goals.value_or(std::vector<GoalId>()), patch.fields.lead_agent_id));
  if (patch.name) {
    const bool moves = url_key(*patch.name, "") != url_key(project->name, "");
    project->name = moves ? free_name(tx, scope, *patch.name, id) : std::string(*patch.name);
  }
  TRY(apply(tx, scope, patch.fields, settings, *project));
  if (goals) {
    project->goal_id = goals->empty() ? std::nullopt : std::optional(goals->front());
    link_goals(tx, scope, id, *goals);
  }
  tx.update("projects", *project);
  json::array keys;
  std::vector<std::string> sorted = changed_keys;
  std::sort(sorted.begin(), sorted.end());
  for (const auto& key : sorted) keys.emplace_back(key);
  json::object details{{"changedKeys", std::move(keys)}};
  if (patch.fields.env) details["envKeys"] = env_keys(*project);
  log_project(tx, scope, id, "project.updated", std::move(details));
  return {};
}

Result<Project> delete_project(store::Transaction& tx, const CompanyScope& scope, ProjectId id) {
  auto project = find_project(tx, scope.company_id(), id);
  if (!project) return not_found("Project not found");
  const char* user = tx.exists("select 1 from issues where project_id = :1", id)        ? "issues"
                     : tx.exists("select 1 from cost_events where project_id = :1", id) ? "cost events"
                                                                                        : nullptr;
  if (user != nullptr) return conflict(std::string("Cannot delete a project that ") + user + " refer to. Archive it instead (archivedAt).");
  tx.execute("delete from projects where id = :1", id);
  log_project(tx, scope, id, "project.deleted");
  return *std::move(project);
}

void append_project_json(std::string& out, store::Reader& reader, const Project& project, const std::filesystem::path& instance_root) {
  const auto goals = reader.all<GoalName>("select g.id, g.title from project_goals l join goals g on g.id = l.goal_id where l.project_id = :1 "
                                          "order by l.created_at, g.id", project.id);
  const auto workspaces = workspaces_of_project(reader, project.id);
  const ProjectWorkspace* primary = workspaces.empty() ? nullptr : &workspaces.front();
  std::vector<GoalId> goal_ids;
  for (const auto& goal : goals) goal_ids.push_back(goal.id);
  Project shown = project;
  const json::value policy = shown_policy(project.execution_workspace_policy);
  shown.execution_workspace_policy = policy.is_null() ? std::nullopt : std::optional(RawJson(policy));
  JsonObjectWriter writer(out);
  writer.members(shown).field("urlKey", project_url_key(project.name, project.id)).field("goalIds", goal_ids).field("goals", goals);
  append_codebase(writer.begin("codebase"), project, primary, instance_root);
  std::string& list = writer.begin("workspaces");
  list += '[';
  for (const auto& workspace : workspaces) {
    if (&workspace != primary) list += ',';
    append_workspace_json(list, reader, workspace);
  }
  list += ']';
  if (primary == nullptr) writer.field("primaryWorkspace", nullptr);
  else append_workspace_json(writer.begin("primaryWorkspace"), reader, *primary);
  writer.end();
}

}  // namespace paperclip::domain
