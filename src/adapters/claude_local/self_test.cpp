#include "adapters/claude_local/claude_local.h"
#include "adapters/claude_local/invocation.h"
#include "adapters/claude_local/outcome.h"
#include "adapters/cli.h"
#include "adapters/config.h"
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

constexpr HelloProbe hello = {"claude", "claude_auth_required",
                              "Log in with `claude login` where the agents run, or set ANTHROPIC_API_KEY."};

Check judge_probe(const Result<ProbeOutcome>& outcome, const ProbeCommand& probe) {
  if (!outcome.ok()) return hello_not_run(hello, outcome.error());
  ClaudeStream stream;
  stream.feed(outcome->out);
  stream.finish();
  return judge_hello(hello, judge_claude_run({stream.transcript(), {outcome->out, outcome->err, outcome->exit, probe.timeout, {}}}));
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

  std::vector<Check> checks = check_cli_place("claude", test, command, cwd, environment.value("PATH"));
  const bool startable = test_status(checks) != "fail";
  Check credentials = check_credentials(environment.variables());
  if (!remote || credentials.code != "claude_subscription_mode_possible") checks.push_back(std::move(credentials));
  if (!startable || !test.run) return checks;

  if (std::filesystem::path(command).filename() != "claude") {
    checks.push_back(hello_skipped(hello, "claude"));
    return checks;
  }
  ProbeCommand probe;
  probe.argv = claude_arguments(test.config, uses_bedrock(environment.variables()), {});
  probe.argv.insert(probe.argv.begin(), command);
  probe.cwd = cwd;
  probe.environment = environment.variables();
  probe.stdin_text = std::string(hello_prompt);
  checks.push_back(judge_probe(test.run(probe), probe));
  return checks;
}

}  // namespace paperclip::adapters
