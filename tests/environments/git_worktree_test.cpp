#include <gtest/gtest.h>

#include <fstream>

#include "base/text.h"
#include "domain/companies/company.h"
#include "domain/schema/migrations.h"
#include "domain/workspaces/execution_workspace.h"
#include "environments/workspaces.h"
#include "os/child_environment.h"
#include "os/files.h"
#include "store/database.h"

/// Worktrees of real repositories (spec/workspaces.md 4, 5, 11).
namespace paperclip::environments {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

class Worktrees : public ::testing::Test {
 protected:
  void SetUp() override {
    store::OpenOptions options{.where = store::SqliteFile{(folder_.path() / "db.sqlite").string()}, .migrations = domain::domain_migrations()};
    auto opened = store::Database::open(std::move(options));
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    database_ = *std::move(opened);
    domain::Company company;
    company.id = company_ = Random::system().id<CompanyId>();
    company.name = "Acme";
    ASSERT_TRUE(database_->write([&](store::Transaction& tx) -> Result<> {
      tx.insert(domain::table_of<domain::Company>, company);
      return {};
    }).ok());
    host_.emplace(WorkspaceHost{{*database_, folder_.path() / "logs"}, os::own_environment(), folder_.path() / "instance"});
    std::erase_if(host_->environment, [](const auto& one) { return one.first == "GIT_AUTHOR_NAME"; });
    for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{
             {"GIT_AUTHOR_NAME", "A"}, {"GIT_AUTHOR_EMAIL", "a@example.com"}, {"GIT_COMMITTER_NAME", "A"}, {"GIT_COMMITTER_EMAIL", "a@example.com"}})
      host_->environment.emplace_back(name, value);
    recorder_.emplace(host_->operations, company_, std::nullopt, std::nullopt);
    fs::create_directories(repo());
    git(repo(), {"init", "-q", "-b", "main"});
    commit(repo(), "start");
  }

  fs::path repo() const { return fs::canonical(folder_.path()) / "repo"; }
  static Deadline patience() { return Deadline::in(60s); }
  Git git_at(const fs::path& where) const { return Git(where, host_->environment); }
  std::string git(const fs::path& where, const std::vector<std::string>& arguments) {
    auto said = git_at(where).text(arguments, patience());
    EXPECT_TRUE(said.ok()) << (said ? "" : said.error().message);
    return said ? *said : "";
  }
  void commit(const fs::path& where, const std::string& name) {
    std::ofstream(where / name) << name;
    git(where, {"add", "-A"});
    git(where, {"commit", "-q", "-m", name});
  }
  Result<Worktree> realise(const std::string& branch, std::optional<std::string> base = std::nullopt, std::optional<std::string> parent = std::nullopt) {
    return realise_worktree(git_at(repo()), {branch, std::move(parent), std::move(base)}, *recorder_, patience());
  }
  std::vector<domain::WorkspaceOperation> operations() {
    return database_->read([&](store::Reader& reader) {
      return reader.all<domain::WorkspaceOperation>("select {} from workspace_operations where company_id = :1 order by created_at, id", company_);
    });
  }

  os::TemporaryDirectory folder_ = *os::TemporaryDirectory::create();
  std::unique_ptr<store::Database> database_;
  std::optional<WorkspaceHost> host_;
  std::optional<OperationRecorder> recorder_;
  CompanyId company_;
};

TEST_F(Worktrees, One_is_made_on_its_branch_and_taken_again) {
  const auto made = realise("PAP-1-fix-it");
  ASSERT_TRUE(made.ok()) << made.error().message;
  EXPECT_TRUE(made->created);
  EXPECT_EQ(made->path, repo() / ".paperclip/worktrees/PAP-1-fix-it");
  EXPECT_EQ(git(made->path, {"branch", "--show-current"}), "PAP-1-fix-it");
  const auto again = realise("PAP-1-fix-it");
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_FALSE(again->created);
  EXPECT_EQ(again->path, made->path);
  const auto recorded = operations();
  ASSERT_EQ(recorded.size(), 2u);
  EXPECT_EQ(recorded[0].phase, domain::WorkspaceOperationPhase::worktree_prepare);
  EXPECT_EQ(recorded[0].status, domain::WorkspaceOperationStatus::succeeded);
  EXPECT_TRUE(recorded[1].log_ref);
}

