#include "environments/local_runner.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/secret.h"
#include "environments/run_directories.h"
#include "environments/run_files.h"
#include "environments/run_loop.h"
#include "environments/start_frames.h"
#include "os/files.h"
#include "os/process.h"
#include "runner/run_directory.h"

namespace paperclip::environments {
namespace {

/// Sends what fits without waiting, and leaves the rest in `frames`.
void send_beginning(int socket, std::string& frames) {
  const ssize_t sent = ::send(socket, frames.data(), frames.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent <= 0) return;
  wipe(frames.data(), static_cast<std::size_t>(sent));
  frames.erase(0, static_cast<std::size_t>(sent));
}

struct Connection {
  os::Descriptor ours, theirs;
};

Result<Connection> make_connection() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
    return internal_error(std::string("Cannot make a socket pair: ") + ::strerror(errno));
  return Connection{os::Descriptor(ends[0]), os::Descriptor(ends[1])};
}

}  // namespace

Result<std::unique_ptr<LocalRunner>> LocalRunner::create(LocalRunnerOptions options) {
  if (::access(options.runner.c_str(), X_OK) != 0) return os::file_error("Cannot execute the runner", options.runner, errno);
  // The runner does not stand where we do.
  options.runner = std::filesystem::absolute(options.runner);
  options.root = std::filesystem::absolute(options.root);
  // Output is acknowledged in portions of the window, so less would never be enough.
  if (options.backlog_bytes != 0) options.backlog_bytes = std::max<std::uint64_t>(options.backlog_bytes, 2 * run_window_bytes);
  auto directories = TRY(RunDirectories::open(options.root));
  auto loop = TRY(RunLoop::create());
  return std::unique_ptr<LocalRunner>(new LocalRunner(std::move(options), std::move(directories), std::move(loop)));
}

LocalRunner::LocalRunner(LocalRunnerOptions options, std::unique_ptr<RunDirectories> directories, std::unique_ptr<RunLoop> loop)
    : options_(std::move(options)), directories_(std::move(directories)), loop_(std::move(loop)) {}

LocalRunner::~LocalRunner() = default;

std::filesystem::path LocalRunner::directory_of(RunId run) const { return directories_->path_of(run); }

Result<void> LocalRunner::start(RunId run, const RunCommand& command, std::shared_ptr<RunObserver> observer) {
  TRY(check_texts(command));
  TRY(os::check_working_directory(command.cwd));
  TRY(os::resolve_command(command.argv.front(), command.cwd, os::value_in(command.env, "PATH")));

  const std::filesystem::path path = directory_of(run);
  Connection connection = TRY(make_connection());
  std::string frames = opening_frames(run, command, options_.backlog_bytes);
  // Sent before anybody is there to read it, so that the runner need not wait for us.
  send_beginning(connection.ours.get(), frames);

  const os::Descriptor directory = TRY(directories_->make_locked(run));
  os::SpawnRequest request;
  request.executable = options_.runner.string();
  request.argv = {"paperclip-runner", "run", "--boundary=" + options_.boundary, path.string()};
  request.cwd = "/";
  request.descriptors = {{connection.theirs.get(), 0}, {directory.get(), runner::inherited_directory}};
  request.session = os::SpawnRequest::Session::new_session;
  const auto guardian = os::spawn(request);
  if (!guardian) {
    (void)directories_->retire(run);
    return guardian.error();
  }
  loop_->follow(std::make_shared<LiveRun>(run, std::make_unique<LocalChannel>(path), std::move(observer), std::move(connection.ours), std::move(frames)),
                *guardian);
  return success();
}

Result<void> LocalRunner::reattach(RunId run, std::uint64_t from_offset, std::shared_ptr<RunObserver> observer) {
  if (!loop_->follow(std::make_shared<LiveRun>(run, std::make_unique<LocalChannel>(directory_of(run)), std::move(observer), from_offset), 0))
    return conflict("Run " + run.str() + " is attached already");
  return success();
}

void LocalRunner::cancel(RunId run, std::chrono::milliseconds grace) {
  loop_->stop(run, grace, runner::StopReason::cancelled);
}

void LocalRunner::finish(RunId run, std::chrono::milliseconds grace) {
  loop_->stop(run, grace, runner::StopReason::finished);
}

void LocalRunner::pause(RunId run) { loop_->pause(run); }
void LocalRunner::resume(RunId run) { loop_->resume(run); }

Result<void> LocalRunner::forget(RunId run) {
  if (loop_->follows(run)) return conflict("Run " + run.str() + " is still attached");
  const std::filesystem::path path = directory_of(run);
  // Once exit.json is there the runner needs the directory no more, even if it has not quite ended.
  if (!read_exit(path) && runner_is_alive(path)) return conflict("Run " + run.str() + " is still alive");
  return directories_->retire(run);
}

std::vector<RunId> LocalRunner::known_runs() const { return directories_->known(); }

}  // namespace paperclip::environments
