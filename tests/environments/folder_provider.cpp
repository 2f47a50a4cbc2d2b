#include "folder_provider.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "os/files.h"
#include "os/process.h"

namespace paperclip::environments {

using namespace plugins;

namespace {

class FolderExecution : public Execution {
 public:
  FolderExecution(pid_t pid, os::Descriptor in, os::Descriptor out, os::Descriptor err, OnOutput on_output, bool streams)
      : pid_(pid), in_(std::move(in)), out_(std::move(out)), err_(std::move(err)), on_output_(std::move(on_output)), streams_(streams),
        thread_([this] { read(); }) {}
  ~FolderExecution() override {
    ::kill(-pid_, SIGKILL);
    in_.reset();
    thread_.join();
  }
  Result<ExecuteResult> wait(Deadline deadline) override {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_until(lock, deadline.at(), [&] { return ended_; })) return Error(ErrorKind::timeout, "not yet");
    return result_;
  }
  Result<> write_input(std::string_view bytes, Deadline) override {
    while (!bytes.empty()) {
      const ssize_t sent = ::write(in_.get(), bytes.data(), bytes.size());
      if (sent <= 0) return Error(ErrorKind::unavailable, "no reader");
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return {};
  }
  Result<> end_input(Deadline) override {
    in_.reset();
    return {};
  }
  Result<> cancel(std::string_view signal, Deadline) override {
    ::kill(-pid_, signal == "SIGKILL" ? SIGKILL : SIGTERM);
    return {};
  }

 private:
  void read() {
    bool open[] = {true, true};
    os::Descriptor* from[] = {&out_, &err_};
    while (open[0] || open[1]) {
      pollfd polls[] = {{open[0] ? out_.get() : -1, POLLIN, 0}, {open[1] ? err_.get() : -1, POLLIN, 0}};
      ::poll(polls, 2, -1);
      for (int i = 0; i < 2; ++i) {
        if (!polls[i].revents) continue;
        char buffer[16 * 1024];
        const ssize_t got = ::read(from[i]->get(), buffer, sizeof buffer);
        open[i] = got > 0;
        if (got <= 0) continue;
        const std::string_view bytes(buffer, static_cast<std::size_t>(got));
        if (streams_ && on_output_) on_output_(i == 0 ? OutputStream::stdout_stream : OutputStream::stderr_stream, bytes);
        else (i == 0 ? result_.stdout_text : result_.stderr_text).append(bytes);
      }
    }
    int status = 0;
    ::waitpid(pid_, &status, 0);
    const std::lock_guard lock(mutex_);
    if (WIFEXITED(status)) result_.exit_code = WEXITSTATUS(status);
    else result_.signal = "SIGKILL";
    ended_ = true;
    changed_.notify_all();
  }

  pid_t pid_;
  os::Descriptor in_, out_, err_;
  OnOutput on_output_;
  bool streams_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ended_ = false;
  ExecuteResult result_;
  std::thread thread_;
};

}  // namespace

void make_strange_machine(const std::filesystem::path& home, const std::vector<std::string>& without) {
  const auto tools = home / "tools";
  (void)os::make_directories(tools);
  (void)os::write_file_atomically(tools / "uname", "#!/bin/sh\necho Linux riscv64\n", 0755);
  // A login shell takes its PATH from here.
  std::string profile = "PATH='" + tools.string() + "':/usr/local/bin:/usr/bin:/bin\n";
  if (!without.empty()) {
    for (const auto& entry : std::filesystem::directory_iterator("/usr/bin")) {
      const auto name = entry.path().filename();
      if (std::find(without.begin(), without.end(), name.string()) == without.end() && !std::filesystem::exists(tools / name))
        std::filesystem::create_symlink(entry.path(), tools / name);
    }
    profile = "PATH='" + tools.string() + "'\n";
  }
  (void)os::write_file_atomically(home / ".profile", profile);
}

Result<ProviderLease> FolderProvider::acquire_lease(const ProviderContext&, const AcquireRequest& request, Deadline) {
  ++live_leases;
  const auto path = folder_ / request.run_id.str() / "work";
  (void)os::make_directories(path);
  if (furnish) furnish(folder_ / request.run_id.str());
  return ProviderLease{request.run_id.str(), {{"remoteCwd", path.string()}, {"shellCommand", "sh"}}, std::nullopt};
}

Result<ProviderLease> FolderProvider::resume_lease(const ProviderContext&, const std::string& id, const json::object& metadata, Deadline) {
  if (!std::filesystem::exists(folder_ / id)) return ProviderLease{};
  return ProviderLease{id, metadata, std::nullopt};
}

Result<> FolderProvider::release_lease(const ProviderContext&, const std::optional<std::string>& id, const json::object&, Deadline) {
  if (id && std::filesystem::exists(folder_ / *id)) {
    --live_leases;
    return os::remove_tree(folder_ / *id);
  }
  return {};
}
Result<> FolderProvider::destroy_lease(const ProviderContext& context, const std::optional<std::string>& id, const json::object& metadata, Deadline deadline) {
  return release_lease(context, id, metadata, deadline);
}
Result<WorkspacePlace> FolderProvider::realize_workspace(const ProviderContext&, const ProviderLease&, const WorkspaceRequest& workspace, Deadline) {
  return WorkspacePlace{workspace.remote_path.value_or("/tmp"), {}};
}

Result<std::unique_ptr<Execution>> FolderProvider::start(const ProviderContext&, const ProviderLease& lease, const ExecuteRequest& request, OnOutput on_output) {
  if (!up) return Error(ErrorKind::unavailable, "the worker is down");
  ++executions;
  os::Descriptor pipes[3][2];
  for (auto& pipe : pipes) {
    int ends[2];
    (void)!::pipe2(ends, O_CLOEXEC);
    pipe[0].reset(ends[0]);
    pipe[1].reset(ends[1]);
  }
  os::SpawnRequest spawn;
  spawn.environment = {{"PATH", "/usr/local/bin:/usr/bin:/bin"}, {"HOME", (folder_ / *lease.provider_lease_id).string()}};
  for (const auto& [name, value] : request.env) {
    std::erase_if(spawn.environment, [&](const auto& known) { return known.first == name; });
    spawn.environment.emplace_back(name, value);
  }
  spawn.executable = TRY(os::resolve_command(request.command, request.cwd.value_or("/"), os::value_in(spawn.environment, "PATH")));
  spawn.argv = {request.command};
  spawn.argv.insert(spawn.argv.end(), request.args.begin(), request.args.end());
  spawn.cwd = request.cwd.value_or("/");
  spawn.descriptors = {{pipes[0][0].get(), 0}, {pipes[1][1].get(), 1}, {pipes[2][1].get(), 2}};
  spawn.session = os::SpawnRequest::Session::new_group;
  const pid_t pid = TRY(os::spawn(spawn));
  pipes[0][0].reset();
  if (request.stdin_text)
    for (std::string_view left = *request.stdin_text; !left.empty();) {
      const ssize_t sent = ::write(pipes[0][1].get(), left.data(), left.size());
      if (sent <= 0) break;
      left.remove_prefix(static_cast<std::size_t>(sent));
    }
  if (!request.open_input) pipes[0][1].reset();
  pipes[1][1].reset();
  pipes[2][1].reset();
  return std::unique_ptr<Execution>(
      std::make_unique<FolderExecution>(pid, std::move(pipes[0][1]), std::move(pipes[1][0]), std::move(pipes[2][0]), std::move(on_output), can.stream));
}

Result<> FolderProvider::put_file(const ProviderContext&, const ProviderLease&, const std::string& path, std::string_view bytes, unsigned mode, Deadline) {
  TRY(os::make_directories(std::filesystem::path(path).parent_path()));
  return os::write_file_atomically(path, bytes, mode);
}
Result<std::string> FolderProvider::get_file(const ProviderContext&, const ProviderLease&, const std::string& path, std::size_t max, Deadline) { return os::read_file(path, max); }
Result<std::vector<InventoryItem>> FolderProvider::list_leases(const ProviderContext&, Deadline) { return std::vector<InventoryItem>{}; }

}  // namespace paperclip::environments