TEST_F(Worktrees, From_inside_a_worktree_the_next_one_is_beside_it_and_not_below) {
  const auto first = realise("first");
  ASSERT_TRUE(first.ok());
  const auto second = realise_worktree(git_at(first->path), {"second", {}, {}}, *recorder_, patience());
  ASSERT_TRUE(second.ok()) << second.error().message;
  EXPECT_EQ(second->path, repo() / ".paperclip/worktrees/second");
}

TEST_F(Worktrees, A_folder_that_is_something_else_is_left_alone) {
  fs::create_directories(repo() / ".paperclip/worktrees/taken");
  const auto refused = realise("taken");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().message, "Configured worktree path \"" + (repo() / ".paperclip/worktrees/taken").string() +
                                         "\" already exists and is not a reusable git worktree (path is not registered in `git worktree list`).");
  ASSERT_TRUE(realise("drift").ok());
  git(repo() / ".paperclip/worktrees/drift", {"checkout", "-q", "-b", "elsewhere"});
  const auto drifted = realise("drift");
  ASSERT_FALSE(drifted.ok());
  EXPECT_NE(drifted.error().message.find("worktree HEAD is on \"elsewhere\" instead of \"drift\""), std::string::npos);
}

TEST_F(Worktrees, A_branch_that_is_checked_out_elsewhere_is_used_there) {
  git(repo(), {"worktree", "add", "-q", "-b", "known", (fs::canonical(folder_.path()) / "elsewhere").string()});
  const auto found = realise("known");
  ASSERT_TRUE(found.ok()) << found.error().message;
  EXPECT_FALSE(found->created);
  EXPECT_EQ(found->path, fs::canonical(folder_.path()) / "elsewhere");
}

TEST_F(Worktrees, An_existing_branch_is_attached_and_not_reset) {
  git(repo(), {"checkout", "-q", "-b", "old"});
  commit(repo(), "on-old");
  const auto tip = git(repo(), {"rev-parse", "HEAD"});
  git(repo(), {"checkout", "-q", "main"});
  const auto made = realise("old");
  ASSERT_TRUE(made.ok()) << made.error().message;
  EXPECT_TRUE(made->created);
  EXPECT_EQ(git(made->path, {"rev-parse", "HEAD"}), tip);
}

TEST_F(Worktrees, The_base_is_the_wish_else_the_default_branch_of_origin) {
  git(repo(), {"checkout", "-q", "-b", "side"});
  commit(repo(), "on-side");
  git(repo(), {"checkout", "-q", "main"});
  const auto wished = realise("from-side", "side");
  ASSERT_TRUE(wished.ok());
  EXPECT_TRUE(fs::exists(wished->path / "on-side"));
  EXPECT_FALSE(realise("from-nowhere", "no-such-ref").ok());
  const fs::path clone = fs::canonical(folder_.path()) / "clone";
  ASSERT_TRUE(clone_repository(repo().string(), clone, host_->environment, patience()).ok());
  EXPECT_EQ(default_branch(git_at(clone), patience()), "origin/main");
  EXPECT_FALSE(clone_repository((folder_.path() / "nothing").string(), folder_.path() / "bad", host_->environment, patience()).ok());
  EXPECT_FALSE(fs::exists(folder_.path() / "bad"));
}

TEST_F(Worktrees, Branch_names_are_what_git_takes) {
  EXPECT_EQ(sanitised_branch("PAP-1/feature.x_y"), "PAP-1/feature.x_y");
  EXPECT_EQ(sanitised_branch("Fix: the \"thing\" & more!"), "Fix-the-thing-more");
  EXPECT_EQ(sanitised_branch("../../etc"), "etc");
  EXPECT_EQ(sanitised_branch("a/../b"), "a/-/b");
  EXPECT_EQ(sanitised_branch("///"), "paperclip-work");
  EXPECT_EQ(sanitised_branch(std::string(300, 'x')).size(), 120u);
}

