#include "environments/sandbox/driver.h"

#include "base/text.h"
#include "environments/place_files.h"
#include "environments/place_setup.h"
#include "environments/remote_runner.h"
#include "environments/sandbox/command_runner.h"
#include "environments/sandbox/pump.h"
#include "environments/shell/shell_runner.h"
#include "environments/start_frames.h"

namespace paperclip::environments::sandbox {
namespace {

using namespace std::chrono_literals;

/// The runner program in one sandbox.
class SandboxAccess : public RunnerAccess {
 public:
  SandboxAccess(std::shared_ptr<const Sandbox> sandbox, const RemoteMachine& machine, std::chrono::milliseconds patience)
      : sandbox_(std::move(sandbox)), runner_(machine.runner), runs_(machine.runs), patience_(patience) {}

  Result<FrameStream> open_frames(Verb verb, const RunId& run) override {
    if (!sandbox_->provider->running()) return Error(ErrorKind::unavailable, "the plugin of the " + sandbox_->label + " is not running");
    const std::string directory = runs_ + run.str();
    FrameStream frames;
    if (sandbox_->can_stream()) {
      auto pump = TRY(StreamPump::start(sandbox_, {runner_, verb == Verb::start ? "start" : "attach", directory}, {}));
      frames.socket = pump->take_socket();
      frames.holder = std::move(pump);
    } else {
      auto pump = TRY(ExchangePump::start(sandbox_, runner_, directory, verb));
      frames.socket = pump->take_socket();
      frames.holder = std::move(pump);
    }
    return frames;
  }
  Result<void> wait_reachable(Deadline) override {
    if (sandbox_->provider->running()) return success();
    return Error(ErrorKind::unavailable, "The plugin of the " + sandbox_->label + " is not running");
  }
  Result<os::CommandOutput> forget(const RunId& run, Deadline deadline) override {
    return sandbox_->execute({runner_, "forget", runs_ + run.str()}, {}, {}, "/", deadline);
  }
  std::chrono::milliseconds patience() const override { return patience_; }

 private:
  std::shared_ptr<const Sandbox> sandbox_;
  std::string runner_, runs_;
  std::chrono::milliseconds patience_;
};

/// Where there is no runner: the sandbox's shell.
class SandboxShell : public shell::ShellAccess {
 public:
  SandboxShell(std::shared_ptr<const Sandbox> sandbox, std::chrono::milliseconds patience) : sandbox_(std::move(sandbox)), patience_(patience) {}

  Result<os::CommandOutput> script(const std::string& text, std::string_view stdin_text, Shell shell, Deadline deadline) override {
    if (!sandbox_->provider->running()) return Error(ErrorKind::unavailable, "the plugin of the " + sandbox_->label + " is not running");
    return sandbox_->execute({sandbox_->shell, shell == Shell::login ? "-lc" : "-c", text}, {}, stdin_text, "/", deadline);
  }
  Result<void> write_file(const std::string& path, std::string_view bytes, unsigned mode, Deadline deadline) override {
    return sandbox_->write_file(path, bytes, mode, deadline);
  }
  void run(std::function<void()> work) override { sandbox_->gate->run(std::move(work)); }
  std::chrono::milliseconds patience() const override { return patience_; }

 private:
  std::shared_ptr<const Sandbox> sandbox_;
  std::chrono::milliseconds patience_;
};

template <class Pump>
class Stream : public PlaceStream {
 public:
  explicit Stream(std::shared_ptr<Pump> pump) : pump_(std::move(pump)), socket_(pump_->take_socket()) {}
  int socket() const override { return socket_.get(); }
  Result<os::CommandOutput> finish(Deadline deadline) override { return pump_->wait(deadline); }

 private:
  std::shared_ptr<Pump> pump_;
  os::Descriptor socket_;
};

class SandboxPlace : public Place {
 public:
  SandboxPlace(std::shared_ptr<const Sandbox> sandbox, PlaceDescription description, std::unique_ptr<Runner> runner)
      : sandbox_(std::move(sandbox)), description_(std::move(description)), runner_(std::move(runner)) {}

