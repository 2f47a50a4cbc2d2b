#include "environments/probes.h"

#include <unistd.h>

#include <array>
#include <filesystem>

#include "domain/environments/environment_config.h"

namespace paperclip::environments {

namespace {

PlaceProbe probe_this_machine() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) name[0] = 0;
  std::error_code failure;
  const auto cwd = std::filesystem::current_path(failure);
  if (failure) return {false, "Local environment is not available: the server's working directory is gone.", {{"hostname", name.data()}, {"error", failure.message()}}};
  return {true, "Local environment is available on this Paperclip host.", {{"hostname", name.data()}, {"cwd", cwd.string()}}};
}

PlaceProbe probe_fake(const json::object& config) {
  const std::string image = string_at(json::value(config), "image").value_or("");
  const auto* reuse = config.if_contains("reuseLease");
  return {true, "Fake sandbox provider is ready for image " + image + ".",
          {{"provider", domain::fake_provider}, {"image", image}, {"reuseLease", reuse != nullptr && *reuse == json::value(true)}}};
}

PlaceProbe answered(plugins::ProbeResult result, const std::string& name, json::object details) {
  details["diagnostics"] = std::move(result.diagnostics);
  details["metadata"] = std::move(result.metadata);
  return {result.ok, result.summary.value_or(name + " probe " + (result.ok ? "passed." : "failed.")), std::move(details)};
}

}  // namespace

Result<PlaceProbe> probe_environment(const domain::Environment& environment, const json::object& config, plugins::ProviderRegistry* providers,
                                     const FindDriver& driver, std::string_view environment_id, Deadline deadline) {
  switch (environment.driver) {
    case domain::EnvironmentDriver::local: return probe_this_machine();
    case domain::EnvironmentDriver::ssh: {
      Driver* ssh = driver ? driver(environment.driver) : nullptr;
      if (ssh == nullptr) return Error(ErrorKind::unavailable, "This server cannot reach SSH hosts: it has no SSH driver");
      PlaceRequest request;
      request.environment = environment;
      request.config = config;
      return ssh->probe(request, deadline);
    }
    case domain::EnvironmentDriver::sandbox: {
      const std::string key = domain::provider_of(config);
      if (key == domain::fake_provider) return probe_fake(config);
      const std::string name = "Sandbox provider \"" + key + "\"";
      if (providers == nullptr) return PlaceProbe{false, name + " requires a running provider plugin.", {{"provider", key}}};
      const auto provider = providers->find(key);
      if (!provider) return PlaceProbe{false, name + " is not installed or its plugin worker is not running.", {{"provider", key}}};
      plugins::ProviderContext context{environment.company_id, std::string(environment_id), config};
      context.config.erase("provider");
      return answered(TRY(provider->probe(context, deadline)), name, {{"provider", key}, {"pluginKey", provider->plugin_key()}});
    }
    case domain::EnvironmentDriver::plugin: {
      const std::string plugin = string_at(json::value(config), "pluginKey").value_or(""), key = string_at(json::value(config), "driverKey").value_or("");
      const std::string name = "Plugin environment driver \"" + plugin + ":" + key + "\"";
      json::object details{{"pluginKey", plugin}, {"driverKey", key}};
      if (providers == nullptr) return PlaceProbe{false, name + " requires a running plugin.", std::move(details)};
      const auto found = TRY(providers->find_driver(plugin, key));
      const auto* own = config.if_contains("driverConfig");
      const plugins::ProviderContext context{environment.company_id, std::string(environment_id), own != nullptr && own->is_object() ? own->get_object() : json::object()};
      return answered(TRY(found->probe(context, deadline)), name, std::move(details));
    }
  }
  return internal_error("unknown environment driver");
}

}  // namespace paperclip::environments
