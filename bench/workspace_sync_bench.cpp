#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <chrono>

#include "base/text.h"
#include "environments/workspace_sync.h"
#include "os/child_environment.h"

/// One upload of a workspace through any program that runs a shell line elsewhere: `workspace_sync_bench FOLDER MIRROR
/// RUNNER STATE ssh -F … host`. Prints seconds, files and bytes. See the script beside it.
namespace {

using namespace paperclip;

class Stream : public environments::PlaceStream {
 public:
  Stream(pid_t pid, os::Descriptor socket) : pid_(pid), socket_(std::move(socket)) {}
  ~Stream() override {
    socket_.reset();
    if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
  }
  int socket() const override { return socket_.get(); }
  Result<os::CommandOutput> finish(Deadline) override {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    os::CommandOutput out;
    out.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
    return out;
  }

 private:
  pid_t pid_;
  os::Descriptor socket_;
};

class Peer : public environments::SyncPeer {
 public:
  explicit Peer(std::vector<std::string> prefix) : prefix_(std::move(prefix)) {}
  Result<std::unique_ptr<environments::PlaceStream>> open(const std::vector<std::string>& argv, Deadline) override {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return internal_error("socketpair");
    os::Descriptor ours(ends[0]), theirs(ends[1]);
    os::SpawnRequest request;
    request.environment = os::own_environment();
    request.argv = wrapped(argv);
    request.executable = TRY(os::resolve_command(request.argv.front(), "/", os::value_in(request.environment, "PATH")));
    request.descriptors = {{theirs.get(), 0}, {theirs.get(), 1}, {2, 2}};
    const auto pid = TRY(os::spawn(request));
    return std::unique_ptr<environments::PlaceStream>(new Stream(pid, std::move(ours)));
  }
  Result<os::CommandOutput> run(const std::vector<std::string>& argv, Deadline deadline) override {
    os::Command command;
    command.argv = wrapped(argv);
    command.environment = os::own_environment();
    return os::run_command(command, deadline);
  }

 private:
  std::vector<std::string> wrapped(const std::vector<std::string>& argv) const {
    std::string line;
    for (const auto& word : argv) line += "'" + replace_all(word, "'", "'\"'\"'") + "' ";
    auto out = prefix_;
    out.push_back(line);
    return out;
  }
  std::vector<std::string> prefix_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6) return fprintf(stderr, "usage: workspace_sync_bench FOLDER MIRROR RUNNER STATE PROGRAM…\n"), 64;
  Peer peer({argv + 5, argv + argc});
  environments::SyncOptions options;
  options.local = argv[1];
  options.remote = argv[2];
  options.runner = argv[3];
  options.key = "bench";
  options.state = argv[4];
  options.host = os::own_environment();
  const auto start = std::chrono::steady_clock::now();
  environments::WorkspaceSync sync(peer, options);
  const auto report = sync.upload(Deadline::in(std::chrono::minutes(10)));
  if (!report) return fprintf(stderr, "%s\n", report.error().message.c_str()), 1;
  printf("%.3f s, %zu files, %llu bytes\n", std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(), report->files,
         static_cast<unsigned long long>(report->bytes));
}
