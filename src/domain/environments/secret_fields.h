#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "domain/secrets/secrets.h"
#include "store/transaction.h"

/// Secrets in configs, found by their schema alone (spec/environments.md 3): a field with `format: "secret-ref"`. The
/// core knows no provider's fields.
namespace paperclip::domain {

struct SecretField {
  std::string path;  // dotted
  std::string name;  // its part in the secret's name
  /// Where the reference stands, as `{type, secretId, version}`; nothing: the secret's bare id stands in the field itself.
  std::optional<std::string> reference_path;
};

/// The secret fields of a JSON Schema: `properties`, all the way down, and the branches of allOf, anyOf and oneOf.
/// Arrays and `$ref` are not walked.
std::vector<SecretField> secret_fields(const json::object& schema);

/// A pasted value on its way into the company's secrets.
struct PastedSecret {
  SecretField field;
  SecretText value;
};
/// Takes pasted values out of a config; blank ones vanish, references stay.
std::vector<PastedSecret> take_pasted_secrets(json::object& config, const std::vector<SecretField>& fields);

/// A pasted value that is sealed, named and ready to be stored.
struct SealedSecret {
  SecretField field;
  NewSecret secret;
};
/// `environment-<driver>-<slug of the environment's name>-<field>-<8 hex>`.
std::string environment_secret_name(std::string_view driver, std::string_view environment, std::string_view field, Random& random);
/// Stores them and writes their references into the config.
Result<> store_config_secrets(store::Transaction& tx, const CompanyScope& scope, const std::vector<SealedSecret>& secrets,
                              json::object& config);

/// The sealed values a config refers to, read in one transaction; opened by `open_config_secrets`. Errors as `read_env`.
struct SealedConfig {
  json::object config;
  SealedEnv values;  // by field path
};
Result<SealedConfig> read_config_secrets(store::Reader& reader, CompanyId company, json::object config,
                                         const std::vector<SecretField>& fields);
/// The config with the values in their places. Holds secrets: never stored, never logged.
Result<json::object> open_config_secrets(const SecretVault& vault, SealedConfig sealed, const std::vector<SecretField>& fields);

/// What a provider returned, without what stands at secret paths; parents that empty themselves go, too.
json::object without_secrets(json::object metadata, const std::vector<SecretField>& fields);

/// The ids of secrets a config refers to.
std::set<SecretId> secrets_of(const json::object& config, const std::vector<SecretField>& fields);
/// All strings of secret-id shape anywhere in it, for when no schema is at hand any more.
std::set<SecretId> ids_in(const json::value& value);

/// Removes those of the secrets that were made for environments and that nothing refers to any more: no environment, no
/// lease that may still have to be cleaned up, no agent, no project.
void collect_unused_secrets(store::Transaction& tx, CompanyId company, const std::set<SecretId>& candidates);

}  // namespace paperclip::domain
