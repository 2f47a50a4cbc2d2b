#include "environments/workspaces.h"

#include "base/text.h"
#include "os/files.h"

namespace paperclip::environments {

namespace fs = std::filesystem;
using domain::WorkspaceOperationPhase;
using namespace std::chrono_literals;

namespace {

constexpr auto git_patience = 10min;  // a checkout of a large repository
constexpr auto look_patience = 30s;

std::vector<std::pair<std::string, std::string>> provision_variables(const Worktree& worktree, const fs::path& base_cwd, const ProvisionFacts& facts) {
  const std::string path = worktree.path.string();
  return {{"PAPERCLIP_WORKSPACE_CWD", path},
          {"PAPERCLIP_WORKSPACE_PATH", path},
          {"PAPERCLIP_WORKSPACE_WORKTREE_PATH", path},
          {"PAPERCLIP_WORKSPACE_BRANCH", worktree.branch},
          {"PAPERCLIP_WORKSPACE_BASE_CWD", base_cwd.string()},
          {"PAPERCLIP_WORKSPACE_REPO_ROOT", worktree.repository.string()},
          {"PAPERCLIP_WORKSPACE_SOURCE", facts.source},
          {"PAPERCLIP_WORKSPACE_REPO_REF", facts.repo_ref},
          {"PAPERCLIP_WORKSPACE_REPO_URL", facts.repo_url},
          {"PAPERCLIP_WORKSPACE_CREATED", worktree.created ? "true" : "false"},
          {"PAPERCLIP_PROJECT_ID", facts.project_id},
          {"PAPERCLIP_PROJECT_WORKSPACE_ID", facts.project_workspace_id},
          {"PAPERCLIP_AGENT_ID", facts.agent_id},
          {"PAPERCLIP_AGENT_NAME", facts.agent_name},
          {"PAPERCLIP_COMPANY_ID", facts.company_id},
          {"PAPERCLIP_ISSUE_ID", facts.issue_id},
          {"PAPERCLIP_ISSUE_IDENTIFIER", facts.issue_identifier},
          {"PAPERCLIP_ISSUE_TITLE", facts.issue_title}};
}

bool is_same_or_below(const fs::path& inner, const fs::path& outer) {
  std::error_code ec;
  const auto a = fs::weakly_canonical(inner, ec), b = fs::weakly_canonical(outer, ec);
  const auto ends = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  return ends.second == b.end();
}

std::string place_of(const domain::ExecutionWorkspace& row) { return row.cwd.value_or(row.provider_ref.value_or("")); }

int number(std::string_view text) { return std::atoi(std::string(text).c_str()); }

}  // namespace

Result<> provision(const WorkspaceHost& host, const domain::HostCommand& command, const Worktree& worktree, const fs::path& base_cwd,
                   const ProvisionFacts& facts, OperationRecorder& recorder) {
  const HostCommandPlace place{worktree.path, worktree.repository, provision_variables(worktree, base_cwd, facts)};
  const OperationRecorder::Step step{WorkspaceOperationPhase::workspace_provision, command.text(), worktree.path.string(),
                                     json::object{{"worktreePath", worktree.path.string()}, {"branchName", worktree.branch}, {"created", worktree.created}}};
  const auto output = TRY(recorder.record(step, [&] { return run_host_command(command, place, host.environment, Deadline::in(longest_host_command)); }));
  if (!output.ok()) return host_command_error("Execution workspace provision command", command, output);
  return {};
}

Result<> restore(const WorkspaceHost& host, const KnownWorkspace& workspace, Provisioning provisioning, OperationRecorder& recorder) {
  const auto& row = workspace.row;
  const std::string place = place_of(row);
  if (place.empty() || row.strategy_type != domain::ExecutionWorkspaceStrategy::git_worktree) return {};
  const auto deadline = Deadline::in(git_patience);
  std::error_code ec;
  Worktree worktree;
  worktree.path = place;
  worktree.branch = row.branch_name.value_or("");
  if (fs::exists(place, ec)) {
    if (provisioning == Provisioning::only_when_restored || !workspace.provision) return {};
    worktree.repository = TRY(repository_root(Git(place, host.environment), deadline));
  } else {
    if (!row.branch_name) return unprocessable("Execution workspace \"" + place + "\" is missing and cannot be restored because no branch name is recorded.");
    if (workspace.project_cwd.empty()) return unprocessable("Execution workspace \"" + place + "\" is missing and its project has no folder to restore it from.");
    const Git base(workspace.project_cwd, host.environment);
    worktree.repository = TRY(repository_root(base, deadline));
    TRY(restore_worktree(base.at(worktree.repository), place, *row.branch_name, row.base_ref, recorder, deadline));
    worktree.created = true;
  }
  if (!workspace.provision) return {};
  const fs::path base_cwd = workspace.project_cwd.empty() ? worktree.repository : fs::path(workspace.project_cwd);
  return provision(host, *workspace.provision, worktree, base_cwd, workspace.facts, recorder);
}

GitInspection inspect(const WorkspaceHost& host, const fs::path& path, const std::optional<std::string>& base_ref) {
  GitInspection seen;
  const auto deadline = Deadline::in(look_patience);
  std::error_code ec;
  if (!fs::is_directory(path, ec)) {
    seen.problems.push_back("Workspace path \"" + path.string() + "\" does not exist.");
    return seen;
  }
  const Git git(path, host.environment);
  auto top = git.text({"rev-parse", "--show-toplevel"}, deadline);
  if (!top) {
    seen.problems.push_back("Could not inspect git status of \"" + path.string() + "\": it is no git checkout.");
    return seen;
  }
  seen.repo_root = *top;
  if (const auto status = git.text({"status", "--porcelain=v1", "--untracked-files=all"}, deadline)) {
    for (const auto& line : split(*status, '\n')) {
      if (line.empty()) continue;
      ++(line.starts_with("??") ? seen.untracked_entry_count : seen.dirty_entry_count);
    }
    seen.has_dirty_tracked_files = seen.dirty_entry_count > 0;
    seen.has_untracked_files = seen.untracked_entry_count > 0;
  } else {
    seen.problems.push_back("Could not read git status: " + status.error().message);
  }
  if (!base_ref) return seen;
  if (const auto counts = git.text({"rev-list", "--left-right", "--count", "--end-of-options", *base_ref + "...HEAD"}, deadline)) {
    const auto parts = split(*counts, '\t');
    if (parts.size() == 2) {
      seen.behind_count = number(parts[0]);
      seen.ahead_count = number(parts[1]);
    }
  } else {
    seen.problems.push_back("Could not compare with \"" + *base_ref + "\": " + counts.error().message);
  }
  if (const auto merged = git.run({"merge-base", "--is-ancestor", "HEAD", *base_ref}, deadline); merged && (merged->exit_code == 0 || merged->exit_code == 1))
    seen.is_merged_into_base = merged->exit_code == 0;
  return seen;
}

CleanupOutcome clean_up(const WorkspaceHost& host, const CleanupWish& wish, OperationRecorder& recorder) {
  CleanupOutcome out;
  const auto& row = wish.row;
  const std::string path = place_of(row);
  std::error_code ec;
  fs::path cwd = !path.empty() && fs::exists(path, ec) ? path : wish.project_cwd;
  const auto text = [](const std::optional<std::string>& value) { return value.value_or(""); };
  HostCommandPlace place{cwd, wish.project_cwd,
                         {{"PAPERCLIP_WORKSPACE_CWD", text(row.cwd)},
                          {"PAPERCLIP_WORKSPACE_PATH", path},
                          {"PAPERCLIP_WORKSPACE_WORKTREE_PATH", text(row.provider_ref)},
                          {"PAPERCLIP_WORKSPACE_BRANCH", text(row.branch_name)},
                          {"PAPERCLIP_WORKSPACE_BASE_CWD", wish.project_cwd},
                          {"PAPERCLIP_WORKSPACE_REPO_ROOT", wish.project_cwd},
                          {"PAPERCLIP_WORKSPACE_REPO_URL", text(row.repo_url)},
                          {"PAPERCLIP_WORKSPACE_REPO_REF", text(row.base_ref)},
                          {"PAPERCLIP_PROJECT_ID", row.project_id.str()},
                          {"PAPERCLIP_PROJECT_WORKSPACE_ID", row.project_workspace_id ? row.project_workspace_id->str() : ""},
                          {"PAPERCLIP_ISSUE_ID", row.source_issue_id ? row.source_issue_id->str() : ""}}};
  for (const auto& command : wish.commands) {
    if (cwd.empty()) {
      out.warnings.push_back("Skipped command \"" + command.text() + "\": the workspace has no folder.");
      continue;
    }
    const OperationRecorder::Step step{WorkspaceOperationPhase::workspace_teardown, command.text(), cwd.string(), {}};
    const auto output = recorder.record(step, [&] { return run_host_command(command, place, host.environment, Deadline::in(longest_host_command)); });
    if (!output) out.warnings.push_back(output.error().message);
    else if (!output->ok()) out.warnings.push_back(host_command_error("Execution workspace cleanup command", command, *output).message);
  }

  const auto deadline = Deadline::in(git_patience);
  if (row.provider_type == "git_worktree" && !path.empty()) {
    const fs::path base = fs::exists(path, ec) ? fs::path(path) : fs::path(wish.project_cwd);
    const auto root = base.empty() ? Result<fs::path>(unprocessable("Its repository is unknown.")) : repository_root(Git(base, host.environment), deadline);
    if (!root) {
      out.warnings.push_back("Could not remove worktree \"" + path + "\": " + root.error().message);
    } else {
      const auto branch = wish.created_by_runtime ? row.branch_name : std::nullopt;
      for (auto& warning : remove_worktree(Git(*root, host.environment), path, branch, recorder, deadline)) out.warnings.push_back(std::move(warning));
    }
  } else if (row.provider_type == "local_fs" && wish.created_by_runtime && !path.empty()) {
    if (!wish.project_cwd.empty() && is_same_or_below(wish.project_cwd, path))
      out.warnings.push_back("Refusing to remove path \"" + path + "\" because it contains the project workspace.");
    else if (is_same_or_below(host.instance_root, path) || !is_same_or_below(path, host.instance_root))
      out.warnings.push_back("Refusing to remove path \"" + path + "\" because it is none of this instance's own folders.");
    else if (const auto removed = os::remove_tree(path); !removed)
      out.warnings.push_back(removed.error().message);
  }
  out.cleaned = path.empty() || !fs::exists(path, ec);
  return out;
}

}  // namespace paperclip::environments
