#include "environments/ssh/driver.h"

#include "base/secret.h"
#include "base/text.h"
#include "environments/place_files.h"
#include "environments/remote_runner.h"
#include "environments/place_setup.h"
#include "environments/ssh/connection.h"
#include "environments/start_frames.h"

namespace paperclip::environments::ssh {
namespace {

constexpr std::size_t answer_limit = 4 * 1024 * 1024;

/// The runner program of one host, over one connection.
class SshAccess : public RunnerAccess {
 public:
  SshAccess(std::shared_ptr<Connection> connection, const RemoteMachine& machine, std::chrono::milliseconds patience)
      : connection_(std::move(connection)), runner_(machine.runner), runs_(machine.runs), patience_(patience) {}

  Result<FrameStream> open_frames(Verb verb, const RunId& run) override {
    auto stream = std::make_shared<Connection::Stream>(TRY(connection_->start(command(verb == Verb::start ? "start" : "attach", run))));
    FrameStream frames;
    frames.socket = std::move(stream->socket);
    frames.holder = std::move(stream);
    return frames;
  }
  Result<void> wait_reachable(Deadline deadline) override { return connection_->wait_connected(deadline); }
  Result<os::CommandOutput> forget(const RunId& run, Deadline deadline) override {
    return connection_->run(command("forget", run), {}, 64 * 1024, deadline);
  }
  std::chrono::milliseconds patience() const override { return patience_; }

  std::string execute() const { return shell_word(runner_) + " execute"; }
  Connection& connection() { return *connection_; }

 private:
  std::string command(std::string_view verb, const RunId& run) const {
    return shell_word(runner_) + " " + std::string(verb) + " " + shell_word(runs_ + run.str());
  }

  std::shared_ptr<Connection> connection_;
  std::string runner_, runs_;
  std::chrono::milliseconds patience_;
};

class SshPlace : public Place {
 public:
  SshPlace(std::shared_ptr<RunLoop> loop, std::shared_ptr<SshAccess> access, PlaceDescription description)
      : description_(std::move(description)), access_(access), runner_(std::move(loop), access, description_.base_environment) {}

  const PlaceDescription& description() const override { return description_; }
  Runner& runner() override { return runner_; }

  Result<os::CommandOutput> run_command(const PlaceCommand& command, Deadline deadline) override {
    SecretText input(TRY(start_message(command, deadline)) + command.stdin_text);
    return access_->connection().run(access_->execute(), input.expose(), command.output_limit, deadline);
  }
  Result<std::unique_ptr<PlaceStream>> open_stream(const PlaceCommand& command, Deadline deadline) override {
    SecretText input(TRY(start_message(command, Deadline::never())) + command.stdin_text);
    return access_->connection().open_stream(access_->execute(), input.expose(), deadline);
  }
  Result<void> write_file(const std::string& path, std::string_view bytes, unsigned mode, Deadline deadline) override {
    char octal[8];
    std::snprintf(octal, sizeof octal, "%o", mode & 07777);
    const std::string script = "p=" + shell_word(path) + "\nmkdir -p -- \"$(dirname -- \"$p\")\" && t=$(mktemp \"$p.XXXXXX\") || exit 1\n"
        "trap 'rm -f -- \"$t\"' EXIT\ncat > \"$t\" && [ $(wc -c < \"$t\") -eq " + std::to_string(bytes.size()) + " ] && chmod " + octal +
        " \"$t\" && mv -f -- \"$t\" \"$p\"\n";
    const auto output = TRY(access_->connection().run(in_sh(script), bytes, 64 * 1024, deadline));
    if (!output.ok()) return Error(ErrorKind::bad_gateway, "Cannot write " + path + " on " + description_.label + ": " + std::string(trim(output.stderr_text)));
    return success();
  }
  Result<void> release(ReleaseOutcome, Deadline) override {
    access_->connection().close();
    return success();
  }

 private:
  /// What `paperclip-runner execute` reads before the command's own stdin. The far side keeps the time too, so that a
  /// command does not outlive our patience when the connection is lost in a way nobody there notices.
  Result<std::string> start_message(const PlaceCommand& command, Deadline deadline) const {
    RunCommand whole;
    whole.argv = command.argv;
    whole.cwd = command.cwd.empty() ? description_.cwd : command.cwd;
    whole.env = laid_over(description_.base_environment, command.environment);
    whole.timeout = deadline.left();
    TRY(check_texts(whole));
    return encoded_start("command", whole, 0);
  }

