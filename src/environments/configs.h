#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "domain/environments/environments.h"
#include "plugins/provider.h"

namespace paperclip::store {
class Database;
}

namespace paperclip::environments {

/// Configs of environments with the providers' part: their schemas name the secret fields, their workers have a word in
/// what is valid (spec/environments.md 2.3, 2.4, 3). From any thread; calls to workers block.
class Configs {
 public:
  Configs(store::Database& database, const domain::SecretVault& vault, Random& random, plugins::ProviderRegistry* providers)
      : database_(database), vault_(vault), random_(random), providers_(providers) {}

  /// Before the first call: the providers, which are there later than what needs this.
  void use(plugins::ProviderRegistry& providers) { providers_ = &providers; }

  /// For create and update: checked, in normal form, pasted secrets sealed and named after the environment. Errors are 422 with
  /// the spec's texts; nothing was stored.
  Result<domain::PreparedConfig> prepare(domain::EnvironmentDriver driver, const json::object& config, std::string_view environment_name);
  /// For the probe of a draft: checked, with references resolved and pasted values where they are. Holds secrets.
  Result<json::object> prepare_draft(CompanyId company, domain::EnvironmentDriver driver, const json::object& config);

  /// A stored config, checked again and with its references resolved. Holds secrets.
  Result<json::object> resolve(const domain::Environment& environment);
  /// The same for the config a lease was made with, without `provider`.
  Result<json::object> resolve_lease(const domain::EnvironmentLease& lease, const domain::Environment& environment);

  /// Empty when the provider is not there.
  std::vector<domain::SecretField> secret_fields(domain::EnvironmentDriver driver, std::string_view provider);
  plugins::ProviderRegistry* providers() const { return providers_; }

 private:
  Result<json::object> checked(domain::EnvironmentDriver driver, const json::object& config);
  Result<json::object> opened(CompanyId company, json::object config, const std::vector<domain::SecretField>& fields);

  store::Database& database_;
  const domain::SecretVault& vault_;
  Random& random_;
  plugins::ProviderRegistry* providers_;
};

}  // namespace paperclip::environments
