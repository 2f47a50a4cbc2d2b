#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <fstream>

#include "base/text.h"
#include "local_peer.h"
#include "os/files.h"

/// A workspace and its mirror: real repositories, the real runner, a plain process as the place.
namespace paperclip::environments {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

class Mirrors : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(here());
    options_.local = here();
    options_.remote = there().string();
    options_.runner = (fs::read_symlink("/proc/self/exe").parent_path() / "paperclip-runner").string();
    options_.key = "0a1b2c3d-run";
    options_.state = folder_.path() / "state";
    options_.host = os::own_environment();
  }
  fs::path here() const { return folder_.path() / "here"; }
  fs::path there() const { return folder_.path() / "there" / "mirror"; }
  static Deadline patience() { return Deadline::in(60s); }

  static void write(const fs::path& path, const std::string& text) {
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
  }
  static std::string text_of(const fs::path& path) {
    const auto text = os::read_file(path);
    return text ? *text : "(nothing)";
  }
  std::string git(const fs::path& where, std::vector<std::string> arguments) {
    std::vector<std::string> argv{"git", "-C", where.string(), "-c", "user.name=A", "-c", "user.email=a@example.com"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    const auto output = peer_.run(argv, patience());
    EXPECT_TRUE(output.ok() && output->ok()) << arguments.front() << ": " << (output ? output->stderr_text : output.error().message);
    return output ? std::string(trim(output->stdout_text)) : "";
  }
  void make_repository() {
    git(here(), {"init", "-q", "-b", "main"});
    write(here() / "kept.txt", "kept\n");
    write(here() / "edited.txt", "first\n");
    write(here() / "doomed.txt", "doomed\n");
    git(here(), {"add", "-A"});
    git(here(), {"commit", "-q", "-m", "start"});
  }
  UploadReport upload() {
    WorkspaceSync sync(peer_, options_);
    auto report = sync.upload(patience());
    EXPECT_TRUE(report.ok()) << (report ? "" : report.error().message);
    return report ? *report : UploadReport{};
  }
  BackReport bring_back() {
    WorkspaceSync sync(peer_, options_);
    auto report = sync.bring_back(patience());
    EXPECT_TRUE(report.ok()) << (report ? "" : report.error().message);
    return report ? *report : BackReport{};
  }

  os::TemporaryDirectory folder_ = *os::TemporaryDirectory::create();
  test::LocalPeer peer_;
  SyncOptions options_;
};

TEST_F(Mirrors, Uncommitted_work_of_a_repository_goes_there_and_comes_back_with_commits) {
  make_repository();
  write(here() / "edited.txt", "second\n");
  write(here() / "new/untracked.txt", "untracked\n");
  fs::remove(here() / "doomed.txt");
  const auto up = upload();
  EXPECT_TRUE(up.history);
  EXPECT_EQ(git(there(), {"rev-parse", "HEAD"}), git(here(), {"rev-parse", "HEAD"}));
  EXPECT_EQ(git(there(), {"branch", "--show-current"}), "main");
  EXPECT_EQ(git(there(), {"status", "--porcelain"}), git(here(), {"status", "--porcelain"}));
  EXPECT_EQ(text_of(there() / "edited.txt"), "second\n");
  EXPECT_EQ(up.files, 3u) << "only what git did not carry: the edited file, the new folder and what is in it";

  git(there(), {"commit", "-q", "-am", "work of the agent"});
  write(there() / "kept.txt", "changed there\n");
  write(there() / "result.txt", "result\n");
  const auto back = bring_back();
  EXPECT_TRUE(back.fast_forwarded);
  EXPECT_EQ(git(here(), {"log", "-1", "--format=%s"}), "work of the agent");
  EXPECT_EQ(git(here(), {"branch", "--show-current"}), "main");
  EXPECT_EQ(git(here(), {"status", "--porcelain"}), "M kept.txt\n?? new/\n?? result.txt");
  EXPECT_EQ(text_of(here() / "kept.txt"), "changed there\n");
  EXPECT_TRUE(back.conflicts.empty());
  EXPECT_TRUE(back.lines().empty());
  EXPECT_FALSE(fs::exists(here() / ".paperclip-runtime"));
}