TEST_F(Worktrees, The_provision_command_runs_in_it_with_the_newest_script_and_without_our_secrets) {
  host_->environment.emplace_back("DATABASE_URL", "postgres://secret");
  host_->environment.emplace_back("PAPERCLIP_SECRETS_MASTER_KEY", "secret");
  fs::create_directories(repo() / "scripts");
  std::ofstream(repo() / "scripts/set-up.sh") << "pwd > where; env > seen; echo \"$1\" > argument\n";
  const auto made = realise("prepared");
  ASSERT_TRUE(made.ok());
  const auto command = domain::HostCommand::stored("bash ./scripts/set-up.sh one");
  ProvisionFacts facts;
  facts.issue_title = "A 'title' with $quotes";
  const auto done = provision(*host_, *command, *made, repo(), facts, *recorder_);
  ASSERT_TRUE(done.ok()) << done.error().message;
  EXPECT_EQ(trim(*os::read_file(made->path / "where")), made->path.string());
  EXPECT_EQ(trim(*os::read_file(made->path / "argument")), "one");
  const auto seen = *os::read_file(made->path / "seen");
  EXPECT_NE(seen.find("PAPERCLIP_WORKSPACE_BRANCH=prepared\n"), std::string::npos);
  EXPECT_NE(seen.find("PAPERCLIP_WORKSPACE_CREATED=true\n"), std::string::npos);
  EXPECT_NE(seen.find("PAPERCLIP_ISSUE_TITLE=A 'title' with $quotes\n"), std::string::npos);
  EXPECT_EQ(seen.find("secret"), std::string::npos);
}

TEST_F(Worktrees, A_provision_command_that_fails_says_what_it_said) {
  const auto made = realise("broken");
  ASSERT_TRUE(made.ok());
  const auto failed = provision(*host_, *domain::HostCommand::stored("echo no such tool >&2; exit 3"), *made, repo(), {}, *recorder_);
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().message, "Execution workspace provision command \"echo no such tool >&2; exit 3\" failed: no such tool");
  const auto silent = provision(*host_, *domain::HostCommand::stored("exit 3"), *made, repo(), {}, *recorder_);
  EXPECT_EQ(silent.error().message, "Execution workspace provision command \"exit 3\" failed with exit code 3");
  EXPECT_EQ(operations().back().status, domain::WorkspaceOperationStatus::failed);
  EXPECT_EQ(operations().back().exit_code, 3);
}

TEST_F(Worktrees, Long_output_keeps_its_end) {
  const auto output = run_host_command(*domain::HostCommand::stored("head -c 400000 /dev/zero | tr '\\0' x; echo END"), {repo(), {}, {}}, host_->environment, patience());
  ASSERT_TRUE(output.ok());
  EXPECT_TRUE(output->stdout_text.starts_with("[output truncated to last 262144 bytes; total 400004 bytes]\n"));
  EXPECT_TRUE(output->stdout_text.ends_with("xEND\n"));
}

class Closed : public Worktrees {
 protected:
  domain::ExecutionWorkspace row_of(const Worktree& worktree) {
    domain::ExecutionWorkspace row;
    row.company_id = company_;
    row.mode = domain::ExecutionWorkspaceMode::isolated_workspace;
    row.strategy_type = domain::ExecutionWorkspaceStrategy::git_worktree;
    row.provider_type = "git_worktree";
    row.cwd = row.provider_ref = worktree.path.string();
    row.branch_name = worktree.branch;
    return row;
  }
};

TEST_F(Closed, A_worktree_goes_with_its_merged_branch) {
  const auto made = realise("merged");
  ASSERT_TRUE(made.ok());
  const auto outcome = clean_up(*host_, {row_of(*made), repo().string(), true, {*domain::HostCommand::stored("touch \"$PAPERCLIP_WORKSPACE_BASE_CWD/cleaned\"")}}, *recorder_);
  EXPECT_TRUE(outcome.cleaned);
  EXPECT_TRUE(outcome.warnings.empty()) << outcome.warnings.front();
  EXPECT_FALSE(fs::exists(made->path));
  EXPECT_TRUE(fs::exists(repo() / "cleaned"));
  EXPECT_EQ(git(repo(), {"branch", "--list", "merged"}), "");
  EXPECT_EQ(operations().back().phase, domain::WorkspaceOperationPhase::worktree_cleanup);
}

