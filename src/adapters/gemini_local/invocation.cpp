#include "adapters/gemini_local/invocation.h"

#include "adapters/config.h"
#include "base/text.h"

namespace paperclip::adapters {

namespace {

bool switched_on(std::string_view value) { return value == "1" || equals_ignoring_case(value, "true"); }

}  // namespace

ChildEnvironment gemini_base_environment(const RunContext& run) {
  ChildEnvironment out;
  // In a remote place the server's environment means nothing.
  if (!run.place.is_remote()) {
    std::vector<std::string_view> patterns = {"GEMINI_*",
                                              "GOOGLE_API_KEY",
                                              "GOOGLE_GENAI_*",
                                              "GOOGLE_GEMINI_*",
                                              "GOOGLE_CLOUD_PROJECT*",
                                              "GOOGLE_CLOUD_LOCATION",
                                              "MCP_*",
                                              "OTEL_*"};
    ChildEnvironment asked = base_environment(run.host, patterns);
    lay_over(asked, configured_environment(run.config));
    if (switched_on(asked.value("GOOGLE_GENAI_USE_VERTEXAI")))
      for (auto pattern : {"GOOGLE_*", "GCLOUD_PROJECT", "CLOUDSDK_*"}) patterns.push_back(pattern);
    out = base_environment(run.host, patterns);
  }
  // Without it a run in a folder it has not seen falls back to asking before each tool, and does nothing (0.61).
  out.set("GEMINI_CLI_TRUST_WORKSPACE", "true");
  return out;
}

std::vector<std::string> gemini_arguments(const json::object& config, const GeminiArguments& given) {
  std::vector<std::string> out = {"--output-format", "stream-json"};
  const auto option = [&](std::string_view name, std::string value) {
    out.emplace_back(name);
    out.push_back(std::move(value));
  };
  if (!given.resume.empty()) option("--resume", given.resume);
  if (const std::string model(trim(config_text(config, "model"))); !model.empty() && model != "auto") option("--model", model);
  if (!given.approval_mode.empty()) option("--approval-mode", given.approval_mode);
  out.emplace_back(config_flag(config, "sandbox", false) ? "--sandbox" : "--sandbox=none");
  for (auto& argument : extra_arguments(config)) out.push_back(std::move(argument));
  // A prompt that begins like an option (instructions with front matter do) would be taken for one.
  option("--prompt", (given.prompt.starts_with('-') ? "\n" : "") + std::string(given.prompt));
  return out;
}

Billing gemini_billing(const os::Environment& environment) {
  const auto is_set = [&](std::string_view name) { return !trim(os::value_in(environment, name)).empty(); };
  Billing billing;
  billing.provider = billing.biller = "google";
  billing.type = is_set("GEMINI_API_KEY") || is_set("GOOGLE_API_KEY") ? "api" : "subscription";
  return billing;
}

}  // namespace paperclip::adapters
