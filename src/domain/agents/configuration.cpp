#include "domain/agents/configuration.h"

#include <algorithm>

#include "base/id.h"
#include "domain/environments/selection.h"

namespace paperclip::domain {

namespace {

// The paths of forbidden keys below `prefix`.
void collect(const json::object& config, const std::string& prefix, std::vector<std::string>& instructions, std::vector<std::string>& commands) {
  for (auto key : instruction_keys())
    if (config.contains(key)) instructions.push_back(prefix + "." + std::string(key));
  if (const auto* strategy = config.if_contains("workspaceStrategy"); strategy != nullptr && strategy->is_object())
    for (const char* key : {"provisionCommand", "teardownCommand"})
      if (strategy->get_object().contains(key)) commands.push_back(prefix + ".workspaceStrategy." + key);
}

std::string joined(const std::vector<std::string>& items) {
  std::string out;
  for (const auto& item : items) (out += out.empty() ? "" : ", ") += item;
  return out;
}

}  // namespace

const std::vector<std::string_view>& instruction_keys() {
  static const std::vector<std::string_view> keys = {"instructionsBundleMode", "instructionsRootPath", "instructionsEntryFile",
                                                     "instructionsFilePath", "agentsMdPath"};
  return keys;
}

bool has_valid_env_shape(const json::object& adapter_config) {
  const auto* env = adapter_config.if_contains("env");
  if (env == nullptr) return true;
  if (!env->is_object()) return false;
  return std::all_of(env->get_object().begin(), env->get_object().end(), [](const auto& item) {
    const json::value& binding = item.value();
    if (binding.is_string()) return true;
    const auto type = string_at(binding, "type");
    if (type == "plain") return string_at(binding, "value").has_value();
    return type == "secret_ref" && is_uuid(string_at(binding, "secretId").value_or(""));
  });
}

Result<> refuse_agent_only_keys(const Actor& actor, const json::object* adapter_config, const json::object* runtime_config) {
  if (!actor.is_agent()) return {};
  std::vector<std::string> instructions, commands;
  if (adapter_config != nullptr) collect(*adapter_config, "adapterConfig", instructions, commands);
  if (runtime_config != nullptr)
    if (const auto* profiles = runtime_config->if_contains("modelProfiles"); profiles != nullptr && profiles->is_object())
      for (const auto& profile : profiles->get_object())
        if (const auto* config = member(profile.value(), "adapterConfig"); config != nullptr && config->is_object())
          collect(config->get_object(), "runtimeConfig.modelProfiles." + std::string(profile.key()) + ".adapterConfig", instructions, commands);
  if (!instructions.empty())
    return forbidden("Agent-authenticated callers cannot modify instructions path or bundle configuration (" + joined(instructions) + ")");
  if (!commands.empty()) return forbidden("Agent keys cannot modify host-executed workspace commands (" + joined(commands) + ").");
  return {};
}

Result<> check_default_environment(store::Reader& reader, const CompanyScope& scope, const AdapterRules& adapters,
                                   std::string_view adapter_type, const std::optional<EnvironmentId>& environment, bool creating) {
  if (!environment) return {};
  const bool remote = adapters.runs_remotely(adapter_type);
  return creating ? check_environment_choice(reader, scope.company_id(), *environment, remote)
                  : check_agent_environment(reader, scope.company_id(), *environment, remote);
}

void fill_heartbeat_defaults(json::object& runtime_config) {
  json::value& slot = runtime_config["heartbeat"];
  json::object heartbeat = slot.is_object() ? slot.get_object() : json::object();
  if (!heartbeat.contains("enabled")) heartbeat["enabled"] = false;
  const auto* limit = heartbeat.if_contains("maxConcurrentRuns");
  if (limit == nullptr || !limit->is_number()) heartbeat["maxConcurrentRuns"] = 20;
  slot = std::move(heartbeat);
}

}  // namespace paperclip::domain