  const PlaceDescription& description() const override { return description_; }
  Runner& runner() override { return *runner_; }
  Result<os::CommandOutput> run_command(const PlaceCommand& command, Deadline deadline) override {
    auto output = TRY(sandbox_->execute(command.argv, laid_over(description_.base_environment, command.environment), command.stdin_text, command.cwd, deadline));
    for (std::string* text : {&output.stdout_text, &output.stderr_text}) {
      output.truncated |= text->size() > command.output_limit;
      text->resize(std::min(text->size(), command.output_limit));
    }
    return output;
  }
  Result<std::unique_ptr<PlaceStream>> open_stream(const PlaceCommand& command, Deadline deadline) override {
    (void)deadline;
    if (!sandbox_->can_stream()) return open_held(command);
    // A directory of its own choice goes into a script, because the provider's is the workspace.
    std::vector<std::string> argv = command.argv;
    if (!command.cwd.empty()) argv.insert(argv.begin(), {"sh", "-c", "cd -- \"$0\" && exec \"$@\"", command.cwd});
    auto pump = TRY(StreamPump::start(sandbox_, std::move(argv), laid_over(description_.base_environment, command.environment)));
    return with_input(std::make_unique<Stream<StreamPump>>(std::move(pump)), command.stdin_text);
  }
  Result<void> write_file(const std::string& path, std::string_view bytes, unsigned mode, Deadline deadline) override {
    return sandbox_->write_file(path, bytes, mode, deadline);
  }
  Result<void> release(ReleaseOutcome, Deadline deadline) override {
    if (released_) return success();
    auto given_back = sandbox_->provider->release_lease(sandbox_->context, sandbox_->lease.provider_lease_id, sandbox_->lease.metadata, deadline);
    released_ = given_back.ok();
    return given_back;
  }

 private:
  /// Where there are one-shot commands only, our runner keeps the command.
  Result<std::unique_ptr<PlaceStream>> open_held(const PlaceCommand& command) {
    if (description_.runner.empty()) return unprocessable("The " + sandbox_->label + " has one-shot commands only, and our runner does not work there");
    auto pump = TRY(CarryPump::start(sandbox_, description_.runner, command.argv, laid_over(description_.base_environment, command.environment), command.cwd));
    return with_input(std::make_unique<Stream<CarryPump>>(std::move(pump)), command.stdin_text);
  }
  Result<std::unique_ptr<PlaceStream>> with_input(std::unique_ptr<PlaceStream> stream, std::string_view input) const {
    for (; !input.empty();) {
      const ssize_t sent = ::write(stream->socket(), input.data(), input.size());
      if (sent <= 0) return Error(ErrorKind::unavailable, "The command in the " + sandbox_->label + " takes nothing");
      input.remove_prefix(static_cast<std::size_t>(sent));
    }
    return stream;
  }

