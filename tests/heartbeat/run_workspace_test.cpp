#include <fstream>

#include "domain/instance/instance.h"
#include "domain/workspaces/execution_workspace.h"
#include "project_work.h"

/// Where runs work (spec/workspaces.md 3, 11), with real processes and repositories.
namespace paperclip::heartbeat {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using domain::ExecutionWorkspace;
using domain::RunStatus;

class Places : public test::ProjectWork {
 protected:
  fs::path repo() const { return fs::canonical(place_.path()) / "repo"; }
  void make_repository() {
    fs::create_directories(repo());
    sh("cd '" + repo().string() + "' && git init -q -b main && git -c user.name=a -c user.email=a@example.com commit -q --allow-empty -m start");
  }
  static void sh(const std::string& line) {
    os::Command command;
    command.argv = {"/bin/sh", "-c", line};
    command.environment = os::ChildEnvironment::from_host(os::own_environment()).variables();
    const auto output = os::run_command(command, Deadline::in(60s));
    ASSERT_TRUE(output.ok() && output->ok()) << line << ": " << output->stderr_text;
  }
  void isolate() {
    ASSERT_TRUE(execute("delete from instance_settings").ok());
    domain::InstanceSettings settings;
    settings.id = fresh<decltype(settings.id)>();
    settings.experimental = RawJson(R"({"enableIsolatedWorkspaces":true})");
    settings.created_at = settings.updated_at = Clock::system().now();
    add(settings);
  }
  std::vector<ExecutionWorkspace> workspaces() {
    return database_->read([&](store::Reader& reader) { return reader.all<ExecutionWorkspace>("select {} from execution_workspaces order by created_at, id"); });
  }
  std::string place_of(RunId id) { return text_at(*find_path(context(id), "paperclipWorkspace"), "cwd").value_or("(none)"); }
  // Agents of kind `process` run in the workspace's folder.
  domain::Agent teller() { return worker("teller", "pwd"); }
};

TEST_P(Places, A_run_of_a_project_works_in_its_folder_and_leaves_one_row) {
  const auto agent = teller();
  const auto alpha = project();
  folder(alpha, (place_.path() / "missing").string());
  const auto second = folder(alpha, place_.path().string());
  const auto issue = issue_of(alpha, agent);
  for (int i = 0; i < 2; ++i) {
    const auto id = work(agent, issue);
    ASSERT_TRUE(reaches(id, RunStatus::succeeded));
    EXPECT_EQ(place_of(id), place_.path().string());
    EXPECT_EQ(text_at(*find_path(context(id), "paperclipWorkspace"), "workspaceId"), second.view());
    EXPECT_EQ(find_path(context(id), "paperclipWorkspaces")->as_array().size(), 2u);
  }
  const auto rows = workspaces();
  ASSERT_EQ(rows.size(), 1u) << "the second run goes on in the row of the first";
  EXPECT_EQ(rows[0].mode, domain::ExecutionWorkspaceMode::shared_workspace);
  EXPECT_EQ(rows[0].project_workspace_id, second);
  EXPECT_EQ(rows[0].source_issue_id, issue);
  EXPECT_FALSE(value<ExecutionWorkspaceId>("select execution_workspace_id from issues where id = :1", issue)) << "without the instance's flag";
}

TEST_P(Places, A_project_without_a_folder_has_a_managed_one_and_a_missing_one_is_said) {
  const auto agent = teller();
  const auto alpha = project(), beta = project();
  const auto managed = work(agent, issue_of(alpha, agent));
  ASSERT_TRUE(reaches(managed, RunStatus::succeeded));
  EXPECT_EQ(place_of(managed), (place_.path() / "projects" / company_.id.str() / alpha.str() / "_default").string());
  folder(beta, "/nonexistent/folder");
  const auto fallback = work(agent, issue_of(beta, agent));
  ASSERT_TRUE(reaches(fallback, RunStatus::succeeded));
  EXPECT_EQ(place_of(fallback), (place_.path() / "workspaces" / agent.id.str()).string());
  EXPECT_NE(said(fallback, "stdout").find("Project workspace path \"/nonexistent/folder\" is not available yet."), std::string::npos);
}

TEST_P(Places, A_repository_is_cloned_once) {
  make_repository();
  const auto agent = teller();
  const auto alpha = project();
  folder(alpha, std::nullopt, "file://" + repo().string());
  const auto id = work(agent, issue_of(alpha, agent));
  ASSERT_TRUE(reaches(id, RunStatus::succeeded));
  const fs::path clone = place_.path() / "projects" / company_.id.str() / alpha.str() / "repo";
  EXPECT_EQ(place_of(id), clone.string());
  EXPECT_TRUE(fs::exists(clone / ".git"));
}

TEST_P(Places, An_isolated_issue_gets_a_worktree_that_its_next_run_goes_on_in_even_after_it_was_removed) {
  make_repository();
  isolate();
  const auto agent = teller();
  const auto alpha = project(R"({"enabled":true,"defaultMode":"isolated_workspace","workspaceStrategy":{"type":"git_worktree","provisionCommand":"echo x >> provisioned"}})");
  folder(alpha, repo().string());
  const auto issue = issue_of(alpha, agent);
  const auto first = work(agent, issue);
  ASSERT_TRUE(reaches(first, RunStatus::succeeded)) << run(first).error.value_or("");
  auto rows = workspaces();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].strategy_type, domain::ExecutionWorkspaceStrategy::git_worktree);
  EXPECT_EQ(rows[0].branch_name, rows[0].name);
  EXPECT_TRUE(rows[0].name.ends_with("-ship-it")) << rows[0].name;
  EXPECT_EQ(place_of(first), *rows[0].cwd);
  EXPECT_EQ(value<ExecutionWorkspaceId>("select execution_workspace_id from issues where id = :1", issue), rows[0].id);
  EXPECT_EQ(value<std::string>("select execution_workspace_preference from issues where id = :1", issue), "reuse_existing");
  EXPECT_EQ(value<std::int64_t>("select count(*) from workspace_operations where execution_workspace_id = :1 and heartbeat_run_id = :2", rows[0].id, first), 2);
  EXPECT_EQ(value<std::int64_t>("select count(*) from issue_comments where issue_id = :1 and body like '## Workspace Ready%'", issue), 1);

  fs::remove_all(*rows[0].cwd);
  const auto second = work(agent, issue);
  ASSERT_TRUE(reaches(second, RunStatus::succeeded)) << run(second).error.value_or("");
  rows = workspaces();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(place_of(second), *rows[0].cwd);
  EXPECT_TRUE(fs::exists(fs::path(*rows[0].cwd) / "provisioned"));
  EXPECT_EQ(member(rows[0].metadata->parse(), "createdByRuntime")->as_bool(), true) << "the next run does not forget who made it";
}

