#include "adapters/process/process.h"

#include "adapters/cli.h"
#include "adapters/config.h"
#include "adapters/environment.h"
#include "adapters/output.h"
#include "os/process.h"

namespace paperclip::adapters {

namespace {

class ProcessOutput final : public OutputParser {
 public:
  explicit ProcessOutput(std::chrono::milliseconds timeout) : timeout_(timeout) {}

  void feed(OutputStream stream, std::string_view bytes) override {
    (stream == OutputStream::out ? out_ : err_).feed(bytes);
  }

  AdapterResult finish(const Exit& exit, Timestamp) override {
    AdapterResult result;
    result.exit_code = exit.code;
    result.signal = exit.signal;
    result.timed_out = exit.timed_out;
    if (!exit.start_failure.empty()) {
      result.error_message = exit.start_failure;
      return result;
    }
    if (exit.timed_out) {
      result.error_message = timed_out_message(timeout_);
      result.error_code = "timeout";
      return result;
    }
    result.result = json::value{{"stdout", out_.text()}, {"stderr", err_.text()}};
    if (exit.code.value_or(0) != 0) result.error_message = "Process exited with code " + std::to_string(*exit.code);
    // Ours: a process that something killed has not succeeded.
    else if (!exit.code && !exit.signal.empty())
      result.error_message = "Process was ended by signal " + exit.signal;
    return result;
  }

 private:
  std::chrono::milliseconds timeout_;
  OutputTail out_, err_;
};

std::string configured_directory(const json::object& config, const std::filesystem::path& server_cwd) {
  return config_text(config, "cwd", server_cwd.string());
}

}  // namespace

Result<PreparedRun> ProcessAdapter::prepare(const RunContext& run) const {
  const std::string command = config_text(run.config, "command");
  if (command.empty()) return unprocessable("Process adapter missing command");
  PreparedRun prepared;
  prepared.argv = {command};
  for (auto& argument : config_list(run.config, "args")) prepared.argv.push_back(std::move(argument));
  // In a remote place a configured directory is the place's; without one the workspace there.
  const bool remote = run.place.is_remote();
  prepared.cwd = configured_directory(run.config, remote ? std::filesystem::path(run.place.cwd) : run.server_cwd);
  prepared.create_cwd = false;
  prepared.timeout = seconds_setting(run.config, "timeoutSec", 0);
  prepared.grace = seconds_setting(run.config, "graceSec", 15);

  os::Environment ours = process_environment(run);
  for (auto& entry : configured_environment(run.config)) ours.push_back(std::move(entry));
  ChildEnvironment environment = remote ? ChildEnvironment() : base_environment(run.host);
  lay_over(environment, ours);

  // Only for the record: whether it can be started is found out by starting it.
  const auto resolved = remote ? Result<std::string>(command) : os::resolve_command(command, prepared.cwd, environment.value("PATH"));
  const auto arguments = json::array(prepared.argv.begin() + 1, prepared.argv.end());
  prepared.invocation = {
      {"adapterType", type()},
      {"command", command},
      {"cwd", prepared.cwd},
      {"commandArgs", arguments},
      {"env", shown_environment(ours, environment, run.secret_environment_names, resolved.ok() ? *resolved : command)}};
  prepared.environment = std::move(environment).variables();
  prepared.parser = std::make_unique<ProcessOutput>(prepared.timeout);
  return prepared;
}

std::vector<Check> ProcessAdapter::test(const SelfTest& test) const {
  std::vector<Check> checks;
  const std::string command = config_text(test.config, "command");
  if (command.empty()) {
    checks.push_back({"process_command_missing",
                      CheckLevel::error,
                      "No command is configured",
                      {},
                      "Set adapterConfig.command to a program and its arguments to adapterConfig.args."});
  } else {
    checks.push_back({"process_command_present", CheckLevel::info, "Configured command: " + command});
  }
  const std::string cwd = configured_directory(test.config, test.server_cwd);
  checks.push_back(check_cwd("process", cwd, false));
  if (!command.empty()) {
    ChildEnvironment environment = base_environment(test.host);
    lay_over(environment, configured_environment(test.config));
    checks.push_back(check_command("process", command, cwd, environment.value("PATH")));
  }
  return checks;
}

std::string ProcessAdapter::documentation() const {
  return R"(# process

Runs a command of yours for every heartbeat. Its exit code decides: 0 is success, anything else a failed run. What it prints
is the run's transcript; it gets no prompt and keeps no session.

Use it for scripts and for agents that bring their own loop. Do not use it for a coding tool that has an adapter of its own:
that one hands over prompts and resumes sessions.

## Configuration (adapterConfig)

- command (string, required): a program's name or path. It is started directly, without a shell.
- args (list of strings): its arguments.
- cwd (string, absolute): where it runs; the server's directory otherwise. It must exist.
- env (object of strings or secret references): variables for the command.
- timeoutSec (number): seconds until it is stopped; 0 means no limit.
- graceSec (number, 15): seconds between SIGTERM and SIGKILL.

## Environment of the command

PAPERCLIP_AGENT_ID, PAPERCLIP_COMPANY_ID, PAPERCLIP_API_URL, PAPERCLIP_RUN_ID, PAPERCLIP_API_KEY (a token for this run),
and where the wake has them PAPERCLIP_TASK_ID and PAPERCLIP_WAKE_REASON. Nothing of the server's own settings is passed on.
)";
}

}  // namespace paperclip::adapters
