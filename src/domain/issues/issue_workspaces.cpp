#include "domain/issues/issue_workspaces.h"

#include "base/write_json.h"
#include "domain/issues/issue_rows.h"
#include "domain/workspaces/execution_workspace.h"
#include "domain/workspaces/run_workspace.h"

namespace paperclip::domain {

namespace {

struct WorkspaceOwner {
  CompanyId company_id;
  ProjectId project_id;
};
BOOST_DESCRIBE_STRUCT(WorkspaceOwner, (), (company_id, project_id))

Result<> check_owner(const std::optional<WorkspaceOwner>& owner, const char* what, CompanyId company,
                     const std::optional<ProjectId>& project) {
  const std::string name = what;
  if (!owner) return not_found(name + " workspace not found");
  if (owner->company_id != company) return unprocessable(name + " workspace must belong to same company");
  if (project && owner->project_id != *project)
    return unprocessable(name + " workspace must belong to the selected project");
  return {};
}

json::object object_of(const std::optional<RawJson>& stored) {
  if (!stored || stored->is_null()) return {};
  json::value value = stored->parse();
  return value.is_object() ? std::move(value.get_object()) : json::object();
}

// `{mode}` of an enabled project policy; nothing otherwise.
std::optional<RawJson> settings_of_policy(const json::object& policy) {
  const auto* enabled = policy.if_contains("enabled");
  if (enabled == nullptr || !enabled->is_bool() || !enabled->get_bool()) return std::nullopt;
  std::string mode = string_at(json::value(policy), "defaultMode").value_or("shared_workspace");
  if (mode == "adapter_default") mode = "agent_default";
  if (mode == "project_primary") mode = "shared_workspace";
  if (mode == "isolated") mode = "isolated_workspace";
  return RawJson(json::value{{"mode", mode}});
}

}  // namespace

Result<> check_project_workspace(store::Reader& reader, CompanyId company, ProjectWorkspaceId workspace,
                                 const std::optional<ProjectId>& project) {
  return check_owner(reader.one<WorkspaceOwner>("select {} from project_workspaces where id = :1", workspace),
                     "Project", company, project);
}

Result<> check_execution_workspace(store::Reader& reader, CompanyId company, ExecutionWorkspaceId workspace,
                                   const std::optional<ProjectId>& project) {
  return check_owner(reader.one<WorkspaceOwner>("select {} from execution_workspaces where id = :1", workspace),
                     "Execution", company, project);
}

Result<> check_workspaces(store::Reader& reader, const IssueEdit& edit) {
  const Issue& next = edit.next;
  if (edit.touches("project_workspace_id") && next.project_workspace_id)
    TRY(check_project_workspace(reader, next.company_id, *next.project_workspace_id, next.project_id));
  if (edit.touches("execution_workspace_id") && next.execution_workspace_id)
    TRY(check_execution_workspace(reader, next.company_id, *next.execution_workspace_id, next.project_id));
  return {};
}

void sync_workspace_config(store::Transaction& tx, const IssueEdit& edit) {
  const Issue& next = edit.next;
  if (!edit.touches("execution_workspace_settings") || !next.execution_workspace_id ||
      next.execution_workspace_preference != ExecutionWorkspacePreference::reuse_existing)
    return;
  auto metadata = object_of(
      tx.value<RawJson>("select metadata from execution_workspaces where id = :1 and company_id = :2 {for update}",
                        *next.execution_workspace_id, next.company_id));
  const json::object settings = object_of(next.execution_workspace_settings);
  const auto* strategy = settings.if_contains("workspaceStrategy");
  const auto from = [](const json::value* object, const char* key) {
    const auto* found = object != nullptr ? member(*object, key) : nullptr;
    return found != nullptr ? *found : json::value(nullptr);
  };
  const json::value whole(settings);
  json::object config =
      metadata.contains("config") && metadata["config"].is_object() ? metadata["config"].get_object() : json::object();
  config["environmentId"] = from(&whole, "environmentId");
  config["provisionCommand"] = from(strategy, "provisionCommand");
  config["teardownCommand"] = from(strategy, "teardownCommand");
  config["workspaceRuntime"] = from(&whole, "workspaceRuntime");
  metadata["config"] = std::move(config);
  tx.execute("update execution_workspaces set metadata = :2, updated_at = :3 where id = :1",
             *next.execution_workspace_id, RawJson(json::value(std::move(metadata))), tx.now());
}

Result<> settle_workspaces(store::Reader& reader, Issue& issue, const std::optional<Issue>& source,
                           bool explicit_execution) {
  const CompanyId company = issue.company_id;
  if (!issue.project_workspace_id && source) issue.project_workspace_id = source->project_workspace_id;
  const bool may_isolate = source && source->execution_workspace_id;
  json::object policy;
  if (issue.project_id)
    policy = object_of(
        reader.value<RawJson>("select execution_workspace_policy from projects where id = :1 and company_id = :2",
                              *issue.project_id, company));
  if (!issue.project_workspace_id && issue.project_id) {
    if (const auto named = string_at(json::value(policy), "defaultProjectWorkspaceId"))
      issue.project_workspace_id = ProjectWorkspaceId::parse(*named);
    if (!issue.project_workspace_id)
      issue.project_workspace_id = reader.value<ProjectWorkspaceId>(
          "select id from project_workspaces where project_id = :1 and company_id = :2 order by is_primary desc, "
          "created_at, id limit 1",
          *issue.project_id, company);
  }
  const bool settles_execution =
      !explicit_execution && (may_isolate || !policy.empty()) && isolated_workspaces_enabled(reader);
  if (settles_execution && may_isolate) {
    issue.execution_workspace_id = source->execution_workspace_id;
    issue.execution_workspace_preference = ExecutionWorkspacePreference::reuse_existing;
    const auto mode = reader.value<ExecutionWorkspaceMode>("select mode from execution_workspaces where id = :1",
                                                           *source->execution_workspace_id);
    json::object settings = object_of(source->execution_workspace_settings);
    settings["mode"] = mode ? issue_mode_of(*mode) : std::string_view("agent_default");
    issue.execution_workspace_settings = RawJson(json::value(std::move(settings)));
  } else if (settles_execution) {
    issue.execution_workspace_settings = settings_of_policy(policy);
  }
  if (issue.project_workspace_id)
    TRY(check_project_workspace(reader, company, *issue.project_workspace_id, issue.project_id));
  if (issue.execution_workspace_id)
    TRY(check_execution_workspace(reader, company, *issue.execution_workspace_id, issue.project_id));
  return {};
}

}  // namespace paperclip::domain
