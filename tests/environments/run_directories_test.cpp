#include "environments/run_directories.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/random.h"
#include "os/files.h"
#include "runner/run_directory.h"

namespace paperclip::environments {
namespace {

class RunDirectoriesTest : public testing::Test {
 protected:
  RunDirectoriesTest() : temporary_(*os::TemporaryDirectory::create()), root_(temporary_.path() / "runs") { reopen(); }
  void reopen() { directories_ = *RunDirectories::open(root_); }
  static RunId new_run() { return Random::system().id<RunId>(); }
  /// What a runner leaves.
  void leave_files(RunId run) {
    for (const char* name : {runner::file::run, runner::file::pids, runner::file::output, runner::file::exit})
      ASSERT_TRUE(os::write_file_atomically(directories_->path_of(run) / name, "left by " + run.str()));
  }
  ino_t inode(const std::filesystem::path& path) {
    struct stat there {};
    return ::stat(path.c_str(), &there) == 0 ? there.st_ino : 0;
  }
  /// Makes and retires a run's directory; its lock is free afterwards.
  RunId used_up() {
    const RunId run = new_run();
    EXPECT_TRUE(directories_->make_locked(run));
    leave_files(run);
    EXPECT_TRUE(directories_->retire(run));
    return run;
  }

  os::TemporaryDirectory temporary_;
  std::filesystem::path root_;
  std::unique_ptr<RunDirectories> directories_;
};

TEST_F(RunDirectoriesTest, TheNextRunGetsTheDirectoryOfOneThatIsForgotten) {
  const RunId first = new_run(), second = new_run();
  ASSERT_TRUE(directories_->make_locked(first));
  leave_files(first);
  const auto directory = inode(directories_->path_of(first)), output = inode(directories_->path_of(first) / runner::file::output);
  EXPECT_EQ(directories_->known(), std::vector{first});
  ASSERT_TRUE(directories_->retire(first));
  EXPECT_TRUE(directories_->known().empty());

  reopen();  // a server that is started again knows its spares
  ASSERT_TRUE(directories_->make_locked(second));
  const auto path = directories_->path_of(second);
  EXPECT_EQ(inode(path), directory);
  EXPECT_EQ(directories_->known(), std::vector{second});
  // No file says anything of the first run, and the first one to be made is there already, empty.
  for (const char* name : {runner::file::run, runner::file::pids, runner::file::output, runner::file::exit, runner::file::control})
    EXPECT_FALSE(std::filesystem::exists(path / name)) << name;
  const auto aside = path / (std::string(runner::file::output) + runner::file::fresh_suffix);
  EXPECT_EQ(inode(aside), output);
  EXPECT_EQ(os::read_file(aside).value(), "");
}

TEST_F(RunDirectoriesTest, ASpareThatSomebodyStillHoldsWaits) {
  const RunId first = new_run();
  const auto held = directories_->make_locked(first);
  ASSERT_TRUE(held);
  ASSERT_TRUE(directories_->retire(first));
  const RunId second = new_run();
  const auto spare = root_ / ("spare." + first.str());
  const auto kept = inode(spare);
  ASSERT_TRUE(directories_->make_locked(second));
  EXPECT_NE(inode(directories_->path_of(second)), kept);
  EXPECT_EQ(inode(spare), kept);
}

TEST_F(RunDirectoriesTest, ASpareThatWasWrittenToAfterwardsIsThrownAway) {
  const RunId first = used_up();
  // A guardian that swept late.
  ASSERT_TRUE(os::write_file_atomically(root_ / ("spare." + first.str()) / runner::file::exit, "{}"));
  const RunId second = new_run();
  ASSERT_TRUE(directories_->make_locked(second));
  EXPECT_TRUE(os::list_directory(directories_->path_of(second)).value().empty());
  EXPECT_FALSE(std::filesystem::exists(root_ / ("spare." + first.str())));
}

TEST_F(RunDirectoriesTest, ARunHasOneDirectory) {
  const RunId run = new_run();
  ASSERT_TRUE(directories_->make_locked(run));
  const auto again = directories_->make_locked(run);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, ErrorKind::conflict);
  used_up();
  EXPECT_FALSE(directories_->make_locked(run)) << "also when there is a spare";
}

TEST_F(RunDirectoriesTest, WhatIsNotThereIsForgottenAlready) { EXPECT_TRUE(directories_->retire(new_run())); }

}  // namespace
}  // namespace paperclip::environments
