#include "adapters/claude_local/claude_local.h"
#include "adapters/claude_local/invocation.h"
#include "adapters/claude_local/outcome.h"
#include "adapters/cli.h"
#include "adapters/config.h"
#include "adapters/text_signs.h"
#include "base/text.h"

// "Test environment" for claude_local (spec/adapters.md 4, Test).
namespace paperclip::adapters {

namespace {

Check check_credentials(const os::Environment& environment) {
  if (uses_bedrock(environment))
    return {"claude_bedrock_auth", CheckLevel::info, "Amazon Bedrock is asked for; its credentials are used."};
  if (!trim(os::value_in(environment, "ANTHROPIC_API_KEY")).empty())
    return {"claude_anthropic_api_key_overrides_subscription",
            CheckLevel::warn,
            "ANTHROPIC_API_KEY is set: runs are billed to it, not to a subscription.",
            {},
            "Unset it where the agents run if they shall use the logged-in subscription."};
  return {"claude_subscription_mode_possible", CheckLevel::info,
          "No API key is set: a logged-in subscription is used."};
}

bool says_hello(std::string_view text) { return line_matches(replace_all(std::string(text), "\n", " "), "#hello#"); }

Check judge_probe(const Result<ProbeOutcome>& outcome, const ProbeCommand& probe) {
  if (!outcome.ok())
    return {"claude_hello_probe_failed", CheckLevel::error, "The test prompt could not be run",
            Omit<std::string>(check_detail(outcome.error().message))};
  ClaudeStream stream;
  stream.feed(outcome->out);
  stream.finish();
  const AdapterResult result =
      judge_claude_run({stream.transcript(), outcome->err, outcome->out, outcome->exit, probe.timeout, {}});
  if (result.timed_out)
    return {"claude_hello_probe_timed_out",
            CheckLevel::warn,
            "The test prompt got no answer in time",
            {},
            "Run the command by hand in this directory to see what it waits for."};
  const Omit<std::string> detail(check_detail(result.error_message.empty() ? result.summary : result.error_message));
  if (result.error_code == "claude_auth_required")
    return {"claude_hello_probe_auth_required", CheckLevel::warn, "The tool runs, but is not logged in", detail,
            "Log in with `claude login` where the agents run, or set ANTHROPIC_API_KEY."};
  if (!result.error_message.empty())
    return {"claude_hello_probe_failed", CheckLevel::error, "The test prompt failed", detail};
  if (says_hello(result.summary))
    return {"claude_hello_probe_passed", CheckLevel::info, "The test prompt was answered", detail};
  return {"claude_hello_probe_unexpected_output", CheckLevel::warn,
          "The tool answered the test prompt with something else", detail};
}

}  // namespace

std::vector<Check> ClaudeLocalAdapter::test(const SelfTest& test) const {
  RunContext run;
  run.config = test.config;
  run.host = test.host;
  run.place = test.place;
  run.server_cwd = test.server_cwd;
  const bool remote = test.place.is_remote();
  const std::string command = config_text(test.config, "command", "claude");
  const std::string cwd = working_directory(run).path;
  ChildEnvironment environment = claude_base_environment(run);
  lay_over(environment, configured_environment(run.config));

  std::vector<Check> checks;
  if (remote)
    checks.push_back({"claude_environment_target", CheckLevel::info, "Tested in " + test.place.label});
  else
    checks.push_back(check_cwd("claude", cwd, true));
  if (!remote) checks.push_back(check_command("claude", command, cwd, environment.value("PATH")));
  const bool startable = test_status(checks) != "fail";
  Check credentials = check_credentials(environment.variables());
  if (!remote || credentials.code != "claude_subscription_mode_possible") checks.push_back(std::move(credentials));
  if (!startable || !test.run) return checks;

  if (std::filesystem::path(command).filename() != "claude") {
    checks.push_back({"claude_hello_probe_skipped_custom_command", CheckLevel::info,
                      "The test prompt is only tried with the claude command itself"});
    return checks;
  }
  ProbeCommand probe;
  probe.argv = claude_arguments(test.config, uses_bedrock(environment.variables()), {});
  probe.argv.insert(probe.argv.begin(), command);
  probe.cwd = cwd;
  probe.environment = environment.variables();
  probe.stdin_text = "Respond with hello.";
  checks.push_back(judge_probe(test.run(probe), probe));
  return checks;
}

}  // namespace paperclip::adapters