TEST_F(Mirrors, A_local_change_made_meanwhile_is_never_lost) {
  make_repository();
  write(here() / "other.txt", "base\n");
  upload();
  write(here() / "edited.txt", "mine\n");
  write(there() / "edited.txt", "theirs\n");
  write(here() / "both-new.txt", "mine\n");
  write(there() / "both-new.txt", "theirs\n");
  write(here() / "other.txt", "mine\n");
  fs::remove(there() / "other.txt");
  write(there() / "agreed.txt", "same\n");
  write(here() / "agreed.txt", "same\n");
  fs::remove(here() / "kept.txt");
  const auto back = bring_back();
  EXPECT_EQ(text_of(here() / "edited.txt"), "mine\n");
  EXPECT_EQ(text_of(here() / ("edited.txt" + back.conflict_suffix)), "theirs\n");
  EXPECT_EQ(text_of(here() / "both-new.txt"), "mine\n");
  EXPECT_EQ(text_of(here() / ("both-new.txt" + back.conflict_suffix)), "theirs\n");
  EXPECT_EQ(text_of(here() / "other.txt"), "mine\n") << "removed there, changed here: it stays";
  EXPECT_FALSE(fs::exists(here() / "kept.txt")) << "removed here, untouched there: it stays removed";
  EXPECT_EQ(back.conflicts.size(), 3u);
  ASSERT_EQ(back.lines().size(), 1u);
  EXPECT_NE(back.lines()[0].find("edited.txt"), std::string::npos);
}

TEST_F(Mirrors, Commits_made_here_meanwhile_keep_the_branch_and_the_runs_commits_are_safe) {
  make_repository();
  upload();
  write(there() / "agent.txt", "agent\n");
  git(there(), {"add", "-A"});
  git(there(), {"commit", "-q", "-m", "of the run"});
  write(here() / "person.txt", "person\n");
  git(here(), {"add", "-A"});
  git(here(), {"commit", "-q", "-m", "of a person"});
  const auto back = bring_back();
  EXPECT_FALSE(back.fast_forwarded);
  EXPECT_EQ(git(here(), {"log", "-1", "--format=%s"}), "of a person");
  EXPECT_EQ(git(here(), {"log", "-1", "--format=%s", "refs/paperclip/runs/0a1b2c3d-run"}), "of the run");
  ASSERT_EQ(back.warnings.size(), 1u);
  EXPECT_NE(back.warnings[0].find("refs/paperclip/runs/0a1b2c3d-run"), std::string::npos);
  EXPECT_EQ(text_of(here() / "agent.txt"), "agent\n") << "the files come all the same";
}

TEST_F(Mirrors, A_run_that_rewrote_history_does_not_move_the_branch) {
  make_repository();
  upload();
  git(there(), {"commit", "-q", "--amend", "-m", "rewritten"});
  const auto back = bring_back();
  EXPECT_FALSE(back.fast_forwarded);
  EXPECT_EQ(git(here(), {"log", "-1", "--format=%s"}), "start");
  EXPECT_EQ(git(here(), {"log", "-1", "--format=%s", "refs/paperclip/runs/0a1b2c3d-run"}), "rewritten");
}

TEST_F(Mirrors, What_a_person_staged_here_stays_staged) {
  make_repository();
  upload();
  write(there() / "agent.txt", "agent\n");
  git(there(), {"add", "-A"});
  git(there(), {"commit", "-q", "-m", "of the run"});
  write(here() / "staged.txt", "staged\n");
  git(here(), {"add", "staged.txt"});
  EXPECT_TRUE(bring_back().fast_forwarded);
  EXPECT_EQ(git(here(), {"status", "--porcelain"}), "A  staged.txt");
}

