#include "domain/workspaces/run_workspace.h"

#include <algorithm>

#include "base/write_json.h"
#include "domain/activity/activity.h"
#include "domain/environments/run_lease.h"
#include "domain/issues/comments.h"
#include "domain/issues/issue.h"
#include "domain/issues/issue_rows.h"
#include "domain/runs/run_context.h"
#include "domain/runs/run_setup.h"
#include "domain/wakeups/wake_context.h"
#include "domain/workspaces/operations.h"

namespace paperclip::domain {

namespace {

/// The part of an issue that says where its work takes place.
struct IssuePlace {
  std::optional<ProjectWorkspaceId> project_workspace_id;
  std::optional<ExecutionWorkspaceId> execution_workspace_id;
  std::optional<std::string> execution_workspace_preference;
  RawJson execution_workspace_settings;
};
BOOST_DESCRIBE_STRUCT(IssuePlace, (), (project_workspace_id, execution_workspace_id, execution_workspace_preference, execution_workspace_settings))

json::object object_at(const json::object& object, std::string_view key) {
  const auto* found = object.if_contains(key);
  return found != nullptr && found->is_object() ? found->get_object() : json::object();
}

bool has_object(const json::object& object, std::string_view key) {
  const auto* found = object.if_contains(key);
  return found != nullptr && found->is_object();
}

std::string modern_mode(std::string mode) {
  if (mode == "project_primary") return "shared_workspace";
  if (mode == "isolated") return "isolated_workspace";
  return mode;
}

/// A strategy without a known type counts as none (spec 2.2).
std::optional<WorkspaceStrategy> read_strategy(const json::object& holder) {
  const json::value strategy = object_at(holder, "workspaceStrategy");
  const auto type = text_at(strategy, "type");
  if (!type || !parse_enum<ExecutionWorkspaceStrategy>(*type)) return std::nullopt;
  WorkspaceStrategy out;
  out.type = *type;
  out.base_ref = text_at(strategy, "baseRef");
  out.branch_template = text_at(strategy, "branchTemplate");
  out.worktree_parent_dir = text_at(strategy, "worktreeParentDir");
  out.provision = HostCommand::stored(text_at(strategy, "provisionCommand"));
  out.teardown = HostCommand::stored(text_at(strategy, "teardownCommand"));
  return out;
}

std::string requested_mode(const json::object& settings, const json::object& policy, bool refuses_project) {
  const json::value of_issue(settings), of_policy(policy);
  if (const auto mode = text_at(of_issue, "mode"); mode && *mode != "inherit" && *mode != "reuse_existing") return modern_mode(*mode);
  if (!policy.empty()) {
    const auto mode = modern_mode(text_at(of_policy, "defaultMode").value_or("shared_workspace"));
    return mode == "adapter_default" ? "agent_default" : mode;
  }
  return refuses_project ? "agent_default" : "shared_workspace";
}

// The project's policy, if it has any effect; otherwise empty.
json::object effective_policy(store::Reader& reader, CompanyId company, ProjectId project) {
  const auto stored = reader.value<RawJson>("select execution_workspace_policy from projects where id = :1 and company_id = :2", project, company);
  json::object policy = context_of(stored);
  const auto* enabled = policy.if_contains("enabled");
  return enabled != nullptr && enabled->is_bool() && enabled->get_bool() ? policy : json::object();
}

// Oldest first, the preferred one in front (spec 3.2.1).
std::vector<ProjectWorkspace> candidates(store::Reader& reader, ProjectId project, const std::optional<ProjectWorkspaceId>& preferred) {
  auto rows = reader.all<ProjectWorkspace>("select {} from project_workspaces where project_id = :1 order by created_at, id limit 1000", project);
  if (preferred) std::stable_partition(rows.begin(), rows.end(), [&](const ProjectWorkspace& row) { return row.id == *preferred; });
  return rows;
}

// What the stored configuration of the issue's current workspace changes, also when it will not be reused (spec 2.6).
void apply_stored_config(const json::object& config, WorkspacePlan& plan) {
  if (config.empty()) return;
  const json::value value(config);
  if (plan.mode != "agent_default")
    for (const char* key : {"workspaceRuntime", "desiredState", "serviceStates"}) {
      const auto* found = config.if_contains(key);
      if (found == nullptr || found->is_null()) plan.snapshot.erase(key);
      else plan.snapshot[key] = *found;
    }
  if (plan.mode == "isolated_workspace" && plan.strategy) {
    plan.strategy->provision = HostCommand::stored(text_at(value, "provisionCommand"));
    plan.strategy->teardown = HostCommand::stored(text_at(value, "teardownCommand"));
  }
}

json::value or_null(const std::optional<HostCommand>& command) { return command ? json::value(command->text()) : json::value(nullptr); }

ExecutionWorkspaceMode stored_mode(std::string_view mode) {
  return parse_enum<ExecutionWorkspaceMode>(mode).value_or(ExecutionWorkspaceMode::adapter_managed);
}

json::object metadata_of(const ExecutionWorkspace& row) { return context_of(row.metadata); }

void take_up(ExecutionWorkspace& row, const RealisedWorkspace& realised, const json::object& metadata, Timestamp now) {
  row.cwd = realised.cwd;
  row.repo_url = realised.repo_url;
  row.status = ExecutionWorkspaceStatus::active;
  row.closed_at.reset();  // a workspace whose cleanup failed may be taken up again
  row.last_used_at = row.updated_at = now;
  row.metadata = RawJson(json::value(metadata));
}

// The row a run goes on in: the reused one, or an open shared one that would look the same (OURS: the reference adds a
// row for every run).
std::optional<ExecutionWorkspace> row_to_continue(store::Transaction& tx, const RunSetup& setup, const RealisedWorkspace& realised, const json::object& config) {
  const WorkspacePlan& plan = setup.workspace;
  if (plan.reused) return tx.one<ExecutionWorkspace>("select {} from execution_workspaces where id = :1 {for update}", plan.reused->id);
  if (plan.mode != "shared_workspace" || realised.strategy != "project_primary" || !setup.issue) return std::nullopt;
  for (auto& row : tx.all<ExecutionWorkspace>("select {} from execution_workspaces where company_id = :1 and project_id = :2 and source_issue_id = :3 "
                                              "and mode = 'shared_workspace' and status in ('active', 'idle') order by last_used_at desc, id limit 20",
                                              setup.run.company_id, *plan.project_id, setup.issue->id))
    if (row.cwd == realised.cwd && row.project_workspace_id == realised.project_workspace_id && row.repo_url == realised.repo_url &&
        object_at(metadata_of(row), "config") == config)
      return std::move(row);
  return std::nullopt;
}

ExecutionWorkspace new_row(store::Transaction& tx, const RunSetup& setup, const RealisedWorkspace& realised, const json::object& config) {
  const WorkspacePlan& plan = setup.workspace;
  const bool worktree = realised.strategy == "git_worktree";
  ExecutionWorkspace row;
  row.id = tx.new_id<ExecutionWorkspaceId>();
  row.company_id = setup.run.company_id;
  row.project_id = *plan.project_id;
  row.project_workspace_id = realised.project_workspace_id;
  if (setup.issue) row.source_issue_id = setup.issue->id;
  row.mode = stored_mode(plan.mode);
  row.strategy_type = worktree ? ExecutionWorkspaceStrategy::git_worktree : ExecutionWorkspaceStrategy::project_primary;
  if (realised.branch_name) row.name = *realised.branch_name;
  else if (setup.issue && setup.issue->identifier) row.name = *setup.issue->identifier;
  else row.name = "workspace-" + setup.agent.id.str().substr(0, 8);
  row.base_ref = realised.repo_ref;
  row.branch_name = realised.branch_name;
  row.provider_type = worktree ? "git_worktree" : "local_fs";
  row.provider_ref = realised.worktree_path;
  row.opened_at = row.created_at = tx.now();
  take_up(row, realised, json::object{{"source", realised.source}, {"createdByRuntime", realised.created}, {"config", config}}, tx.now());
  return row;
}

// spec 3.4; the fields of isolation only where the instance allows it.
void point_issue(store::Transaction& tx, const RunSetup& setup, const ExecutionWorkspace& row) {
  if (!setup.issue) return;
  const WorkspacePlan& plan = setup.workspace;
  if (row.project_workspace_id && row.project_workspace_id != plan.issue_project_workspace_id)
    tx.execute("update issues set project_workspace_id = :1, updated_at = :2 where id = :3", row.project_workspace_id, tx.now(), setup.issue->id);
  if (!plan.isolation) return;
  tx.execute("update issues set execution_workspace_id = :1, updated_at = :2 where id = :3", row.id, tx.now(), setup.issue->id);
  if (plan.issue_reuses || plan.mode == "isolated_workspace" || plan.mode == "operator_branch") {
    json::object settings = plan.issue_settings;
    settings["mode"] = issue_mode_of(row.mode);
    tx.execute("update issues set execution_workspace_preference = 'reuse_existing', execution_workspace_settings = :1 where id = :2",
               RawJson(json::value(std::move(settings))), setup.issue->id);
  }
  if (plan.previous_id && *plan.previous_id != row.id)
    tx.execute("update execution_workspaces set status = 'idle', updated_at = :1 where id = :2 and status = 'active'", tx.now(), *plan.previous_id);
}

// The agent tells where it works (spec 3.5). Not counted as the run's own comment, hence without its run.
void announce(store::Transaction& tx, const RunSetup& setup, const RealisedWorkspace& realised) {
  if (!realised.created || !setup.issue) return;
  std::string body = "## Workspace Ready\n\n- Strategy: `" + realised.strategy + "`";
  if (realised.branch_name) body += "\n- Branch: `" + *realised.branch_name + "`";
  body += "\n- CWD: `" + realised.cwd + "`";
  if (realised.worktree_path && *realised.worktree_path != realised.cwd) body += "\n- Worktree: `" + *realised.worktree_path + "`";
  const Author author{"agent", setup.agent.id.str(), setup.agent.id, std::nullopt};
  insert_comment(tx, setup.run.company_id, setup.issue->id, author, std::move(body));
}

}  // namespace

std::string_view issue_mode_of(ExecutionWorkspaceMode mode) {
  switch (mode) {
    case ExecutionWorkspaceMode::shared_workspace: return "shared_workspace";
    case ExecutionWorkspaceMode::isolated_workspace: return "isolated_workspace";
    case ExecutionWorkspaceMode::operator_branch: return "operator_branch";
    case ExecutionWorkspaceMode::adapter_managed:
    case ExecutionWorkspaceMode::cloud_sandbox: break;
  }
  return "agent_default";
}

WorkspacePlan plan_workspace(store::Reader& reader, const RunSetup& setup) {
  WorkspacePlan plan;
  const CompanyId company = setup.run.company_id;
  IssuePlace place;
  if (setup.issue) {
    plan.project_id = setup.issue->project_id;
    place = reader.one<IssuePlace>("select {} from issues where id = :1", setup.issue->id).value_or(IssuePlace{});
  }
  if (!plan.project_id)
    if (const auto named = context_text(setup.context, "projectId"))
      if (const auto id = ProjectId::parse(*named); id && reader.exists("select 1 from projects where id = :1 and company_id = :2", *id, company))
        plan.project_id = id;
  const json::object overrides = setup.issue && setup.issue->assignee_agent_id == setup.agent.id ? context_of(setup.issue->assignee_adapter_overrides) : json::object();
  const auto* use_project = overrides.if_contains("useProjectWorkspace");
  const bool refuses_project = use_project != nullptr && use_project->is_bool() && !use_project->get_bool();
  const bool may_isolate = plan.project_id || place.execution_workspace_id || !place.execution_workspace_settings.is_null();
  plan.isolation = may_isolate && isolated_workspaces_enabled(reader);

  json::object policy;
  if (plan.isolation) {
    plan.issue_settings = context_of(place.execution_workspace_settings);
    if (plan.project_id) policy = effective_policy(reader, company, *plan.project_id);
  }
  plan.issue_project_workspace_id = place.project_workspace_id;
  plan.previous_id = place.execution_workspace_id;
  plan.issue_reuses = plan.isolation && place.execution_workspace_preference == "reuse_existing";
  plan.mode = plan.effective_mode = requested_mode(plan.issue_settings, policy, refuses_project);

  std::optional<ExecutionWorkspace> current;
  if (plan.isolation && place.execution_workspace_id)
    current = reader.one<ExecutionWorkspace>("select {} from execution_workspaces where id = :1 and company_id = :2", *place.execution_workspace_id, company);
  if (plan.issue_reuses && current && current->status != ExecutionWorkspaceStatus::archived) {
    plan.reused = current;
    if (const auto own = issue_mode_of(current->mode); own != "shared_workspace") plan.effective_mode = own;
  }

  plan.strategy = read_strategy(setup.config);
  const bool control = !policy.empty() || plan.issue_settings.contains("mode") || has_object(plan.issue_settings, "workspaceStrategy") ||
                       has_object(plan.issue_settings, "workspaceRuntime") || refuses_project;
  if (!plan.reused && control) {
    if (plan.mode == "isolated_workspace") {
      if (auto chosen = read_strategy(plan.issue_settings)) plan.strategy = std::move(chosen);
      else if (auto of_policy = read_strategy(policy)) plan.strategy = std::move(of_policy);
      if (!plan.strategy) plan.strategy = WorkspaceStrategy{.type = "git_worktree", .base_ref = {}, .branch_template = {}, .worktree_parent_dir = {}, .provision = {}, .teardown = {}};
    } else {
      plan.strategy.reset();
    }
    if (plan.mode != "agent_default") {
      if (has_object(plan.issue_settings, "workspaceRuntime")) plan.snapshot["workspaceRuntime"] = plan.issue_settings["workspaceRuntime"];
      else if (has_object(policy, "workspaceRuntime")) plan.snapshot["workspaceRuntime"] = policy["workspaceRuntime"];
    }
  }
  if (current) apply_stored_config(object_at(metadata_of(*current), "config"), plan);
  if (plan.strategy) {
    plan.snapshot["provisionCommand"] = or_null(plan.strategy->provision);
    plan.snapshot["teardownCommand"] = or_null(plan.strategy->teardown);
  }

  if (place.project_workspace_id) plan.preferred_id = place.project_workspace_id;
  else if (const auto named = context_text(setup.context, "projectWorkspaceId")) plan.preferred_id = ProjectWorkspaceId::parse(*named);
  if (plan.project_id && plan.effective_mode != "agent_default") plan.workspaces = candidates(reader, *plan.project_id, plan.preferred_id);
  return plan;
}

Result<std::optional<ExecutionWorkspaceId>> record_run_workspace(store::Transaction& tx, const RunSetup& setup, const RealisedWorkspace& realised) {
  const WorkspacePlan& plan = setup.workspace;
  if (!plan.project_id) return std::optional<ExecutionWorkspaceId>();
  if (!tx.exists("select 1 from heartbeat_runs where id = :1 and status = 'running' and fence = :2", setup.run.id, setup.run.fence))
    return conflict("The run is over or in other hands", json::object{{"runId", setup.run.id.view()}});
  json::object config = plan.snapshot;
  config["environmentId"] = setup.environment_id ? json::value(setup.environment_id->view()) : json::value(nullptr);

  auto row = row_to_continue(tx, setup, realised, config);
  if (row) {
    json::object metadata = metadata_of(*row);
    metadata["source"] = realised.source;
    row->base_ref = realised.repo_ref;
    row->branch_name = realised.branch_name;
    row->provider_type = realised.strategy == "git_worktree" ? "git_worktree" : "local_fs";
    row->provider_ref = realised.worktree_path;
    take_up(*row, realised, metadata, tx.now());
    tx.update(table_of<ExecutionWorkspace>, *row);
  } else if (plan.reused) {
    return conflict("The execution workspace of the issue is gone");
  } else {
    row = new_row(tx, setup, realised, config);
    tx.insert(table_of<ExecutionWorkspace>, *row);
  }
  attach_operations(tx, realised.operations, row->id);
  point_issue(tx, setup, *row);
  if (setup.lease_id) {
    tx.execute("update environment_leases set execution_workspace_id = :1, updated_at = :2 where id = :3", row->id, tx.now(), *setup.lease_id);
    describe_lease(tx, *setup.lease_id, json::object{{"executionWorkspaceMode", to_text(row->mode)}});
  }
  announce(tx, setup, realised);
  return std::optional(row->id);
}

}  // namespace paperclip::domain
