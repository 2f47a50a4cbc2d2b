#include <set>

#include "domain/access/scope.h"
#include "domain/projects/project.h"
#include "domain/workspaces/close_readiness.h"
#include "domain/workspaces/execution_workspaces.h"
#include "domain/workspaces/operations.h"
#include "domain/workspaces/service_rules.h"
#include "domain/workspaces/service_views.h"
#include "work_fixture.h"

/// Execution workspaces as rows, on both engines (spec/workspaces.md 2.9, 6, 7, 8.7, 9).
namespace paperclip::domain {
namespace {

class WorkspaceRules : public test::Work {
 protected:
  void SetUp() override {
    Work::SetUp();
    if (IsSkipped()) return;
    Project project;
    project.id = project_ = fresh<ProjectId>();
    project.company_id = company_.id;
    project.name = "Alpha";
    add(project);
  }
  ExecutionWorkspace workspace(ExecutionWorkspaceMode mode, ExecutionWorkspaceStatus status = ExecutionWorkspaceStatus::active) {
    ExecutionWorkspace row;
    row.id = fresh<ExecutionWorkspaceId>();
    row.company_id = company_.id;
    row.project_id = project_;
    row.mode = mode;
    row.status = status;
    row.name = "w";
    row.last_used_at = row.created_at = Clock::system().now() + std::chrono::milliseconds(++count_);
    add(row);
    return row;
  }
  CompanyScope board() { return CompanyScope::internal(company_.id); }
  CompanyScope as_agent() {
    Actor actor;
    actor.kind = ActorKind::agent;
    actor.source = ActorSource::agent_key;
    actor.agent_id = agent_.id;
    actor.company_id = company_.id;
    return *authorise_company(actor, company_.id, true);
  }
  Result<ExecutionWorkspace> patch(ExecutionWorkspaceId id, const std::string& body, std::optional<CompanyScope> scope = std::nullopt) {
    const auto value = *parse_json(body);
    const auto decoded = decode<ExecutionWorkspacePatch>(&value);
    if (!decoded) return decoded.error();
    const auto who = scope ? *scope : board();
    return database_->write([&](store::Transaction& tx) { return patch_execution_workspace(tx, who, id, *decoded); });
  }
  std::vector<ExecutionWorkspaceId> listed(const ExecutionWorkspaceFilter& filter) {
    std::vector<ExecutionWorkspaceId> out;
    for (const auto& row : database_->read([&](store::Reader& reader) { return list_execution_workspaces(reader, company_.id, filter); })) out.push_back(row.id);
    return out;
  }
  IssueId issue_in(ExecutionWorkspaceId id, IssueStatus status) {
    const auto issue = open_issue(status, agent_.id);
    EXPECT_TRUE(execute("update issues set execution_workspace_id = :1 where id = :2", id, issue).ok());
    return issue;
  }