TEST_F(Mirrors, The_second_upload_carries_only_what_changed_and_removes_what_has_gone) {
  for (int i = 0; i < 3000; ++i) write(here() / ("d" + std::to_string(i % 30)) / ("f" + std::to_string(i)), "content " + std::to_string(i));
  EXPECT_EQ(upload().files, 3030u);
  const auto nothing = upload();
  EXPECT_EQ(nothing.files + nothing.removed, 0u);
  EXPECT_EQ(nothing.bytes, 0u);
  write(here() / "d1/f1", "CONTENT 1");
  fs::remove(here() / "d2/f2");
  fs::permissions(here() / "d3/f3", fs::perms::owner_all);
  const auto delta = upload();
  EXPECT_EQ(delta.files, 2u);
  EXPECT_EQ(delta.removed, 1u);
  EXPECT_LT(delta.bytes, 500u);
  EXPECT_EQ(text_of(there() / "d1/f1"), "CONTENT 1") << "the same size, another content";
  EXPECT_FALSE(fs::exists(there() / "d2/f2"));
  EXPECT_EQ(fs::status(there() / "d3/f3").permissions(), fs::perms::owner_all);
}

TEST_F(Mirrors, Links_modes_and_empty_folders_come_as_they_are) {
  write(here() / "run.sh", "#!/bin/sh\n");
  fs::permissions(here() / "run.sh", fs::perms(0755));
  fs::create_directories(here() / "empty/inner");
  fs::create_symlink("run.sh", here() / "link");
  fs::create_symlink("/usr/bin/env", here() / "absolute");
  write(here() / "was-file", "x");
  upload();
  EXPECT_EQ(fs::read_symlink(there() / "link"), "run.sh");
  EXPECT_EQ(fs::read_symlink(there() / "absolute"), "/usr/bin/env") << "what is here may go there";
  EXPECT_TRUE(fs::is_directory(there() / "empty/inner"));
  EXPECT_EQ(fs::status(there() / "run.sh").permissions(), fs::perms(0755));

  fs::remove(there() / "was-file");
  write(there() / "was-file/now-folder", "y");
  fs::create_symlink("../../../etc/passwd", there() / "leads-out");
  fs::create_symlink("empty/inner", there() / "leads-in");
  fs::remove(there() / "link");
  const auto back = bring_back();
  EXPECT_EQ(text_of(here() / "was-file/now-folder"), "y");
  EXPECT_FALSE(fs::is_symlink(here() / "leads-out")) << "what comes back must stay inside";
  ASSERT_EQ(back.refused.size(), 1u);
  EXPECT_NE(back.refused[0].find("leads-out"), std::string::npos);
  EXPECT_EQ(fs::read_symlink(here() / "leads-in"), "empty/inner");
  EXPECT_FALSE(fs::is_symlink(here() / "link"));
  EXPECT_TRUE(fs::is_symlink(here() / "absolute")) << "untouched there, untouched here";
}

TEST_F(Mirrors, What_is_excluded_stays_where_it_is) {
  options_.exclude = {"node_modules"};
  write(here() / "a/node_modules/big", "here");
  write(here() / "._mac", "fork");
  write(here() / ".paperclip/worktrees/other/file", "another worktree");
  write(there() / "a/node_modules/big", "there");
  upload();
  EXPECT_EQ(text_of(there() / "a/node_modules/big"), "there");
  EXPECT_FALSE(fs::exists(there() / "._mac"));
  EXPECT_FALSE(fs::exists(there() / ".paperclip/worktrees"));
  write(there() / "a/node_modules/more", "there");
  bring_back();
  EXPECT_FALSE(fs::exists(here() / "a/node_modules/more"));
}

TEST_F(Mirrors, A_transfer_killed_in_the_middle_leaves_the_mirror_as_it_was) {
  write(here() / "a-small", "old");
  upload();
  write(here() / "a-small", "new");
  write(here() / "big", std::string(8 * 1024 * 1024, 'x'));
  // The place's tool is killed while it waits for more than the window.
  peer_.on_open = [&](const std::vector<std::string>& argv, pid_t pid, int) {
    if (argv[1] == "unpack") ::kill(pid, SIGKILL);
  };
  WorkspaceSync broken(peer_, options_);
  const auto failed = broken.upload(patience());
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(text_of(there() / "a-small"), "old");
  EXPECT_FALSE(fs::exists(there() / "big"));
  peer_.on_open = nullptr;
  upload();
  EXPECT_EQ(text_of(there() / "a-small"), "new");
}