TEST_P(Places, A_provision_command_that_fails_ends_the_run_and_leaves_no_worktree) {
  make_repository();
  isolate();
  const auto agent = teller();
  const auto alpha = project(R"({"enabled":true,"defaultMode":"isolated_workspace","workspaceStrategy":{"type":"git_worktree","provisionCommand":"exit 9"}})");
  folder(alpha, repo().string());
  const auto id = work(agent, issue_of(alpha, agent));
  ASSERT_TRUE(reaches(id, RunStatus::failed));
  EXPECT_EQ(run(id).error, "Execution workspace provision command \"exit 9\" failed with exit code 9");
  EXPECT_TRUE(workspaces().empty());
  EXPECT_TRUE(fs::is_empty(repo() / ".paperclip/worktrees"));
}

TEST_P(Places, Operator_branches_work_in_the_plain_folder_and_an_override_keeps_an_agent_at_home) {
  make_repository();
  isolate();
  const auto agent = teller();
  const auto alpha = project(R"({"enabled":true,"defaultMode":"operator_branch"})");
  folder(alpha, repo().string());
  const auto plain = work(agent, issue_of(alpha, agent));
  ASSERT_TRUE(reaches(plain, RunStatus::succeeded));
  EXPECT_EQ(place_of(plain), repo().string());
  EXPECT_EQ(workspaces().back().mode, domain::ExecutionWorkspaceMode::operator_branch);

  const auto beta = project();
  folder(beta, repo().string());
  const auto issue = issue_of(beta, agent);
  ASSERT_TRUE(execute("update issues set assignee_adapter_overrides = :1 where id = :2", RawJson(R"({"useProjectWorkspace":false})"), issue).ok());
  const auto home = work(agent, issue);
  ASSERT_TRUE(reaches(home, RunStatus::succeeded));
  EXPECT_EQ(place_of(home), (place_.path() / "workspaces" / agent.id.str()).string());
}

INSTANTIATE_TEST_SUITE_P(Database, Places, ::testing::Values(store::Engine::sqlite), test::engine_name);

}  // namespace
}  // namespace paperclip::heartbeat
