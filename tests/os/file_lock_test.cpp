#include "os/file_lock.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/files.h"
#include "os/process.h"

namespace paperclip::os {
namespace {

class FileLockTest : public ::testing::Test {
 protected:
  TemporaryDirectory directory_ = std::move(TemporaryDirectory::create()).value();
  std::filesystem::path path_ = directory_.path() / "server.lock";
};

TEST_F(FileLockTest, The_second_is_told_who_was_first) {
  const auto first = FileLock::acquire(path_, "server");
  ASSERT_TRUE(first);
  const auto second = FileLock::acquire(path_, "server");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ErrorKind::conflict);
  EXPECT_EQ(second.error().message,
            "Another server (pid " + std::to_string(::getpid()) + ") already uses " + path_.string());
}

TEST_F(FileLockTest, The_lock_goes_with_its_object) {
  { ASSERT_TRUE(FileLock::acquire(path_, "server")); }
  EXPECT_TRUE(FileLock::acquire(path_, "server"));
}

// A holder that is killed leaves the file, but no lock.
TEST_F(FileLockTest, The_kernel_drops_the_lock_of_a_killed_holder) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t holder = ::fork();
  if (holder == 0) {
    const auto lock = FileLock::acquire(path_, "server");
    (void)!::write(ready[1], lock ? "y" : "n", 1);
    for (;;) ::pause();
  }
  char answer = 0;
  ASSERT_EQ(::read(ready[0], &answer, 1), 1);
  ASSERT_EQ(answer, 'y');
  const auto refused = FileLock::acquire(path_, "server");
  EXPECT_NE(refused.error().message.find("pid " + std::to_string(holder)), std::string::npos);
  ::kill(holder, SIGKILL);
  ::waitpid(holder, nullptr, 0);
  EXPECT_TRUE(FileLock::acquire(path_, "server"));
  ::close(ready[0]);
  ::close(ready[1]);
}

// A program started while we hold the lock does not hold it after us.
TEST_F(FileLockTest, Children_do_not_inherit_the_lock) {
  pid_t child = 0;
  {
    const auto lock = FileLock::acquire(path_, "server");
    ASSERT_TRUE(lock);
    SpawnRequest request;
    request.executable = "/bin/sleep";
    request.argv = {"sleep", "60"};
    child = *spawn(request);
  }
  EXPECT_TRUE(FileLock::acquire(path_, "server"));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

}  // namespace
}  // namespace paperclip::os