TEST_F(Closed, A_branch_with_work_of_its_own_stays_and_a_failing_command_stops_nothing) {
  const auto made = realise("unmerged");
  ASSERT_TRUE(made.ok());
  commit(made->path, "work");
  const auto outcome = clean_up(*host_, {row_of(*made), repo().string(), true, {*domain::HostCommand::stored("exit 7")}}, *recorder_);
  EXPECT_TRUE(outcome.cleaned);
  ASSERT_EQ(outcome.warnings.size(), 2u);
  EXPECT_NE(outcome.warnings[0].find("exit code 7"), std::string::npos);
  EXPECT_TRUE(outcome.warnings[1].starts_with("Skipped deleting branch \"unmerged\": ")) << outcome.warnings[1];
  EXPECT_NE(git(repo(), {"branch", "--list", "unmerged"}), "");
}

TEST_F(Closed, Nobody_elses_folder_is_removed) {
  domain::ExecutionWorkspace row;
  row.company_id = company_;
  row.cwd = folder_.path().string();
  const auto project = clean_up(*host_, {row, repo().string(), true, {}}, *recorder_);
  EXPECT_FALSE(project.cleaned);
  ASSERT_EQ(project.warnings.size(), 1u);
  EXPECT_EQ(project.warnings[0], "Refusing to remove path \"" + folder_.path().string() + "\" because it contains the project workspace.");
  fs::create_directories(folder_.path() / "foreign");
  row.cwd = (folder_.path() / "foreign").string();
  EXPECT_FALSE(clean_up(*host_, {row, repo().string(), true, {}}, *recorder_).cleaned);
  EXPECT_TRUE(fs::exists(folder_.path() / "foreign"));
}

TEST_F(Closed, A_worktree_that_has_gone_is_restored_and_provisioned) {
  const auto made = realise("gone");
  ASSERT_TRUE(made.ok());
  commit(made->path, "work");
  fs::remove_all(made->path);
  KnownWorkspace known{row_of(*made), repo().string(), domain::HostCommand::stored("echo ready > provisioned"), {}};
  ASSERT_TRUE(restore(*host_, known, Provisioning::only_when_restored, *recorder_).ok());
  EXPECT_TRUE(fs::exists(made->path / "work")) << "its branch was kept";
  EXPECT_TRUE(fs::exists(made->path / "provisioned"));
  fs::remove(made->path / "provisioned");
  ASSERT_TRUE(restore(*host_, known, Provisioning::only_when_restored, *recorder_).ok());
  EXPECT_FALSE(fs::exists(made->path / "provisioned"));
  ASSERT_TRUE(restore(*host_, known, Provisioning::always, *recorder_).ok());
  EXPECT_TRUE(fs::exists(made->path / "provisioned"));

  fs::remove_all(made->path);
  git(repo(), {"worktree", "prune"});
  git(repo(), {"branch", "-D", "gone"});
  ASSERT_TRUE(restore(*host_, known, Provisioning::only_when_restored, *recorder_).ok());
  EXPECT_FALSE(fs::exists(made->path / "work")) << "made anew from the base";
  known.row.branch_name.reset();
  fs::remove_all(made->path);
  EXPECT_FALSE(restore(*host_, known, Provisioning::only_when_restored, *recorder_).ok());
}

TEST_F(Closed, Inspection_counts_what_would_be_lost) {
  const auto made = realise("looked-at");
  ASSERT_TRUE(made.ok());
  commit(made->path, "work");
  std::ofstream(made->path / "start") << "changed";
  std::ofstream(made->path / "untracked") << "new";
  commit(repo(), "on-main");
  const auto seen = inspect(*host_, made->path, "main");
  EXPECT_EQ(seen.repo_root, made->path.string());
  EXPECT_EQ(seen.dirty_entry_count, 1);
  EXPECT_EQ(seen.untracked_entry_count, 1);
  EXPECT_EQ(seen.ahead_count, 1);
  EXPECT_EQ(seen.behind_count, 1);
  EXPECT_EQ(seen.is_merged_into_base, false);
  EXPECT_TRUE(seen.problems.empty());
  EXPECT_EQ(inspect(*host_, folder_.path() / "nowhere", std::nullopt).problems.size(), 1u);
}

}  // namespace
}  // namespace paperclip::environments