  ProjectId project_;
  int count_ = 0;
};

TEST_P(WorkspaceRules, Lists_are_filtered_and_the_last_used_comes_first) {
  const auto first = workspace(ExecutionWorkspaceMode::shared_workspace);
  const auto second = workspace(ExecutionWorkspaceMode::isolated_workspace, ExecutionWorkspaceStatus::idle);
  const auto closed = workspace(ExecutionWorkspaceMode::isolated_workspace, ExecutionWorkspaceStatus::archived);
  using Ids = std::vector<ExecutionWorkspaceId>;
  EXPECT_EQ(listed({}), (Ids{closed.id, second.id, first.id}));
  EXPECT_EQ(listed({.project_id = project_, .project_workspace_id = {}, .issue_id = {}, .statuses = {ExecutionWorkspaceStatus::active, ExecutionWorkspaceStatus::archived}}),
            (Ids{closed.id, first.id}));
  EXPECT_EQ(listed({.project_id = {}, .project_workspace_id = {}, .issue_id = {}, .statuses = {}, .reuse_eligible = true}), (Ids{second.id, first.id}));
  EXPECT_EQ(listed({.project_id = fresh<ProjectId>(), .project_workspace_id = {}, .issue_id = {}, .statuses = {}}), Ids{});
  EXPECT_EQ(listed({.project_id = {}, .project_workspace_id = {}, .issue_id = fresh<IssueId>(), .statuses = {}}), Ids{});
}

TEST_P(WorkspaceRules, Configuration_is_merged_and_blank_texts_are_none) {
  const auto row = workspace(ExecutionWorkspaceMode::shared_workspace);
  auto changed = patch(row.id, R"({"name":"Mine","config":{"provisionCommand":"make","cleanupCommand":" "}})");
  ASSERT_TRUE(changed.ok()) << changed.error().message;
  EXPECT_EQ(changed->name, "Mine");
  changed = patch(row.id, R"({"config":{"desiredState":"running","serviceStates":{"0":"manual"}}})");
  ASSERT_TRUE(changed.ok());
  const json::value config = workspace_config(changed->metadata);
  EXPECT_EQ(string_at(config, "provisionCommand"), "make") << "keys that were not sent stay";
  EXPECT_TRUE(member(config, "cleanupCommand")->is_null());
  EXPECT_EQ(string_at(*member(config, "serviceStates"), "0"), "manual");
  changed = patch(row.id, R"({"config":null})");
  ASSERT_TRUE(changed.ok());
  EXPECT_TRUE(workspace_config(changed->metadata).empty());
  EXPECT_EQ(patch(row.id, R"({"speed":1})").error().kind, ErrorKind::validation);
  EXPECT_EQ(patch(fresh<ExecutionWorkspaceId>(), "{}").error().message, "Execution workspace not found");
}

TEST_P(WorkspaceRules, An_agent_sets_nothing_that_this_machine_would_run_or_remove) {
  const auto row = workspace(ExecutionWorkspaceMode::isolated_workspace);
  for (const char* body : {R"({"config":{"teardownCommand":null}})", R"({"config":{"workspaceRuntime":{}}})", R"({"metadata":{"config":{"cleanupCommand":"x"}}})",
                           R"({"metadata":{"createdByRuntime":true}})", R"({"cwd":"/home"})", R"({"providerRef":"/home"})"})
    EXPECT_EQ(patch(row.id, body, as_agent()).error().kind, ErrorKind::forbidden) << body;
  EXPECT_EQ(patch(row.id, R"({"config":{"teardownCommand":null}})", as_agent()).error().message,
            "Agent keys cannot modify host-executed workspace commands (config.teardownCommand).");
  EXPECT_TRUE(patch(row.id, R"({"name":"ours"})", as_agent()).ok());
}

TEST_P(WorkspaceRules, An_isolated_one_with_open_issues_stays_open_and_a_shared_one_lets_them_go) {
  const auto isolated = workspace(ExecutionWorkspaceMode::isolated_workspace);
  const auto issue = issue_in(isolated.id, IssueStatus::todo);
  const auto refused = patch(isolated.id, R"({"status":"archived"})");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().message, "This workspace is still linked to an open issue.");
  issue_in(isolated.id, IssueStatus::in_review);
  EXPECT_EQ(patch(isolated.id, R"({"status":"archived"})").error().message, "This workspace is still linked to 2 open issues.");
  ASSERT_TRUE(execute("update issues set status = 'done'").ok());
  const auto closed = patch(isolated.id, R"({"status":"archived"})");
  ASSERT_TRUE(closed.ok());
  EXPECT_TRUE(closed->closed_at);
  EXPECT_EQ(value<ExecutionWorkspaceId>("select execution_workspace_id from issues where id = :1", issue), isolated.id);

