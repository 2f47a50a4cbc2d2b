#include "environments/configs.h"

#include "base/crypto.h"
#include "domain/environments/environment_config.h"
#include "domain/environments/leases.h"
#include "store/database.h"

namespace paperclip::environments {

using domain::EnvironmentDriver;

namespace {

constexpr std::chrono::seconds validation_limit{30};

json::array texts(const std::vector<std::string>& list) {
  json::array out;
  for (const auto& text : list) out.emplace_back(text);
  return out;
}

Result<json::object> by_provider(plugins::SandboxProvider& provider, const json::object& config, const std::string& rejected) {
  auto check = TRY(provider.validate_config(config, Deadline::in(validation_limit)));
  if (!check.ok)
    return unprocessable(check.errors.empty() ? rejected : check.errors.front(),
                         json::object{{"errors", texts(check.errors)}, {"warnings", texts(check.warnings)}});
  return check.normalised ? *std::move(check.normalised) : config;
}

}  // namespace

// What the driver says, then what the plugin behind it says.
Result<json::object> Configs::checked(EnvironmentDriver driver, const json::object& submitted) {
  json::object config = TRY(domain::parse_config(driver, submitted, domain::ConfigUse::submitted));
  if (driver == EnvironmentDriver::sandbox) {
    const std::string key = domain::provider_of(config);
    if (key == domain::fake_provider) return config;
    if (providers_ == nullptr) return unprocessable("Sandbox provider config validation requires a running plugin worker manager.");
    const auto provider = providers_->find(key);
    if (!provider) return unprocessable("Sandbox provider \"" + key + "\" is not installed or its plugin worker is not running.");
    config.erase("provider");
    json::object accepted = TRY(by_provider(*provider, config, "Sandbox provider \"" + key + "\" rejected its config."));
    json::object out{{"provider", key}};
    for (auto& item : accepted)
      if (item.key() != "provider") out[item.key()] = std::move(item.value());
    return out;
  }
  if (driver == EnvironmentDriver::plugin) {
    if (providers_ == nullptr) return unprocessable("Plugin environment config validation requires a running plugin worker manager.");
    const std::string plugin(config["pluginKey"].get_string()), key(config["driverKey"].get_string());
    const auto found = TRY(providers_->find_driver(plugin, key));
    config["driverConfig"] = TRY(by_provider(*found, config["driverConfig"].get_object(), "Plugin environment driver \"" + plugin + ":" + key + "\" rejected its config."));
  }
  return config;
}

Result<domain::PreparedConfig> Configs::prepare(EnvironmentDriver driver, const json::object& config, std::string_view environment_name) {
  domain::PreparedConfig prepared;
  prepared.config = TRY(checked(driver, config));
  if (driver == EnvironmentDriver::sandbox && domain::provider_of(prepared.config) == domain::fake_provider)
    return unprocessable("Built-in fake sandbox environments are reserved for internal probes and cannot be saved.");
  const auto fields = secret_fields(driver, domain::provider_of(prepared.config));
  for (auto& pasted : domain::take_pasted_secrets(prepared.config, fields)) {
    domain::NewSecret secret;
    secret.name = domain::environment_secret_name(to_text(driver), environment_name, pasted.field.name, random_);
    secret.description = "Secret for " + std::string(environment_name) + " " + pasted.field.name + ".";
    secret.material = vault_.seal(pasted.value);
    secret.value_sha256 = sha256_hex(pasted.value.expose());
    prepared.secrets.push_back({std::move(pasted.field), std::move(secret)});
  }
  return prepared;
}

Result<json::object> Configs::prepare_draft(CompanyId company, EnvironmentDriver driver, const json::object& config) {
  json::object draft = TRY(checked(driver, config));
  const auto fields = secret_fields(driver, domain::provider_of(draft));
  return opened(company, std::move(draft), fields);
}

Result<json::object> Configs::resolve(const domain::Environment& environment) {
  json::object config = TRY(domain::parse_config(environment.driver, domain::config_of(environment), domain::ConfigUse::stored));
  const auto fields = secret_fields(environment.driver, domain::provider_of(config));
  return opened(environment.company_id, std::move(config), fields);
}

Result<json::object> Configs::resolve_lease(const domain::EnvironmentLease& lease, const domain::Environment& environment) {
  const EnvironmentDriver driver = domain::driver_of(lease, environment.driver);
  if (driver == EnvironmentDriver::plugin) {
    // Only while the environment still points at the same driver.
    if (environment.driver != EnvironmentDriver::plugin) return json::object();
    json::object config = domain::config_of(environment);
    const json::object metadata = domain::metadata_of(lease);
    if (string_at(json::value(config), "pluginKey") != string_at(json::value(metadata), "pluginKey") ||
        string_at(json::value(config), "driverKey") != string_at(json::value(metadata), "driverKey"))
      return json::object();
    const auto* own = config.if_contains("driverConfig");
    return own != nullptr && own->is_object() ? own->get_object() : json::object();
  }
  if (driver != EnvironmentDriver::sandbox) return resolve(environment);
  return opened(lease.company_id, domain::acquired_config(lease, &environment), secret_fields(driver, lease.provider.value_or("")));
}

Result<json::object> Configs::opened(CompanyId company, json::object config, const std::vector<domain::SecretField>& fields) {
  auto sealed = TRY(database_.read([&](store::Reader& reader) { return domain::read_config_secrets(reader, company, std::move(config), fields); }));
  return domain::open_config_secrets(vault_, std::move(sealed), fields);
}

std::vector<domain::SecretField> Configs::secret_fields(EnvironmentDriver driver, std::string_view provider) {
  if (driver == EnvironmentDriver::ssh) return domain::secret_fields(domain::ssh_config_schema());
  if (driver != EnvironmentDriver::sandbox || provider == domain::fake_provider || providers_ == nullptr) return {};
  const auto found = providers_->find(provider);
  return found ? domain::secret_fields(found->config_schema()) : std::vector<domain::SecretField>();
}

}  // namespace paperclip::environments
