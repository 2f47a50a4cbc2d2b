#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/result.h"
#include "adapters/run.h"
#include "base/fields.h"
#include "base/result.h"

/// "Test environment" of the agent form (spec/adapters.md 15): a list of findings about a configuration.
namespace paperclip::adapters {

enum class CheckLevel { info, warn, error };
BOOST_DESCRIBE_ENUM(CheckLevel, info, warn, error)

struct Check {
  std::string code;
  CheckLevel level = CheckLevel::info;
  std::string message;
  Omit<std::string> detail;
  Omit<std::string> hint;
};
BOOST_DESCRIBE_STRUCT(Check, (), (code, level, message, detail, hint))

/// A short command tried out on the spot.
struct ProbeCommand {
  std::vector<std::string> argv;
  std::string cwd;
  os::Environment environment;
  std::string stdin_text;
  std::chrono::milliseconds timeout{45000};
  std::chrono::milliseconds grace{5000};
};

struct ProbeOutcome {
  Exit exit;
  std::string out;
  std::string err;
};

/// What a test may use. Whoever calls provides the ways to reach out; without `run` or `head` those checks are left
/// out.
struct SelfTest {
  json::object config;
  HostEnvironment host;
  std::filesystem::path server_cwd;
  ExecutionPlace place;
  std::function<Result<ProbeOutcome>(const ProbeCommand&)> run;
  /// The status of a HEAD request within 3 s.
  std::function<Result<int>(const std::string& url)> head;
};

/// `fail` with any error, else `warn` with any warning, else `pass`.
std::string_view test_status(const std::vector<Check>& checks);

/// `<prefix>_cwd_valid` or `_cwd_invalid`. A missing directory is fine where it would be made for the run.
Check check_cwd(std::string_view prefix, const std::string& cwd, bool may_create);
/// `<prefix>_command_resolvable` or `_command_unresolvable`.
Check check_command(std::string_view prefix, const std::string& command, const std::string& cwd, std::string_view path);
/// Where a command line agent is tested: `<prefix>_environment_target` in a remote place, else directory and command.
std::vector<Check> check_cli_place(std::string_view prefix, const SelfTest& test, const std::string& command,
                                   const std::string& cwd, std::string_view path);
/// The prompt whose answer shows that a tool works.
inline constexpr std::string_view hello_prompt = "Respond with hello.";
/// The words for one tool's test prompt.
struct HelloProbe {
  std::string_view prefix;      // of the findings' codes
  std::string_view auth_code;   // the error code of a run that is not logged in
  std::string_view login_hint;  // what to do then
};
/// `<prefix>_hello_probe_passed`, `_unexpected_output`, `_timed_out`, `_auth_required` or `_failed`.
Check judge_hello(const HelloProbe& probe, const AdapterResult& result);
/// The test prompt could not even be run.
Check hello_not_run(const HelloProbe& probe, const Error& error);
/// Another program is configured, which would take it for a task.
Check hello_skipped(const HelloProbe& probe, std::string_view tool);
/// At most 240 characters on one line, for a check's detail.
std::string check_detail(std::string_view text);

}  // namespace paperclip::adapters
