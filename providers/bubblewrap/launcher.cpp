#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "paperclip/sdk/error.h"

namespace paperclip::providers {
namespace {

/// In the child. What goes wrong is written to `errors`, as bwrap does itself.
[[noreturn]] void become(const Launch& launch, char** argv, bool as_root) {
  const auto fail = [](const char* what) {
    const char* why = ::strerror(errno);
    (void)!::write(2, what, ::strlen(what));
    (void)!::write(2, ": ", 2);
    (void)!::write(2, why, ::strlen(why));
    ::_exit(127);
  };
  // Past our own descriptors, which the next lines overwrite.
  const int control = ::fcntl(launch.control, F_DUPFD_CLOEXEC, 10), errors = ::fcntl(launch.errors, F_DUPFD_CLOEXEC, 10);
  const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ::dup2(nothing, 0);
  ::dup2(errors, 1);
  ::dup2(errors, 2);
  for (const int door : launch.doors)
    if (::write(door, "0", 1) != 1) fail("control group");
  ::dup2(control, 3);
  ::syscall(SYS_close_range, 4u, ~0u, 0u);
  for (int number = 1; number < NSIG; ++number) {
    if (number != SIGKILL && number != SIGSTOP) ::signal(number, SIG_DFL);
  }
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::setsid();
  if (as_root) {
    if (::setgroups(0, nullptr) != 0) fail("setgroups");
    if (::setresgid(launch.group, launch.group, launch.group) != 0) fail("setresgid");
    if (::setresuid(launch.user, launch.user, launch.user) != 0) fail("setresuid");
  }
  char* environment[] = {nullptr};
  ::execve(argv[0], argv, environment);
  fail(argv[0]);
  ::_exit(127);
}

class Launcher {
 public:
  Launcher() : thread_([this] { serve(); }) {}

  pid_t run(const Launch& launch) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !wanted_; });
    wanted_ = &launch;
    done_ = false;
    changed_.notify_all();
    changed_.wait(lock, [this] { return done_; });
    const pid_t pid = pid_;
    const int error = error_;
    wanted_ = nullptr;
    changed_.notify_all();
    if (pid < 0) throw sdk::Error(std::string("Cannot fork for a sandbox: ") + ::strerror(error));
    return pid;
  }

 private:
  void serve() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return wanted_ && !done_; });
      std::vector<char*> argv;
      for (const std::string& word : wanted_->argv) argv.push_back(const_cast<char*>(word.c_str()));
      argv.push_back(nullptr);
      const bool as_root = ::geteuid() == 0;
      pid_ = ::fork();
      if (pid_ == 0) become(*wanted_, argv.data(), as_root);
      error_ = errno;
      done_ = true;
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  const Launch* wanted_ = nullptr;
  bool done_ = true;
  pid_t pid_ = -1;
  int error_ = 0;
  std::thread thread_;
};

}  // namespace

pid_t launch(const Launch& launch) {
  static Launcher& launcher = *new Launcher;  // its thread ends with the process
  return launcher.run(launch);
}

}  // namespace paperclip::providers
