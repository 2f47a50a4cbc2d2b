#pragma once

#include <sys/socket.h>
#include <sys/wait.h>

#include <filesystem>

#include "environments/workspace_sync.h"
#include "os/child_environment.h"
#include "os/process.h"

namespace paperclip::test {

/// A command of this machine as a place's stream.
class ProcessStream : public environments::PlaceStream {
 public:
  ProcessStream(pid_t pid, os::Descriptor socket) : pid_(pid), socket_(std::move(socket)) {}
  ~ProcessStream() override {
    socket_.reset();
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
  }
  int socket() const override { return socket_.get(); }
  pid_t pid() const { return pid_; }
  Result<os::CommandOutput> finish(Deadline) override {
    os::CommandOutput out;
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    out.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return out;
  }

 private:
  pid_t pid_;
  os::Descriptor socket_;
};

/// A "place" that is a folder of this machine: the same commands as over SSH, without SSH.
class LocalPeer : public environments::SyncPeer {
 public:
  Result<std::unique_ptr<environments::PlaceStream>> open(const std::vector<std::string>& argv, Deadline) override {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return internal_error("socketpair");
    os::Descriptor ours(ends[0]), theirs(ends[1]);
    os::SpawnRequest request;
    request.environment = environment_;
    request.executable = TRY(os::resolve_command(argv.front(), "/", os::value_in(environment_, "PATH")));
    request.argv = argv;
    request.descriptors = {{theirs.get(), 0}, {theirs.get(), 1}};
    const auto pid = TRY(os::spawn(request));
    opened.push_back(argv);
    if (on_open) on_open(argv, pid, ours.get());
    return std::unique_ptr<environments::PlaceStream>(new ProcessStream(pid, std::move(ours)));
  }
  Result<os::CommandOutput> run(const std::vector<std::string>& argv, Deadline deadline) override {
    os::Command command;
    command.argv = argv;
    command.cwd = "/";
    command.environment = environment_;
    return os::run_command(command, deadline);
  }

  std::vector<std::vector<std::string>> opened;
  std::function<void(const std::vector<std::string>&, pid_t, int)> on_open;

 private:
  os::Environment environment_ = [] {
    auto environment = os::ChildEnvironment::from_host(os::own_environment());
    environment.set("GIT_AUTHOR_NAME", "There").set("GIT_AUTHOR_EMAIL", "there@example.com").set("GIT_COMMITTER_NAME", "There").set("GIT_COMMITTER_EMAIL", "there@example.com");
    return std::move(environment).variables();
  }();
};

}  // namespace paperclip::test
