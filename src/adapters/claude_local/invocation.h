#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "adapters/environment.h"

/// The command line and environment of a Claude run, shared by runs and by the self test.
namespace paperclip::adapters {

/// Bedrock is asked for in this environment.
bool uses_bedrock(const os::Environment& environment);

/// What of the server's environment a Claude run sees: the general list and the tool's own variables, with the
/// credentials of a cloud only if that cloud is asked for.
ChildEnvironment claude_base_environment(const RunContext& run);

struct ClaudeArguments {
  std::string resume;             // a session id, or empty
  std::string instructions_file;  // empty: none (also when resuming)
  std::string bundle_directory;   // empty: none
};
/// Everything after the command's name (spec/adapters.md 4, Args).
std::vector<std::string> claude_arguments(const json::object& config, bool bedrock, const ClaudeArguments& given);

/// How the run is paid for, but for model and cost.
Billing claude_billing(const os::Environment& environment);

}  // namespace paperclip::adapters
