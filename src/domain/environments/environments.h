#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/fields.h"
#include "domain/access/scope.h"
#include "domain/environments/environment.h"
#include "domain/environments/secret_fields.h"
#include "store/transaction.h"

/// Environments as things people make, change and remove (spec/environments.md 4, 5).
namespace paperclip::domain {

/// Local board, instance admin, or the grant `environments:manage`; an agent also with `canCreateAgents`.
bool can_manage_environments(store::Reader& reader, const CompanyScope& scope);
/// The same as an error: 403 `Missing permission: environments:manage`.
Result<> require_manage_environments(store::Reader& reader, const CompanyScope& scope);

/// The body of a new environment.
struct NewEnvironment {
  static constexpr bool strict = true;
  Text<1> name;
  std::optional<std::string> description;
  EnvironmentDriver driver = EnvironmentDriver::local;
  Default<EnvironmentStatus> status{EnvironmentStatus::active};
  Default<JsonObject> config;
  std::optional<JsonObject> metadata;
};
BOOST_DESCRIBE_STRUCT(NewEnvironment, (), (name, description, driver, status, config, metadata))

/// The body of a change.
struct EnvironmentPatch {
  static constexpr bool strict = true;
  Omit<Text<1>> name;
  Patch<std::string> description;
  Omit<EnvironmentDriver> driver;
  Omit<EnvironmentStatus> status;
  Omit<JsonObject> config;
  Patch<JsonObject> metadata;
};
BOOST_DESCRIBE_STRUCT(EnvironmentPatch, (), (name, description, driver, status, config, metadata))

/// The body of a probe of what is not saved.
struct EnvironmentDraft {
  static constexpr bool strict = true;
  Omit<Text<1>> name;
  std::optional<std::string> description;
  EnvironmentDriver driver = EnvironmentDriver::local;
  Default<JsonObject> config;
  std::optional<JsonObject> metadata;
};
BOOST_DESCRIBE_STRUCT(EnvironmentDraft, (), (name, description, driver, config, metadata))

/// A checked config and the secrets that go with it into the database.
struct PreparedConfig {
  json::object config;
  std::vector<SealedSecret> secrets;
};

std::optional<Environment> find_environment(store::Reader& reader, CompanyId company, EnvironmentId id);
/// The config as an object, whatever the column holds.
json::object config_of(const Environment& environment);

/// Newest change first; `status` and `driver` are compared as text.
std::vector<Environment> environments_of(store::Reader& reader, CompanyId company, const std::optional<std::string>& status,
                                         const std::optional<std::string>& driver);
/// As clients see it; without `whole` its config and metadata are withheld, and it says so.
void append_environment_json(std::string& out, const Environment& environment, bool whole);

/// 404 without the company, 409 for a second local environment.
Result<Environment> create_environment(store::Transaction& tx, const CompanyScope& scope, const NewEnvironment& environment,
                                       const PreparedConfig& config);
/// What a change makes of the config (spec/environments.md 5): nothing when it stays untouched.
std::optional<json::object> changed_config(const Environment& before, const EnvironmentPatch& patch);
/// `config` goes with `changed_config`. 409 when somebody else changed the environment since `before`.
Result<Environment> update_environment(store::Transaction& tx, const CompanyScope& scope, const Environment& before,
                                       const EnvironmentPatch& patch, const std::optional<PreparedConfig>& config);
/// Removes it with its leases, clears it where it is selected, and lets its own secrets go. 409 while a lease is active, and unless
/// `forced` while something at the provider still waits to be cleaned up.
Result<Environment> delete_environment(store::Transaction& tx, const CompanyScope& scope, EnvironmentId id, bool forced);

/// `environment.probed`, or `environment.probed_unsaved` for a draft.
struct ProbeNote {
  EnvironmentDriver driver = EnvironmentDriver::local;
  bool ok = false;
  std::string summary;
};
void note_probe(store::Transaction& tx, const CompanyScope& scope, EnvironmentId id, const ProbeNote& note);
void note_draft_probe(store::Transaction& tx, const CompanyScope& scope, const ProbeNote& note, std::size_t config_keys);

}  // namespace paperclip::domain
