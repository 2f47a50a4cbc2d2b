#include "adapters/self_test.h"

#include <algorithm>

#include "adapters/cli.h"
#include "adapters/text_signs.h"
#include "base/text.h"
#include "os/process.h"

namespace paperclip::adapters {

std::string_view test_status(const std::vector<Check>& checks) {
  const auto any = [&](CheckLevel level) {
    return std::any_of(checks.begin(), checks.end(), [&](const Check& check) { return check.level == level; });
  };
  return any(CheckLevel::error) ? "fail" : any(CheckLevel::warn) ? "warn" : "pass";
}

Check check_cwd(std::string_view prefix, const std::string& cwd, bool may_create) {
  const auto checked = may_create ? check_run_directory(cwd) : os::check_working_directory(cwd);
  if (checked.ok()) return {std::string(prefix) + "_cwd_valid", CheckLevel::info, "Working directory is valid: " + cwd};
  return {std::string(prefix) + "_cwd_invalid", CheckLevel::error, checked.error().message};
}

Check check_command(std::string_view prefix, const std::string& command, const std::string& cwd,
                    std::string_view path) {
  const auto found = os::resolve_command(command, cwd, path);
  if (found.ok())
    return {std::string(prefix) + "_command_resolvable", CheckLevel::info, "Command can be run: " + command};
  return {std::string(prefix) + "_command_unresolvable", CheckLevel::error, found.error().message};
}

std::vector<Check> check_cli_place(std::string_view prefix, const SelfTest& test, const std::string& command,
                                   const std::string& cwd, std::string_view path) {
  std::vector<Check> checks;
  if (test.place.is_remote()) {
    checks.push_back(
        {std::string(prefix) + "_environment_target", CheckLevel::info, "Tested in " + test.place.label});
    return checks;
  }
  checks.push_back(check_cwd(prefix, cwd, true));
  checks.push_back(check_command(prefix, command, cwd, path));
  return checks;
}

Check judge_hello(const HelloProbe& probe, const AdapterResult& result) {
  const std::string code = std::string(probe.prefix) + "_hello_probe_";
  if (result.timed_out)
    return {code + "timed_out",
            CheckLevel::warn,
            "The test prompt got no answer in time",
            {},
            "Run the command by hand in this directory to see what it waits for."};
  const Omit<std::string> detail(check_detail(result.error_message.empty() ? result.summary : result.error_message));
  if (!result.error_code.empty() && result.error_code == probe.auth_code)
    return {code + "auth_required", CheckLevel::warn, "The tool runs, but is not logged in", detail,
            Omit<std::string>(std::string(probe.login_hint))};
  if (!result.error_message.empty()) return {code + "failed", CheckLevel::error, "The test prompt failed", detail};
  if (line_matches(replace_all(result.summary, "\n", " "), "#hello#"))
    return {code + "passed", CheckLevel::info, "The test prompt was answered", detail};
  return {code + "unexpected_output", CheckLevel::warn, "The tool answered the test prompt with something else", detail};
}

Check hello_not_run(const HelloProbe& probe, const Error& error) {
  return {std::string(probe.prefix) + "_hello_probe_failed", CheckLevel::error, "The test prompt could not be run",
          Omit<std::string>(check_detail(error.message))};
}

Check hello_skipped(const HelloProbe& probe, std::string_view tool) {
  return {std::string(probe.prefix) + "_hello_probe_skipped_custom_command", CheckLevel::info,
          "The test prompt is only tried with the " + std::string(tool) + " command itself"};
}

std::string check_detail(std::string_view text) {
  std::string out;
  for (char c : trim(text)) {
    const bool space = c == ' ' || (c >= '\t' && c <= '\r');
    if (!space)
      out += c;
    else if (!out.ends_with(' '))
      out += ' ';
  }
  return std::string(utf16_prefix(out, 240));
}

}  // namespace paperclip::adapters