  PlaceDescription description_;
  std::shared_ptr<SshAccess> access_;
  RemoteRunner runner_;
};

json::object identity_of(const Target& target, const std::string& cwd) {
  return {{"transport", "ssh"}, {"host", target.host}, {"port", target.port}, {"username", target.username}, {"remoteCwd", cwd}};
}

}  // namespace

Result<std::unique_ptr<SshDriver>> SshDriver::create(DriverOptions options) {
  auto runners = TRY(read_runner_binaries(options.runner));
  std::shared_ptr<RunLoop> loop = TRY(RunLoop::create());
  PrivateDirectory::sweep_left();
  return std::unique_ptr<SshDriver>(new SshDriver(std::move(options), std::move(runners), std::move(loop)));
}

SshDriver::SshDriver(DriverOptions options, std::vector<RunnerBinary> runners, std::shared_ptr<RunLoop> loop)
    : options_(std::move(options)), runners_(std::move(runners)), loop_(std::move(loop)) {}

Result<AcquiredPlace> SshDriver::open(const PlaceRequest& request, const std::string& workspace, Deadline deadline) {
  Target target = TRY(read_target(request.config));
  std::shared_ptr<Connection> connection = TRY(Connection::open(target, deadline));
  SetupRequest setup;
  setup.where = target.address();
  setup.workspace = workspace;
  setup.root = "\"$HOME/.paperclip\"";
  setup.run = [&](const std::string& script) { return connection->run(in_sh(script), {}, answer_limit, deadline); };
  setup.upload = [&](const RunnerBinary& binary, const std::string& path) -> Result<void> {
    const auto output = TRY(connection->run(in_sh(upload_script(binary, path)), binary.bytes, answer_limit, deadline));
    if (!output.ok()) return Error(ErrorKind::bad_gateway, std::string(trim(output.stderr_text)));
    return success();
  };
  const RemoteMachine machine = TRY(set_up(setup, runners_));

  PlaceDescription description;
  description.kind = PlaceKind::ssh;
  description.cwd = machine.cwd;
  description.label = "SSH host " + target.address() + ":" + std::to_string(target.port);
  description.identity = identity_of(target, machine.cwd);
  description.in_place = target.in_place;
  description.base_environment = machine.environment;
  description.runner = machine.runner;

  AcquiredPlace acquired;
  acquired.provider = "ssh";
  acquired.provider_lease_id = "ssh://" + target.address() + ":" + std::to_string(target.port) + machine.cwd;
  acquired.metadata = {{"host", target.host},         {"port", target.port},
                       {"username", target.username}, {"remoteWorkspacePath", target.workspace_path},
                       {"remoteCwd", machine.cwd}};
  auto access = std::make_shared<SshAccess>(std::move(connection), machine, options_.patience);
  acquired.place = std::make_unique<SshPlace>(loop_, std::move(access), std::move(description));
  return acquired;
}

Result<AcquiredPlace> SshDriver::acquire(const PlaceRequest& request, Deadline deadline) {
  const Target target = TRY(read_target(request.config));
  std::string workspace = target.workspace_path;
  if (!target.in_place && !request.workspace_key.empty()) workspace += (workspace.ends_with('/') ? "" : "/") + request.workspace_key;
  return open(request, workspace, deadline);
}

Result<AcquiredPlace> SshDriver::resume(const PlaceRequest& request, const domain::EnvironmentLease& lease, Deadline deadline) {
  const auto cwd = lease.metadata ? text_at(lease.metadata->parse(), "remoteCwd") : std::nullopt;
  if (!cwd) return acquire(request, deadline);
  return open(request, *cwd, deadline);
}

Result<void> SshDriver::release(const PlaceRequest&, const domain::EnvironmentLease&, ReleaseOutcome, Deadline) { return success(); }

Result<PlaceProbe> SshDriver::probe(const PlaceRequest& request, Deadline deadline) {
  const Target target = TRY(read_target(request.config));
  PlaceProbe probe;
  probe.details = {{"host", target.host}, {"port", target.port}, {"username", target.username}, {"remoteWorkspacePath", target.workspace_path}};
  const auto fail = [&](std::string_view why, json::value code) {
    probe.summary = "SSH probe failed for " + target.address() + ".";
    probe.details["error"] = trim(why);
    probe.details["code"] = std::move(code);
    return probe;
  };
  auto connection = Connection::open(target, deadline);
  if (!connection) return fail(connection.error().message, 255);
  const std::string path = shell_word(target.workspace_path);
  const auto output = (*connection)->run(in_sh("mkdir -p -- " + path + " && cd -- " + path + " && pwd"), {}, answer_limit, deadline);
  if (!output) return fail(output.error().message, nullptr);
  if (!output->ok()) return fail(trim(output->stderr_text).empty() ? output->stdout_text : output->stderr_text, output->exit_code);
  probe.ok = true;
  probe.summary = "Connected to " + target.address() + " and verified the remote workspace path.";
  probe.details["remoteCwd"] = trim(output->stdout_text);
  return probe;
}

}  // namespace paperclip::environments::ssh
