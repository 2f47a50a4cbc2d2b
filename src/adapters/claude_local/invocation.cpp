#include "adapters/claude_local/invocation.h"

#include <cctype>

#include "adapters/config.h"
#include "base/text.h"
#include "base/write_json.h"

namespace paperclip::adapters {

namespace {

bool switched_on(std::string_view value) { return value == "1" || equals_ignoring_case(value, "true"); }

// `us.anthropic.claude-…` or an ARN: an id that Bedrock would take.
bool is_bedrock_model(std::string_view model) {
  if (model.starts_with("arn:aws:bedrock:")) return true;
  const auto dot = model.find('.');
  if (dot == std::string_view::npos || dot == 0) return false;
  for (char c : model.substr(0, dot))
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '_') return false;
  return model.substr(dot).starts_with(".anthropic.");
}

}  // namespace

bool uses_bedrock(const os::Environment& environment) {
  return switched_on(os::value_in(environment, "CLAUDE_CODE_USE_BEDROCK")) ||
         !os::value_in(environment, "ANTHROPIC_BEDROCK_BASE_URL").empty();
}

ChildEnvironment claude_base_environment(const RunContext& run) {
  // In a remote place the server's environment means nothing.
  if (run.place.is_remote()) return {};
  std::vector<std::string_view> patterns = {
      "ANTHROPIC_*",           "CLAUDE_*",  "BASH_*", "MCP_*", "MAX_THINKING_TOKENS",
      "MAX_MCP_OUTPUT_TOKENS", "DISABLE_*", "OTEL_*"};
  ChildEnvironment asked = base_environment(run.host, patterns);
  lay_over(asked, configured_environment(run.config));
  if (uses_bedrock(asked.variables())) patterns.push_back("AWS_*");
  if (switched_on(asked.value("CLAUDE_CODE_USE_VERTEX")))
    for (auto pattern : {"GOOGLE_*", "CLOUD_ML_REGION", "VERTEX_*", "GCLOUD_PROJECT"}) patterns.push_back(pattern);
  return base_environment(run.host, patterns);
}

std::vector<std::string> claude_arguments(const json::object& config, bool bedrock, const ClaudeArguments& given) {
  std::vector<std::string> out = {"--print", "-", "--output-format", "stream-json", "--verbose"};
  const auto option = [&](std::string_view name, std::string value) {
    out.emplace_back(name);
    out.push_back(std::move(value));
  };
  if (!given.resume.empty()) option("--resume", given.resume);
  if (config_flag(config, "dangerouslySkipPermissions", true)) out.emplace_back("--dangerously-skip-permissions");
  if (config_flag(config, "chrome", false)) out.emplace_back("--chrome");
  if (const auto model = config_text(config, "model"); !model.empty() && (!bedrock || is_bedrock_model(model)))
    option("--model", model);
  if (const auto effort = config_text(config, "effort"); !effort.empty()) option("--effort", effort);
  if (const double turns = config_number(config, "maxTurnsPerRun"); turns > 0) {
    std::string number;
    append_json(number, turns);
    option("--max-turns", number);
  }
  if (!given.instructions_file.empty() && given.resume.empty())
    option("--append-system-prompt-file", given.instructions_file);
  if (!given.bundle_directory.empty()) option("--add-dir", given.bundle_directory);
  for (auto& argument : extra_arguments(config)) out.push_back(std::move(argument));
  return out;
}

Billing claude_billing(const os::Environment& environment) {
  Billing billing;
  billing.provider = "anthropic";
  const bool bedrock = uses_bedrock(environment);
  billing.biller = bedrock ? "aws_bedrock" : "anthropic";
  billing.type = bedrock                                                        ? "metered_api"
                 : trim(os::value_in(environment, "ANTHROPIC_API_KEY")).empty() ? "subscription"
                                                                                : "api";
  return billing;
}

}  // namespace paperclip::adapters
