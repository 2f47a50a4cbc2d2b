#include <array>

#include "adapters/cli.h"
#include "adapters/config.h"
#include "adapters/gemini_local/gemini_local.h"
#include "adapters/gemini_local/invocation.h"
#include "adapters/gemini_local/stream.h"
#include "adapters/text_signs.h"
#include "base/text.h"

// "Test environment" for gemini_local (spec/adapters.md 7, Test).
namespace paperclip::adapters {

namespace {

constexpr HelloProbe hello = {"gemini", "gemini_auth_required",
                              "Log in with `gemini` where the agents run, or set GEMINI_API_KEY."};

constexpr std::array<std::string_view, 6> quota_signs = {"resource_exhausted", "quota",  "rate~limit",
                                                         "too many requests",  "#429#", "billing details"};

Check check_credentials(const os::Environment& environment) {
  for (auto name : {"GEMINI_API_KEY", "GOOGLE_API_KEY"})
    if (!trim(os::value_in(environment, name)).empty())
      return {"gemini_api_key_present", CheckLevel::info, std::string(name) + " is set: runs are billed to it."};
  if (os::value_in(environment, "GOOGLE_GENAI_USE_GCA") == "true")
    return {"gemini_api_key_present", CheckLevel::info, "GOOGLE_GENAI_USE_GCA is set: the logged-in Google account is used."};
  return {"gemini_api_key_missing", CheckLevel::info, "No API key is set: the tool's own login is used.", {},
          "Set GEMINI_API_KEY, or log in with `gemini` where the agents run."};
}

Check judge_probe(const Result<ProbeOutcome>& outcome, const ProbeCommand& probe) {
  if (!outcome.ok()) return hello_not_run(hello, outcome.error());
  GeminiStream stream;
  stream.feed(outcome->out);
  stream.finish();
  const AdapterResult result =
      judge_gemini_run(stream.transcript(), {outcome->out, outcome->err, outcome->exit, probe.timeout, {}}).result;
  if (!result.error_message.empty() && mentions(result.error_message + "\n" + outcome->err, quota_signs))
    return {"gemini_hello_probe_quota_exhausted", CheckLevel::warn, "The tool runs, but its quota is used up",
            Omit<std::string>(check_detail(result.error_message)), "Wait for the quota to be renewed, or use another account or key."};
  return judge_hello(hello, result);
}

}  // namespace

std::vector<Check> GeminiLocalAdapter::test(const SelfTest& test) const {
  RunContext run;
  run.config = test.config;
  run.host = test.host;
  run.place = test.place;
  run.server_cwd = test.server_cwd;
  const std::string command = config_text(test.config, "command", "gemini");
  const std::string cwd = working_directory(run).path;
  ChildEnvironment environment = gemini_base_environment(run);
  lay_over(environment, configured_environment(run.config));

  std::vector<Check> checks = check_cli_place("gemini", test, command, cwd, environment.value("PATH"));
  const bool startable = test_status(checks) != "fail";
  checks.push_back(check_credentials(environment.variables()));
  if (!startable || !test.run) return checks;
  if (std::filesystem::path(command).filename() != "gemini") {
    checks.push_back(hello_skipped(hello, "gemini"));
    return checks;
  }
  const std::string mode = config_flag(test.config, "yolo", false) ? "yolo" : config_text(test.config, "approvalMode", "yolo");
  ProbeCommand probe;
  probe.argv = gemini_arguments(test.config, {"", mode, hello_prompt});
  probe.argv.insert(probe.argv.begin(), command);
  probe.cwd = cwd;
  probe.environment = environment.variables();
  probe.timeout = seconds_setting(test.config, "helloProbeTimeoutSec", 10);
  checks.push_back(judge_probe(test.run(probe), probe));
  return checks;
}

}  // namespace paperclip::adapters