TEST_F(Mirrors, Bringing_back_can_be_repeated_after_it_broke) {
  make_repository();
  upload();
  write(there() / "kept.txt", "changed there\n");
  peer_.on_open = [&](const std::vector<std::string>& argv, pid_t pid, int) {
    if (argv[1] == "pack") ::kill(pid, SIGKILL);
  };
  WorkspaceSync broken(peer_, options_);
  EXPECT_FALSE(broken.bring_back(patience()).ok());
  EXPECT_EQ(text_of(here() / "kept.txt"), "kept\n");
  EXPECT_FALSE(fs::exists(here() / ".paperclip-runtime"));
  peer_.on_open = nullptr;
  bring_back();
  EXPECT_EQ(text_of(here() / "kept.txt"), "changed there\n");
  WorkspaceSync done(peer_, options_);
  EXPECT_EQ(done.bring_back(patience()).error().kind, ErrorKind::not_found) << "once it is back, there is nothing more";
}

// The run before could not be reached any more when it ended: its work is still in the mirror when the next one comes.
TEST_F(Mirrors, What_an_earlier_run_left_there_is_brought_back_first) {
  make_repository();
  options_.place = "the place";
  upload();
  write(there() / "edited.txt", "worked on\n");
  git(there(), {"add", "-A"});
  git(there(), {"commit", "-q", "-m", "never fetched"});
  write(there() / "made.txt", "made there\n");
  options_.key = "ffffffff-run";
  const auto report = upload();
  ASSERT_FALSE(report.warnings.empty());
  EXPECT_EQ(report.warnings.front(), "What run 0a1b2c3d-run had left in the place was brought back first.");
  EXPECT_EQ(text_of(here() / "edited.txt"), "worked on\n");
  EXPECT_EQ(text_of(here() / "made.txt"), "made there\n");
  EXPECT_EQ(git(here(), {"log", "-1", "--format=%s"}), "never fetched");
  EXPECT_EQ(text_of(there() / "made.txt"), "made there\n");
  EXPECT_TRUE(upload().warnings.empty()) << "it is done once";
}

// Another place, or a mirror that is no more, tells nothing about what a run removed.
TEST_F(Mirrors, Nothing_is_brought_back_from_where_nothing_was_left) {
  write(here() / "precious.txt", "precious\n");
  options_.place = "the place";
  upload();
  fs::remove_all(there());
  options_.key = "ffffffff-run";
  const auto report = upload();
  ASSERT_EQ(report.warnings.size(), 1u);
  EXPECT_NE(report.warnings.front().find("could not be brought back: the mirror is gone"), std::string::npos) << report.warnings.front();
  EXPECT_EQ(text_of(here() / "precious.txt"), "precious\n");
  EXPECT_EQ(text_of(there() / "precious.txt"), "precious\n");

  options_.key = "eeeeeeee-run";
  options_.place = "another place";
  options_.remote = (folder_.path() / "elsewhere").string();
  EXPECT_TRUE(upload().warnings.empty());
  EXPECT_EQ(text_of(here() / "precious.txt"), "precious\n");
}

TEST_F(Mirrors, Commits_that_never_came_back_are_kept_in_the_mirror) {
  make_repository();
  upload();
  write(there() / "lost.txt", "lost\n");
  git(there(), {"add", "-A"});
  git(there(), {"commit", "-q", "-m", "never fetched"});
  const auto lost = git(there(), {"rev-parse", "HEAD"});
  upload();
  EXPECT_EQ(git(there(), {"log", "-1", "--format=%s"}), "start");
  EXPECT_FALSE(fs::exists(there() / "lost.txt"));
  EXPECT_EQ(git(there(), {"rev-parse", "refs/paperclip/kept/" + lost}), lost);
}

}  // namespace
}  // namespace paperclip::environments