  const auto shared = workspace(ExecutionWorkspaceMode::shared_workspace);
  const auto other = issue_in(shared.id, IssueStatus::todo);
  ASSERT_TRUE(patch(shared.id, R"({"status":"archived"})").ok());
  EXPECT_FALSE(value<ExecutionWorkspaceId>("select execution_workspace_id from issues where id = :1", other));
}

TEST_P(WorkspaceRules, Readiness_names_what_would_be_lost_and_what_will_run) {
  auto row = workspace(ExecutionWorkspaceMode::isolated_workspace);
  row.provider_type = "git_worktree";
  row.cwd = row.provider_ref = "/w";
  row.branch_name = "b";
  row.metadata = RawJson(R"({"createdByRuntime":true,"config":{"cleanupCommand":"rm -r build","teardownCommand":"down"}})");
  ASSERT_TRUE(database_->write([&](store::Transaction& tx) -> Result<> {
    tx.update(table_of<ExecutionWorkspace>, row);
    return {};
  }).ok());
  const auto facts = database_->read([&](store::Reader& reader) { return read_close_facts(reader, row); });
  CloseGitFacts git;
  git.base_ref = "main";
  git.has_dirty_tracked_files = true;
  git.dirty_entry_count = 2;
  git.ahead_count = 1;
  git.is_merged_into_base = false;
  const auto judged = judge_closing(facts, git, {});
  EXPECT_EQ(judged.state, "ready_with_warnings");
  EXPECT_EQ(judged.warnings, (std::vector<std::string>{"The workspace has 2 modified tracked files.", "The workspace is 1 commit ahead of main and not merged."}));
  std::vector<std::string> kinds;
  for (const auto& action : judged.actions) kinds.push_back(action.kind);
  EXPECT_EQ(kinds, (std::vector<std::string>{"archive_record", "cleanup_command", "teardown_command", "git_worktree_remove", "git_branch_delete"}));
}

TEST_P(WorkspaceRules, A_cleanup_that_failed_is_kept_with_its_reasons) {
  const auto row = workspace(ExecutionWorkspaceMode::isolated_workspace);
  ASSERT_TRUE(database_->write([&](store::Transaction& tx) -> Result<> {
    record_cleanup(tx, row.id, {"one", "two"}, false);
    return {};
  }).ok());
  EXPECT_EQ(value<std::string>("select status from execution_workspaces where id = :1", row.id), "cleanup_failed");
  EXPECT_EQ(value<std::string>("select cleanup_reason from execution_workspaces where id = :1", row.id), "one | two");
}

TEST_P(WorkspaceRules, Only_who_works_there_or_above_controls_its_services) {
  const auto row = workspace(ExecutionWorkspaceMode::isolated_workspace);
  const auto may = [&](AgentId agent) {
    Actor actor;
    actor.kind = ActorKind::agent;
    actor.agent_id = agent;
    actor.company_id = company_.id;
    const auto scope = *authorise_company(actor, company_.id, true);
    return database_->read([&](store::Reader& reader) { return require_service_control(reader, scope, {std::nullopt, row.id, std::nullopt}); }).ok();
  };
  const auto boss = hire("Boss"), chief = hire("Chief"), other = hire("Other");
  ASSERT_TRUE(execute("update agents set reports_to = :1 where id = :2", boss.id, agent_.id).ok());
  ASSERT_TRUE(execute("update agents set role = 'ceo' where id = :1", chief.id).ok());
  EXPECT_FALSE(may(agent_.id));
  const auto issue = issue_in(row.id, IssueStatus::in_progress);
  EXPECT_TRUE(may(agent_.id));
  EXPECT_TRUE(may(boss.id));
  EXPECT_TRUE(may(chief.id));
  EXPECT_FALSE(may(other.id));
  ASSERT_TRUE(execute("update issues set status = 'done' where id = :1", issue).ok());
  EXPECT_FALSE(may(agent_.id)) << "its work there is done";
}

TEST_P(WorkspaceRules, Operations_are_completed_and_what_was_abandoned_has_failed) {
  const auto row = workspace(ExecutionWorkspaceMode::isolated_workspace);
  WorkspaceOperationId done, lost;
  ASSERT_TRUE(database_->write([&](store::Transaction& tx) -> Result<> {
    done = begin_operation(tx, {company_.id, std::nullopt, std::nullopt, WorkspaceOperationPhase::worktree_prepare, "git worktree add", "/r", {}});
    lost = begin_operation(tx, {company_.id, std::nullopt, row.id, WorkspaceOperationPhase::workspace_provision, std::nullopt, std::nullopt, {}});
    OperationEnd end;
    end.exit_code = 0;
    end.stdout_excerpt = "ok";
    finish_operation(tx, done, end);
    attach_operations(tx, {done}, row.id);
    return {};
  }).ok());
  ASSERT_TRUE(execute("update workspace_operations set started_at = :1 where id = :2", Clock::system().now() - std::chrono::hours(3), lost).ok());
  ASSERT_TRUE(database_->write([](store::Transaction& tx) -> Result<> {
    fail_abandoned_operations(tx);
    return {};
  }).ok());
  EXPECT_EQ(value<std::string>("select status from workspace_operations where id = :1", done), "succeeded");
  EXPECT_EQ(value<ExecutionWorkspaceId>("select execution_workspace_id from workspace_operations where id = :1", done), row.id);
  EXPECT_EQ(value<std::string>("select status from workspace_operations where id = :1", lost), "failed");
}

INSTANTIATE_TEST_SUITE_P(Engines, WorkspaceRules, ::testing::Values(store::Engine::sqlite, store::Engine::postgresql), test::engine_name);

}  // namespace
}  // namespace paperclip::domain