  std::shared_ptr<const Sandbox> sandbox_;
  PlaceDescription description_;
  std::unique_ptr<Runner> runner_;
  bool released_ = false;
};

std::optional<std::string> shell_in(const json::object& metadata) {
  const auto shell = text_at(json::value(metadata), "shellCommand");
  return shell == "bash" || shell == "sh" ? shell : std::nullopt;
}

/// What stands in for a runner that cannot be: the shell, or where not even that can follow a run, the provider's command.
Result<std::unique_ptr<Runner>> without_runner(const std::shared_ptr<const Sandbox>& sandbox, const SetupRequest& setup, const std::string& why,
                                               std::chrono::milliseconds patience, PlaceDescription& description, Deadline deadline) {
  auto access = std::make_shared<SandboxShell>(sandbox, patience);
  auto machine = shell::look_at(*access, setup.where, setup.workspace, setup.root, deadline);
  if (!machine && (machine.error().kind == ErrorKind::unavailable || machine.error().kind == ErrorKind::timeout)) return machine.error();
  description.notice = "No runner works in the " + sandbox->label + ": " + why;
  if (!machine) {
    description.notice += " " + machine.error().message;
    description.mute = "No runner works in the " + sandbox->label + ", so the agent cannot call the API from there.";
    return std::unique_ptr<Runner>(std::make_unique<CommandRunner>(sandbox));
  }
  if (machine->helper.empty())
    description.mute = "The agent cannot call the API: nothing in the " + sandbox->label + " can listen for it. Install node or python3 there.";
  else
    description.notice += " Its shell starts the agent, and " + machine->helper + " carries the agent's calls.";
  return std::unique_ptr<Runner>(std::make_unique<shell::ShellRunner>(std::move(access), *std::move(machine)));
}

}  // namespace

Result<std::unique_ptr<SandboxDriver>> SandboxDriver::create(DriverOptions options) {
  auto runners = TRY(read_runner_binaries(options.runner));
  std::shared_ptr<RunLoop> loop = TRY(RunLoop::create());
  return std::unique_ptr<SandboxDriver>(new SandboxDriver(std::move(options), std::move(runners), std::move(loop)));
}

SandboxDriver::SandboxDriver(DriverOptions options, std::vector<RunnerBinary> runners, std::shared_ptr<RunLoop> loop)
    : options_(std::move(options)), runners_(std::move(runners)), loop_(std::move(loop)) {}

SandboxDriver::~SandboxDriver() {
  loop_->end();
  loop_.reset();
  gate_.wait();
}

Result<Sandbox> SandboxDriver::sandbox_of(const PlaceRequest& request, Deadline deadline) {
  Sandbox sandbox;
  const std::string key = text_at(json::value(request.config), "provider").value_or("");
  sandbox.provider = TRY(options_.providers.wait_ready(key, deadline));
  sandbox.context.company_id = request.environment.company_id;
  sandbox.context.environment_id = request.environment.id.str();
  sandbox.context.config = request.config;
  sandbox.context.config.erase("provider");
  sandbox.label = "sandbox environment (" + key + ")";
  sandbox.gate = &gate_;
  return sandbox;
}

Result<AcquiredPlace> SandboxDriver::acquire(const PlaceRequest& request, Deadline deadline) {
  Sandbox sandbox = TRY(sandbox_of(request, deadline));
  sandbox.lease = TRY(sandbox.provider->acquire_lease(sandbox.context, {request.run_id, request.workspace_mode}, deadline));
  const Sandbox held = sandbox;
  auto opened = open(request, std::move(sandbox), deadline);
  if (!opened) (void)held.provider->destroy_lease(held.context, held.lease.provider_lease_id, held.lease.metadata, Deadline::in(30s));
  return opened;
}

Result<AcquiredPlace> SandboxDriver::resume(const PlaceRequest& request, const domain::EnvironmentLease& lease, Deadline deadline) {
  if (!lease.provider_lease_id || lease.provider_lease_id->empty()) return Error(ErrorKind::gone, "The lease names no sandbox");
  Sandbox sandbox = TRY(sandbox_of(request, deadline));
  const json::value stored = lease.metadata ? lease.metadata->parse() : json::value(json::object());
  const json::object known = stored.is_object() ? stored.get_object() : json::object();
  sandbox.lease = TRY(sandbox.provider->resume_lease(sandbox.context, *lease.provider_lease_id, known, deadline));
  if (!sandbox.lease.provider_lease_id || sandbox.lease.provider_lease_id->empty()) return Error(ErrorKind::gone, "The sandbox is gone");
  return open(request, std::move(sandbox), deadline);
}

Result<AcquiredPlace> SandboxDriver::open(const PlaceRequest& request, Sandbox sandbox, Deadline deadline) {
  const json::value metadata(sandbox.lease.metadata);
  plugins::WorkspaceRequest workspace;
  workspace.remote_path = text_at(metadata, "remoteCwd");
  workspace.mode = request.workspace_mode;
  const auto realised = TRY(sandbox.provider->realize_workspace(sandbox.context, sandbox.lease, workspace, deadline));
  sandbox.cwd = workspace.remote_path.value_or(realised.cwd.empty() ? "/tmp" : realised.cwd);
  sandbox.shell = shell_in(sandbox.lease.metadata).value_or("sh");
  const auto shared = std::make_shared<const Sandbox>(std::move(sandbox));

  SetupRequest setup;
  setup.where = "the " + shared->label;
  setup.workspace = shared->cwd;
  setup.root = shell_word(shared->cwd + "/.paperclip-runtime");
  setup.run = [&](const std::string& script) { return shared->script(script, {}, deadline); };
  setup.upload = [&](const RunnerBinary& binary, const std::string& path) { return shared->write_file(path, binary.bytes, 0700, deadline); };
  auto machine = set_up(setup, runners_);

  PlaceDescription description;
  description.kind = PlaceKind::sandbox;
  description.cwd = shared->cwd;
  description.label = shared->label;
  description.shell = shared->shell;
  description.egress = egress_terms(shared->lease.metadata);
  description.identity = {{"transport", "sandbox"}, {"providerKey", shared->provider->key()}, {"environmentId", shared->context.environment_id},
                          {"remoteCwd", shared->cwd}};
  if (shared->lease.provider_lease_id) description.identity["providerLeaseId"] = *shared->lease.provider_lease_id;
  std::unique_ptr<Runner> runner;
  if (!shared->can_stream()) description.transfer_window = 2 * 1024 * 1024;
  if (machine) {
    description.base_environment = machine->environment;
    description.runner = machine->runner;
    runner = std::make_unique<RemoteRunner>(loop_, std::make_shared<SandboxAccess>(shared, *machine, options_.patience), machine->environment);
  } else if (machine.error().kind == ErrorKind::unavailable || machine.error().kind == ErrorKind::timeout) {
    return machine.error();
  } else {
    runner = TRY(without_runner(shared, setup, machine.error().message, options_.patience, description, deadline));
  }

  AcquiredPlace acquired;
  acquired.provider = shared->provider->key();
  acquired.provider_lease_id = shared->lease.provider_lease_id;
  acquired.metadata = shared->lease.metadata;
  acquired.metadata["remoteCwd"] = shared->cwd;
  if (!machine) acquired.metadata["runnerUnavailable"] = machine.error().message;
  if (shared->lease.expires_at) acquired.expires_at = parse_iso(*shared->lease.expires_at);
  acquired.place = std::make_unique<SandboxPlace>(shared, std::move(description), std::move(runner));
  return acquired;
}

Result<void> SandboxDriver::release(const PlaceRequest& request, const domain::EnvironmentLease& lease, ReleaseOutcome, Deadline deadline) {
  const Sandbox sandbox = TRY(sandbox_of(request, deadline));
  const json::value stored = lease.metadata ? lease.metadata->parse() : json::value(json::object());
  return sandbox.provider->release_lease(sandbox.context, lease.provider_lease_id, stored.is_object() ? stored.get_object() : json::object(), deadline);
}

Result<PlaceProbe> SandboxDriver::probe(const PlaceRequest& request, Deadline deadline) {
  const Sandbox sandbox = TRY(sandbox_of(request, deadline));
  const auto answer = TRY(sandbox.provider->probe(sandbox.context, deadline));
  PlaceProbe probe;
  probe.ok = answer.ok;
  probe.summary = answer.summary.value_or("Sandbox provider \"" + sandbox.provider->key() + "\" probe " + (answer.ok ? "passed." : "failed."));
  probe.details = {{"provider", sandbox.provider->key()}, {"pluginKey", sandbox.provider->plugin_key()}, {"diagnostics", answer.diagnostics}, {"metadata", answer.metadata}};
  return probe;
}

}  // namespace paperclip::environments::sandbox
