#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "adapters/environment.h"

/// The command line and environment of a Gemini run, shared by runs and by the self test.
namespace paperclip::adapters {

/// What of the server's environment a Gemini run sees: the general list and the tool's own variables, with Google Cloud's
/// credentials only if Vertex is asked for. The workspace is trusted: nobody is there to be asked.
ChildEnvironment gemini_base_environment(const RunContext& run);

struct GeminiArguments {
  std::string resume;  // a session id, or empty
  std::string approval_mode = "yolo";
  std::string_view prompt;
};
/// Everything after the command's name, the prompt last (spec/adapters.md 7, Args).
std::vector<std::string> gemini_arguments(const json::object& config, const GeminiArguments& given);

/// How the run is paid for, but for model and cost.
Billing gemini_billing(const os::Environment& environment);

}  // namespace paperclip::adapters
