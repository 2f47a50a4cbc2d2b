#include "domain/workspaces/execution_workspaces.h"

#include <algorithm>
#include <array>

#include "base/write_json.h"
#include "domain/activity/activity.h"
#include "domain/workspaces/close_readiness.h"
#include "domain/workspaces/service_views.h"

namespace paperclip::domain {

namespace {

constexpr std::array config_keys = {"environmentId", "provisionCommand", "teardownCommand", "cleanupCommand", "workspaceRuntime", "desiredState", "serviceStates"};
constexpr std::array host_commands = {"provisionCommand", "teardownCommand", "cleanupCommand", "workspaceRuntime"};

json::object object_of(const std::optional<RawJson>& stored) {
  if (!stored || stored->is_null()) return {};
  json::value value = stored->parse();
  return value.is_object() ? std::move(value.get_object()) : json::object();
}

std::optional<std::string> cleaned(const std::optional<std::string>& text) {
  if (!text || trim(*text).empty()) return std::nullopt;
  return std::string(trim(*text));
}

void apply_text(const Patch<std::string>& patch, std::optional<std::string>& to) {
  if (patch) to = cleaned(patch.optional());
}

template <class T>
void add(json::object& to, const char* key, const Patch<T>& patch) {
  if (patch) to[key] = patch.has_value() ? to_json(*patch) : json::value(nullptr);
}

// The keys that were sent, as they shall be stored.
json::object changes_of(const ExecutionWorkspaceConfigBody& body) {
  json::object out;
  add(out, "environmentId", body.environment_id);
  add(out, "provisionCommand", body.provision_command);
  add(out, "teardownCommand", body.teardown_command);
  add(out, "cleanupCommand", body.cleanup_command);
  if (body.workspace_runtime) out["workspaceRuntime"] = body.workspace_runtime.has_value() ? json::value(body.workspace_runtime->value) : json::value(nullptr);
  add(out, "desiredState", body.desired_state);
  add(out, "serviceStates", body.service_states);
  return out;
}

std::vector<std::string> dangerous_keys(const json::object& config, const std::string& prefix) {
  std::vector<std::string> out;
  for (const char* key : host_commands)
    if (config.contains(key)) out.push_back(prefix + key);
  return out;
}

}  // namespace

json::object workspace_config(const std::optional<RawJson>& metadata) {
  const json::object whole = object_of(metadata);
  const auto* config = whole.if_contains("config");
  return config != nullptr && config->is_object() ? config->get_object() : json::object();
}

std::optional<RawJson> merged_workspace_config(const std::optional<RawJson>& metadata, const json::object& changes) {
  json::object whole = object_of(metadata);
  json::object config = workspace_config(metadata);
  for (const auto& item : changes) {
    const bool blank = item.value().is_string() && trim(std::string_view(item.value().get_string())).empty();
    config[item.key()] = blank ? json::value(nullptr) : item.value();
  }
  const bool empty = std::all_of(config.begin(), config.end(), [](const auto& item) { return item.value().is_null(); });
  if (empty) whole.erase("config");
  else whole["config"] = std::move(config);
  if (whole.empty()) return std::nullopt;
  return RawJson(json::value(std::move(whole)));
}

void append_execution_workspace(std::string& out, store::Reader& reader, const ExecutionWorkspace& row) {
  JsonObjectWriter writer(out);
  writer.members(row);
  const json::object stored = workspace_config(row.metadata);
  const bool any = std::any_of(stored.begin(), stored.end(), [](const auto& item) { return !item.value().is_null(); });
  if (any) {
    json::object config;
    for (const char* key : config_keys) {
      const auto* value = stored.if_contains(key);
      config[key] = value == nullptr ? json::value(nullptr) : *value;
    }
    writer.field("config", config);
  } else {
    writer.field("config", nullptr);
  }
  append_services(writer.begin("runtimeServices"), services_of_execution_workspace(reader, row));
  writer.end();
}

std::optional<ExecutionWorkspace> find_execution_workspace(store::Reader& reader, CompanyId company, ExecutionWorkspaceId id) {
  return reader.one<ExecutionWorkspace>("select {} from execution_workspaces where id = :1 and company_id = :2", id, company);
}

std::vector<ExecutionWorkspace> list_execution_workspaces(store::Reader& reader, CompanyId company, const ExecutionWorkspaceFilter& filter) {
  std::vector<ExecutionWorkspaceStatus> statuses = filter.statuses;
  constexpr std::array reusable = {ExecutionWorkspaceStatus::active, ExecutionWorkspaceStatus::idle, ExecutionWorkspaceStatus::in_review};
  const auto is_reusable = [&](ExecutionWorkspaceStatus status) { return std::find(reusable.begin(), reusable.end(), status) != reusable.end(); };
  if (filter.reuse_eligible) {
    if (statuses.empty()) statuses.assign(reusable.begin(), reusable.end());
    else std::erase_if(statuses, [&](ExecutionWorkspaceStatus status) { return !is_reusable(status); });
    if (statuses.empty()) return {};
  }
  const bool any_status = statuses.empty();
  if (any_status) statuses.push_back(ExecutionWorkspaceStatus::active);
  return reader.all<ExecutionWorkspace>(
      "select {} from execution_workspaces where company_id = :1 and (:2 = 0 or project_id = :3) and (:4 = 0 or project_workspace_id = :5) "
      "and (:6 = 0 or source_issue_id = :7) and (:8 = 1 or status in {list :9}) order by last_used_at desc, created_at desc, id limit 1000",
      company, filter.project_id ? 1 : 0, filter.project_id.value_or(ProjectId()), filter.project_workspace_id ? 1 : 0,
      filter.project_workspace_id.value_or(ProjectWorkspaceId()), filter.issue_id ? 1 : 0, filter.issue_id.value_or(IssueId()), any_status ? 1 : 0, statuses);
}

bool closes(const ExecutionWorkspacePatch& patch, const ExecutionWorkspace& row) {
  return patch.status && *patch.status == ExecutionWorkspaceStatus::archived && row.status != ExecutionWorkspaceStatus::archived;
}

Result<> check_workspace_patch(const CompanyScope& scope, const ExecutionWorkspacePatch& patch) {
  if (!scope.actor().is_agent()) return {};
  std::vector<std::string> paths;
  if (patch.config.has_value()) paths = dangerous_keys(changes_of(*patch.config), "config.");
  if (patch.metadata.has_value()) {
    const json::value metadata(patch.metadata->value);
    if (const auto* config = member(metadata, "config"); config != nullptr && config->is_object())
      for (auto& path : dangerous_keys(config->get_object(), "metadata.config.")) paths.push_back(std::move(path));
    if (member(metadata, "createdByRuntime") != nullptr) paths.emplace_back("metadata.createdByRuntime");
  }
  // Closing removes what these name.
  if (patch.cwd) paths.emplace_back("cwd");
  if (patch.provider_ref) paths.emplace_back("providerRef");
  if (patch.branch_name) paths.emplace_back("branchName");
  if (paths.empty()) return {};
  std::string joined;
  for (const auto& path : paths) (joined += joined.empty() ? "" : ", ") += path;
  return forbidden("Agent keys cannot modify host-executed workspace commands (" + joined + ").");
}

Result<ExecutionWorkspace> patch_execution_workspace(store::Transaction& tx, const CompanyScope& scope, ExecutionWorkspaceId id, const ExecutionWorkspacePatch& patch) {
  TRY(check_workspace_patch(scope, patch));
  auto found = tx.one<ExecutionWorkspace>("select {} from execution_workspaces where id = :1 and company_id = :2 {for update}", id, scope.company_id());
  if (!found) return not_found("Execution workspace not found");
  ExecutionWorkspace& row = *found;
  const bool closing = closes(patch, row);
  if (closing) TRY(refuse_open_issues(tx, row));
  if (patch.name) row.name = *patch.name;
  apply_text(patch.cwd, row.cwd);
  apply_text(patch.repo_url, row.repo_url);
  apply_text(patch.base_ref, row.base_ref);
  apply_text(patch.branch_name, row.branch_name);
  apply_text(patch.provider_ref, row.provider_ref);
  patch.cleanup_eligible_at.apply(row.cleanup_eligible_at);
  apply_text(patch.cleanup_reason, row.cleanup_reason);
  if (patch.metadata) row.metadata = patch.metadata.has_value() ? std::optional(patch.metadata->raw()) : std::nullopt;
  if (patch.config) {
    json::object changes;
    if (patch.config.has_value()) changes = changes_of(*patch.config);
    else for (const char* key : config_keys) changes[key] = nullptr;
    row.metadata = merged_workspace_config(row.metadata, changes);
  }
  if (patch.status) row.status = *patch.status;
  if (closing) {
    row.closed_at = tx.now();
    row.cleanup_reason.reset();
    if (row.mode == ExecutionWorkspaceMode::shared_workspace)
      tx.execute("update issues set execution_workspace_id = null, updated_at = :1 where execution_workspace_id = :2 and company_id = :3", tx.now(), id, row.company_id);
  }
  row.updated_at = tx.now();
  tx.update(table_of<ExecutionWorkspace>, row);
  return *std::move(found);
}

void record_cleanup(store::Transaction& tx, ExecutionWorkspaceId id, const std::vector<std::string>& warnings, bool cleaned) {
  std::string reason;
  for (const auto& warning : warnings) (reason += reason.empty() ? "" : " | ") += warning;
  tx.execute("update execution_workspaces set status = :1, cleanup_reason = :2, updated_at = :3 where id = :4",
             cleaned ? ExecutionWorkspaceStatus::archived : ExecutionWorkspaceStatus::cleanup_failed, reason.empty() ? std::nullopt : std::optional(reason), tx.now(), id);
}

void log_workspace_update(store::Transaction& tx, const CompanyScope& scope, ExecutionWorkspaceId id, const std::vector<std::string>& changed_keys,
                          const std::vector<std::string>& cleanup_warnings) {
  const auto texts = [](const std::vector<std::string>& list) {
    json::array out;
    for (const auto& text : list) out.emplace_back(text);
    return out;
  };
  json::object details{{"changedKeys", texts(changed_keys)}};
  if (!cleanup_warnings.empty()) details["cleanupWarnings"] = texts(cleanup_warnings);
  log_activity(tx, scope.company_id(), scope.author(), {"execution_workspace.updated", "execution_workspace", id.str(), std::move(details)});
}

}  // namespace paperclip::domain
