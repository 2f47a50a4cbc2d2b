#pragma once

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <memory>
#include <string>
#include <vector>

#include "paperclip/sdk/attend.h"

namespace paperclip::sdk {

/// A child process of this worker, in a group of its own. It dies with the worker.
class Child : public RunningCommand {
 public:
  /// Starts `argv[0]`, searched in `env`'s PATH unless it holds a slash, with exactly this environment and no shell. Throws
  /// if it cannot be started.
  static std::unique_ptr<Child> start(const std::vector<std::string>& argv, const std::string& cwd, const std::map<std::string, std::string>& env) {
    Pipe in = Pipe::make(), out = Pipe::make(), err = Pipe::make(), failure = Pipe::make();
    std::vector<std::string> places = candidates(argv.front(), env);
    std::vector<std::string> entries;
    for (const auto& [name, value] : env) entries.push_back(name + "=" + value);
    std::vector<char*> arguments = pointers(argv), environment = pointers(entries);

    const pid_t worker = ::getpid(), pid = ::fork();
    if (pid < 0) throw Error(std::string("Cannot fork: ") + ::strerror(errno));
    if (pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != worker) ::_exit(127);
      ::setsid();
      ::dup2(in.reader.get(), 0);
      ::dup2(out.writer.get(), 1);
      ::dup2(err.writer.get(), 2);
      ::signal(SIGPIPE, SIG_DFL);
      int error = 0;
      if (!cwd.empty() && ::chdir(cwd.c_str()) != 0) error = errno;
      if (error == 0) {
        error = ENOENT;
        for (const std::string& place : places) {
          ::execve(place.c_str(), arguments.data(), environment.data());
          if (errno != ENOENT && errno != ENOTDIR) error = errno;
        }
      }
      (void)!::write(failure.writer.get(), &error, sizeof error);
      ::_exit(127);
    }
    auto child = std::unique_ptr<Child>(new Child(pid));
    failure.writer.reset();
    int error = 0;
    if (::read(failure.reader.get(), &error, sizeof error) == sizeof error)
      throw Error("Cannot start \"" + argv.front() + "\": " + ::strerror(error));
    child->in = std::move(in.writer);
    child->out = std::move(out.reader);
    child->err = std::move(err.reader);
    return child;
  }
  ~Child() override {
    if (reaped_) return;
    ::kill(-pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  int ended() const override { return handle_.get(); }
  void signal(int number) override {
    if (!reaped_) ::kill(-pid_, number);
  }
  CommandEnd end() override {
    ::kill(-pid_, SIGKILL);  // what it left in its group, whose number is kept as long as nobody has waited
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    reaped_ = true;
    if (WIFSIGNALED(status)) return {std::nullopt, WTERMSIG(status)};
    return {WEXITSTATUS(status), 0};
  }

 private:
  explicit Child(pid_t pid) : pid_(pid), handle_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))) {}

  static std::vector<std::string> candidates(const std::string& command, const std::map<std::string, std::string>& env) {
    if (command.find('/') != std::string::npos) return {command};
    std::vector<std::string> places;
    const auto path = env.find("PATH");
    std::string_view left = path == env.end() ? std::string_view() : std::string_view(path->second);
    while (!left.empty()) {
      const auto end = std::min(left.find(':'), left.size());
      if (end > 0) places.push_back(std::string(left.substr(0, end)) + "/" + command);
      left.remove_prefix(std::min(end + 1, left.size()));
    }
    return places;
  }
  static std::vector<char*> pointers(const std::vector<std::string>& texts) {
    std::vector<char*> list;
    for (const std::string& text : texts) list.push_back(const_cast<char*>(text.c_str()));
    list.push_back(nullptr);
    return list;
  }

  const pid_t pid_;
  Descriptor handle_;
  bool reaped_ = false;
};

}  // namespace paperclip::sdk
