#include "heartbeat/run_workspace.h"

#include <spdlog/spdlog.h>

#include "base/template.h"
#include "base/text.h"
#include "domain/projects/managed_folder.h"
#include "domain/projects/workspaces.h"
#include "domain/wakeups/wake_context.h"
#include "os/files.h"
#include "store/database.h"

namespace paperclip::heartbeat {

namespace fs = std::filesystem;
using domain::ProjectWorkspace;
using namespace std::chrono_literals;

namespace {

constexpr auto clone_patience = 10min;
constexpr auto worktree_patience = 10min;

bool is_folder(const fs::path& path) {
  std::error_code ec;
  return fs::is_directory(path, ec);
}

std::string or_empty(const std::optional<std::string>& text) { return text.value_or(""); }

template <class IdType>
std::string or_empty(const std::optional<IdType>& id) {
  return id ? id->str() : std::string();
}

json::value or_null(const std::optional<std::string>& text) { return text ? json::value(*text) : json::value(nullptr); }

std::optional<std::string> configured_folder(const ProjectWorkspace& row) {
  if (!row.cwd || *row.cwd == domain::repo_only_cwd || trim(*row.cwd).empty()) return std::nullopt;
  return row.cwd;
}

// The folder we keep for a project's repository, cloned when it is missing (spec/workspaces.md 3.2).
Result<fs::path> managed_checkout(const fs::path& directory, const std::optional<std::string>& repo_url, const os::Environment& host,
                                  std::vector<std::string>& warnings) {
  if (!repo_url) {
    TRY(os::make_directories(directory));
    return directory;
  }
  std::error_code ec;
  if (fs::exists(directory / ".git", ec)) return directory;
  if (is_folder(directory) && !fs::is_empty(directory, ec)) {
    warnings.push_back("Managed workspace path \"" + directory.string() + "\" already exists but is not a git checkout. Using it as-is.");
    return directory;
  }
  auto cloned = environments::clone_repository(*repo_url, directory, host, Deadline::in(clone_patience));
  // Another run may have cloned it while we did.
  if (!cloned && !fs::exists(directory / ".git", ec))
    return unprocessable("Failed to prepare managed checkout for \"" + environments::without_credentials(*repo_url) + "\" at \"" + directory.string() + "\": " + cloned.error().message);
  return directory;
}

void take_source(const ProjectWorkspace& row, domain::RealisedWorkspace& place) {
  place.project_workspace_id = row.id;
  place.repo_url = row.repo_url;
  place.repo_ref = row.repo_ref;
}

// The first configured place that exists; the agent's home when none does (spec/workspaces.md 3.2.1).
void choose_configured(const domain::WorkspacePlan& plan, const environments::WorkspaceHost& host, Workspace& out) {
  const auto& rows = plan.workspaces;
  auto& place = out.place;
  place.source = "project_primary";
  if (plan.preferred_id && rows.front().id != *plan.preferred_id)
    out.warnings.push_back("Selected project workspace \"" + plan.preferred_id->str() + "\" is not available on this project.");
  std::vector<std::string> missing;
  std::optional<std::string> clone_failure;
  for (const auto& row : rows) {
    const bool preferred = plan.preferred_id == row.id;
    if (const auto folder = configured_folder(row)) {
      if (is_folder(*folder)) {
        place.cwd = *folder;
        take_source(row, place);
        return;
      }
      if (preferred) out.warnings.push_back("Selected project workspace path \"" + *folder + "\" is not available yet.");
      missing.push_back(*folder);
      continue;
    }
    std::vector<std::string> notes;
    auto managed = managed_checkout(domain::managed_folder(host.instance_root, row.company_id, row.project_id, row.repo_url), row.repo_url, host.environment, notes);
    if (!managed) {
      if (preferred || rows.size() == 1) out.warnings.push_back(managed.error().message);
      continue;
    }
    out.warnings.insert(out.warnings.end(), notes.begin(), notes.end());
    place.cwd = managed->string();
    take_source(row, place);
    return;
  }
  take_source(rows.front(), place);
  place.cwd = out.agent_home.string();
  if (missing.empty()) {
    out.warnings.push_back("Project workspace has no local cwd configured. Using fallback workspace \"" + place.cwd + "\" for this run.");
    return;
  }
  std::string warning = "Project workspace path \"" + missing.front() + "\"";
  if (missing.size() > 1) warning += " and " + std::to_string(missing.size() - 1) + " other configured path" + (missing.size() > 2 ? "s" : "");
  out.warnings.push_back(warning + (missing.size() > 1 ? " are" : " is") + " not available yet. Using fallback workspace \"" + place.cwd + "\" for this run.");
}

// Without a project: where the saved session was, else the agent's home (spec/workspaces.md 3.2.3).
void choose_personal(const domain::RunSetup& setup, Workspace& out) {
  auto& place = out.place;
  const json::value session = setup.session.params.value_or(json::object());
  const auto saved = text_at(session, "cwd");
  const bool saved_here = member(session, "remoteExecution") == nullptr;
  if (saved && saved_here && is_folder(*saved) && fs::path(*saved).is_absolute()) {
    place.cwd = *saved;
    place.source = "task_session";
    if (const auto id = text_at(session, "workspaceId")) place.project_workspace_id = ProjectWorkspaceId::parse(*id);
    place.repo_url = text_at(session, "repoUrl");
    place.repo_ref = text_at(session, "repoRef");
    return;
  }
  place.cwd = out.agent_home.string();
  place.source = "agent_home";
  std::string why = "No project or prior session workspace was available.";
  if (saved && saved_here) why = "Saved session workspace \"" + *saved + "\" is not available.";
  else if (setup.workspace.project_id) why = "No project workspace directory is currently available for this issue.";
  out.warnings.push_back(why + " Using fallback workspace \"" + place.cwd + "\" for this run.");
}

environments::ProvisionFacts provision_facts(const domain::RunSetup& setup, const domain::RealisedWorkspace& place) {
  environments::ProvisionFacts facts;
  facts.source = place.source;
  facts.repo_ref = or_empty(place.repo_ref);
  facts.repo_url = or_empty(place.repo_url);
  facts.project_id = or_empty(setup.workspace.project_id);
  facts.project_workspace_id = or_empty(place.project_workspace_id);
  facts.agent_id = setup.agent.id.str();
  facts.agent_name = setup.agent.name;
  facts.company_id = setup.run.company_id.str();
  if (setup.issue) {
    facts.issue_id = setup.issue->id.str();
    facts.issue_identifier = or_empty(setup.issue->identifier);
    facts.issue_title = setup.issue->title;
  }
  return facts;
}

std::string slug_of(std::string_view text) {
  std::string out;
  for (char c : lower(text)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    if (plain) out += c;
    else if (out.empty() || out.back() != '-') out += '-';
  }
  while (!out.empty() && out.back() == '-') out.pop_back();
  out.erase(0, std::min(out.find_first_not_of('-'), out.size()));
  return out;
}

std::string branch_of(const domain::RunSetup& setup, const domain::RealisedWorkspace& place) {
  const auto& issue = setup.issue;
  std::string slug = issue ? slug_of(issue->title) : "";
  if (slug.empty() && issue) slug = slug_of(issue->identifier.value_or(issue->id.str()));
  if (slug.empty()) slug = "issue";
  const json::value data = json::object{
      {"issue", issue ? json::value(json::object{{"id", issue->id.view()}, {"identifier", or_null(issue->identifier)}, {"title", issue->title}}) : json::value(nullptr)},
      {"agent", json::object{{"id", setup.agent.id.view()}, {"name", setup.agent.name}}},
      {"project", json::object{{"id", setup.workspace.project_id ? json::value(setup.workspace.project_id->view()) : json::value(nullptr)}}},
      {"workspace", json::object{{"repoRef", or_null(place.repo_ref)}}},
      {"slug", slug}};
  return environments::sanitised_branch(render_template(setup.workspace.strategy->branch_template.value_or("{{issue.identifier}}-{{slug}}"), data));
}

// A branch of its own in a folder of its own (spec/workspaces.md 4.1).
Result<> realise(const domain::RunSetup& setup, const environments::WorkspaceHost& host, environments::OperationRecorder& recorder, Workspace& out) {
  const auto& strategy = setup.workspace.strategy;
  if (!strategy || strategy->type != "git_worktree") return {};
  auto& place = out.place;
  const std::string base_cwd = place.cwd;
  environments::WorktreeWish wish;
  wish.branch = branch_of(setup, place);
  wish.parent_directory = strategy->worktree_parent_dir;
  wish.base_ref = strategy->base_ref ? strategy->base_ref : place.repo_ref;
  const auto worktree = TRY(environments::realise_worktree(environments::Git(base_cwd, host.environment), wish, recorder, Deadline::in(worktree_patience)));
  place.cwd = worktree.path.string();
  place.strategy = "git_worktree";
  place.branch_name = worktree.branch;
  place.worktree_path = place.cwd;
  place.created = worktree.created;
  if (strategy->provision)
    if (auto ready = environments::provision(host, *strategy->provision, worktree, base_cwd, provision_facts(setup, place), recorder); !ready) {
      // Nobody knows of a worktree that was made for nothing; on the next try it is made again.
      if (worktree.created)
        (void)environments::remove_worktree(environments::Git(worktree.repository, host.environment), worktree.path, worktree.branch, recorder, Deadline::in(worktree_patience));
      return ready;
    }
  return {};
}

// Goes on where the issue was, brought back if it has gone from the disk (OURS, spec/workspaces.md 3.1).
Result<> go_on(const domain::RunSetup& setup, const environments::WorkspaceHost& host, environments::OperationRecorder& recorder, Workspace& out) {
  const auto& row = *setup.workspace.reused;
  auto& place = out.place;
  environments::KnownWorkspace known;
  known.row = row;
  for (const auto& one : setup.workspace.workspaces)
    if (one.id == row.project_workspace_id || known.project_cwd.empty())
      known.project_cwd = configured_folder(one).value_or(domain::managed_folder(host.instance_root, one.company_id, one.project_id, one.repo_url).string());
  const json::value config = [&] {
    const json::value metadata = row.metadata ? row.metadata->parse() : json::value(nullptr);
    const auto* found = member(metadata, "config");
    return found == nullptr ? json::value(nullptr) : *found;
  }();
  known.provision = domain::HostCommand::stored(text_at(config, "provisionCommand"));
  const std::string fallback = place.cwd;
  place.cwd = row.cwd ? *row.cwd : row.provider_ref.value_or(fallback);
  place.strategy = row.strategy_type == domain::ExecutionWorkspaceStrategy::git_worktree ? "git_worktree" : "project_primary";
  place.project_workspace_id = row.project_workspace_id;
  place.repo_url = row.repo_url;
  place.repo_ref = row.base_ref;
  place.branch_name = row.branch_name;
  place.worktree_path = place.strategy == "git_worktree" ? std::optional(place.cwd) : row.provider_ref;
  place.source = "project_primary";
  known.facts = provision_facts(setup, place);
  return environments::restore(host, known, environments::Provisioning::only_when_restored, recorder);
}

// A session that began in the agent's home, before the project had a folder, goes on there (spec/execution.md 15.2).
void move_session(const domain::RunSetup& setup, Workspace& out) {
  const json::value session = setup.session.params.value_or(json::object());
  const auto saved = text_at(session, "cwd");
  const auto& place = out.place;
  if (!saved || place.source != "project_primary" || !place.project_workspace_id || place.cwd == *saved) return;
  if (fs::path(*saved).lexically_normal() != out.agent_home.lexically_normal()) return;
  const auto named = text_at(session, "workspaceId");
  if (named && *named != place.project_workspace_id->view()) return;
  out.session_moves = json::object{{"cwd", place.cwd}, {"workspaceId", place.project_workspace_id->view()}};
  if (place.repo_url) out.session_moves["repoUrl"] = *place.repo_url;
  if (place.repo_ref) out.session_moves["repoRef"] = *place.repo_ref;
  out.warnings.push_back("Project workspace \"" + place.cwd + "\" is now available. Resuming the session that was started in fallback workspace \"" + *saved + "\" there.");
}

}  // namespace

Result<Workspace> prepare_workspace(const domain::RunSetup& setup, const environments::WorkspaceHost& host) {
  const auto& plan = setup.workspace;
  Workspace out;
  out.agent_home = host.instance_root / "workspaces" / setup.agent.id.str();
  TRY(os::make_directories(out.agent_home));
  out.mode = plan.effective_mode;
  out.project_id = plan.effective_mode == "agent_default" ? std::nullopt : plan.project_id;

  if (plan.reused) {
    out.place.cwd = out.agent_home.string();
  } else if (!out.project_id) {
    choose_personal(setup, out);
  } else if (plan.workspaces.empty()) {
    out.place.source = "project_primary";
    out.place.cwd = TRY(managed_checkout(domain::managed_folder(host.instance_root, setup.run.company_id, *out.project_id, std::nullopt), std::nullopt,
                                         host.environment, out.warnings)).string();
  } else {
    choose_configured(plan, host, out);
  }
  for (const auto& row : plan.workspaces) {
    const auto folder = configured_folder(row);
    out.hints.push_back(json::object{{"workspaceId", row.id.view()}, {"cwd", or_null(folder)}, {"repoUrl", or_null(row.repo_url)}, {"repoRef", or_null(row.repo_ref)}});
  }

  environments::OperationRecorder recorder(host.operations, setup.run.company_id, setup.run.id, plan.reused ? std::optional(plan.reused->id) : std::nullopt);
  if (plan.reused) TRY(go_on(setup, host, recorder, out));
  else TRY(realise(setup, host, recorder, out));
  move_session(setup, out);
  if (!plan.project_id) return out;

  out.place.operations = recorder.operations();
  auto recorded = host.operations.database.write([&](store::Transaction& tx) { return domain::record_run_workspace(tx, setup, out.place); });
  if (!recorded) {
    if (out.place.created && out.place.worktree_path) {
      const auto root = environments::repository_root(environments::Git(*out.place.worktree_path, host.environment), Deadline::in(worktree_patience));
      if (root)
        (void)environments::remove_worktree(environments::Git(*root, host.environment), *out.place.worktree_path, out.place.branch_name, recorder,
                                            Deadline::in(worktree_patience));
    }
    return std::move(recorded).error();
  }
  out.execution_workspace_id = *recorded;
  return out;
}

Workspace recalled_workspace(const domain::RunSetup& setup, const fs::path& instance_root) {
  Workspace out;
  out.agent_home = instance_root / "workspaces" / setup.agent.id.str();
  const auto* found = setup.context.if_contains("paperclipWorkspace");
  const json::value seen = found == nullptr ? json::value(nullptr) : *found;
  out.place.cwd = text_at(seen, "cwd").value_or(out.agent_home.string());
  out.place.source = text_at(seen, "source").value_or("agent_home");
  out.place.strategy = text_at(seen, "strategy").value_or("project_primary");
  out.mode = text_at(seen, "mode").value_or("shared_workspace");
  if (const auto id = text_at(seen, "projectId")) out.project_id = ProjectId::parse(*id);
  if (const auto id = text_at(seen, "workspaceId")) out.place.project_workspace_id = ProjectWorkspaceId::parse(*id);
  out.place.repo_url = text_at(seen, "repoUrl");
  out.place.repo_ref = text_at(seen, "repoRef");
  out.place.branch_name = text_at(seen, "branchName");
  out.place.worktree_path = text_at(seen, "worktreePath");
  if (const auto id = domain::context_text(setup.context, "executionWorkspaceId")) out.execution_workspace_id = ExecutionWorkspaceId::parse(*id);
  if (const auto* hints = setup.context.if_contains("paperclipWorkspaces"); hints != nullptr && hints->is_array()) out.hints = hints->get_array();
  return out;
}

}  // namespace paperclip::heartbeat
