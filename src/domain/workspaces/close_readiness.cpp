#include "domain/workspaces/close_readiness.h"

#include <algorithm>

#include "base/text.h"
#include "base/write_json.h"
#include "domain/workspaces/execution_workspaces.h"
#include "domain/workspaces/service_views.h"

namespace paperclip::domain {

namespace {

std::string counted(std::size_t count, const std::string& one, const std::string& many) { return std::to_string(count) + " " + (count == 1 ? one : many); }

std::vector<LinkedIssue> linked_issues(store::Reader& reader, const ExecutionWorkspace& workspace) {
  return reader.all<LinkedIssue>("select {} from issues where execution_workspace_id = :1 and company_id = :2 order by created_at, id limit 1000", workspace.id,
                                 workspace.company_id);
}

std::optional<std::string> open_issue_reason(const std::vector<LinkedIssue>& issues) {
  const auto open = static_cast<std::size_t>(std::count_if(issues.begin(), issues.end(), [](const LinkedIssue& issue) { return !issue.is_terminal(); }));
  if (open == 0) return std::nullopt;
  if (open == 1) return "This workspace is still linked to an open issue.";
  return "This workspace is still linked to " + std::to_string(open) + " open issues.";
}

bool is_live(const WorkspaceRuntimeService& service) {
  return service.status == RuntimeServiceStatus::running || service.status == RuntimeServiceStatus::starting;
}

std::size_t live_services(const CloseFacts& facts) { return static_cast<std::size_t>(std::count_if(facts.services.begin(), facts.services.end(), is_live)); }

void add_git_warnings(const CloseGitFacts& git, std::vector<std::string>& warnings) {
  const auto count = [](int value) { return static_cast<std::size_t>(value); };
  if (git.has_dirty_tracked_files)
    warnings.push_back("The workspace has " + counted(count(git.dirty_entry_count), "modified tracked file.", "modified tracked files."));
  if (git.has_untracked_files)
    warnings.push_back("The workspace has " + counted(count(git.untracked_entry_count), "untracked file.", "untracked files."));
  if (git.ahead_count.value_or(0) > 0 && git.is_merged_into_base != true)
    warnings.push_back("The workspace is " + counted(count(*git.ahead_count), "commit", "commits") + " ahead of " + git.base_ref.value_or("its base") + " and not merged.");
  if (git.behind_count.value_or(0) > 0)
    warnings.push_back("The workspace is " + counted(count(*git.behind_count), "commit", "commits") + " behind " + git.base_ref.value_or("its base") + ".");
}

std::vector<CloseAction> planned_actions(const CloseFacts& facts) {
  std::vector<CloseAction> out;
  out.push_back({"archive_record", "Archive workspace record", "Keep the workspace's history and mark it as archived.", std::nullopt});
  if (const auto live = live_services(facts); live > 0)
    out.push_back({"stop_runtime_services", live == 1 ? "Stop attached runtime service" : "Stop attached runtime services",
                   "Stop " + counted(live, "service", "services") + " of this workspace.", std::nullopt});
  for (const auto& command : facts.commands())
    out.push_back({command.kind, std::string(command.kind) == "teardown_command" ? "Run teardown command" : "Run cleanup command",
                   "Run the configured command before anything is removed.", command.text});
  const auto& row = facts.workspace;
  if (facts.shared()) return out;
  const auto path = facts.path();
  if (row.provider_type == "git_worktree" && path)
    out.push_back({"git_worktree_remove", "Remove git worktree", "Remove the worktree at " + *path + ".", "git worktree remove --force " + *path});
  if (facts.created_by_runtime() && row.branch_name)
    out.push_back({"git_branch_delete", "Delete branch", "Delete the branch " + *row.branch_name + " if it is merged.", "git branch -d " + *row.branch_name});
  if (row.provider_type == "local_fs" && facts.created_by_runtime() && path)
    out.push_back({"remove_local_directory", "Remove folder", "Remove the folder " + *path + ".", "rm -rf " + *path});
  return out;
}

}  // namespace

bool CloseFacts::created_by_runtime() const {
  const json::value metadata = workspace.metadata ? workspace.metadata->parse() : json::value(nullptr);
  const auto* created = member(metadata, "createdByRuntime");
  return created != nullptr && created->is_bool() && created->get_bool();
}

std::vector<CloseFacts::Command> CloseFacts::commands() const {
  std::vector<Command> out;
  if (shared()) return out;
  const json::value config = workspace_config(workspace.metadata);
  if (auto own = text_at(config, "cleanupCommand")) out.push_back({"cleanup_command", *std::move(own)});
  if (project_workspace && project_workspace->cleanup_command && !trim(*project_workspace->cleanup_command).empty())
    out.push_back({"cleanup_command", std::string(trim(*project_workspace->cleanup_command))});
  if (auto teardown = text_at(config, "teardownCommand")) out.push_back({"teardown_command", *std::move(teardown)});
  else if (policy_teardown) out.push_back({"teardown_command", *policy_teardown});
  return out;
}

CloseFacts read_close_facts(store::Reader& reader, const ExecutionWorkspace& workspace) {
  CloseFacts facts{workspace, linked_issues(reader, workspace), {}, std::nullopt, std::nullopt};
  for (auto& service : services_of_execution_workspace(reader, workspace))
    if (service.execution_workspace_id == workspace.id) facts.services.push_back(std::move(service));
  if (workspace.project_workspace_id)
    facts.project_workspace = reader.one<ProjectWorkspace>("select {} from project_workspaces where id = :1", *workspace.project_workspace_id);
  if (const auto policy = reader.value<RawJson>("select execution_workspace_policy from projects where id = :1", workspace.project_id)) {
    const json::value parsed = policy->parse();
    if (const auto* strategy = member(parsed, "workspaceStrategy")) facts.policy_teardown = text_at(*strategy, "teardownCommand");
  }
  return facts;
}

CloseReadiness judge_closing(const CloseFacts& facts, const std::optional<CloseGitFacts>& git, const std::vector<std::string>& problems) {
  CloseReadiness out;
  const auto open = open_issue_reason(facts.issues);
  if (open && !facts.shared()) out.blocking_reasons.push_back(*open);
  out.warnings = problems;
  if (open && facts.shared()) out.warnings.push_back(*open);
  if (facts.shared())
    out.warnings.push_back("This is a shared workspace session. Archiving it removes the record from its issues and leaves the project's folder as it is.");
  if (const auto live = live_services(facts); live > 0)
    out.warnings.push_back("Closing this workspace will stop " + counted(live, "attached runtime service.", "attached runtime services."));
  if (git) add_git_warnings(*git, out.warnings);
  if (!facts.shared() && facts.workspace.provider_type == "local_fs" && !facts.created_by_runtime() && facts.path())
    out.warnings.push_back("The folder " + *facts.path() + " was not made for this workspace and will be kept.");
  out.actions = planned_actions(facts);
  out.state = !out.blocking_reasons.empty() ? "blocked" : out.warnings.empty() ? "ready" : "ready_with_warnings";
  return out;
}

void append_close_readiness(std::string& out, const CloseFacts& facts, const CloseReadiness& readiness, const std::optional<CloseGitFacts>& git) {
  const auto& row = facts.workspace;
  const auto same_path = [&] { return facts.project_workspace->cwd && facts.path() && *facts.project_workspace->cwd == *facts.path(); };
  JsonObjectWriter writer(out);
  writer.field("workspaceId", row.id)
      .field("state", readiness.state)
      .field("blockingReasons", readiness.blocking_reasons)
      .field("warnings", readiness.warnings);
  json::array issues;
  for (const auto& issue : facts.issues)
    issues.push_back(json::object{{"id", issue.id.view()},
                                  {"identifier", issue.identifier ? json::value(*issue.identifier) : json::value(nullptr)},
                                  {"title", issue.title},
                                  {"status", issue.status},
                                  {"isTerminal", issue.is_terminal()}});
  writer.field("linkedIssues", json::value(std::move(issues)))
      .field("plannedActions", readiness.actions)
      .field("isDestructiveCloseAllowed", readiness.blocking_reasons.empty())
      .field("isSharedWorkspace", facts.shared())
      .field("isProjectPrimaryWorkspace", facts.project_workspace && facts.project_workspace->is_primary && same_path())
      .field("git", git);
  append_services(writer.begin("runtimeServices"), facts.services);
  writer.end();
}

Result<> refuse_open_issues(store::Reader& reader, const ExecutionWorkspace& workspace) {
  if (workspace.mode == ExecutionWorkspaceMode::shared_workspace) return {};
  if (const auto reason = open_issue_reason(linked_issues(reader, workspace))) return conflict(*reason);
  return {};
}

}  // namespace paperclip::domain
