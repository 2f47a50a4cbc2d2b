#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/fields.h"
#include "base/secret.h"
#include "domain/access/scope.h"
#include "domain/secrets/vault.h"
#include "store/transaction.h"

/// Company secrets and the environment bindings that refer to them (spec/platform.md 7).
namespace paperclip::domain {

/// What `create_secret` stores; the value is already sealed.
struct NewSecret {
  std::string name;
  std::optional<std::string> description;
  RawJson material;
  std::string value_sha256;
};

/// 409 `Secret already exists: <name>`.
Result<SecretId> create_secret(store::Transaction& tx, const CompanyScope& scope, const NewSecret& secret);
/// A new version; older ones stay readable by number.
Result<> rotate_secret(store::Transaction& tx, const CompanyScope& scope, SecretId id, const RawJson& material, const std::string& value_sha256);

/// The row as clients see it (never the value); 404 `Secret not found`.
Result<RawJson> secret_json(store::Reader& reader, const CompanyScope& scope, SecretId id);

/// `adapterConfig.env` and its like in stored form: plain strings become `{"type":"plain"}`, references get a version.
/// Checks every name, binding and secret (422, 404 `Secret not found`). `strict` demands references for sensitive keys.
Result<json::object> normalise_env(store::Reader& reader, const CompanyScope& scope, const json::value& env, bool strict,
                                   std::string_view field = "env");

/// An environment with its references resolved.
struct ResolvedEnv {
  std::map<std::string, std::string> values;
  std::set<std::string> secret_keys;  // names whose values came from secrets
};

/// The sealed material a stored environment refers to, read in one transaction; decrypted afterwards by `resolve_env`.
struct SealedEnv {
  std::map<std::string, std::string> plain;
  std::map<std::string, RawJson> sealed;
};
/// 404 `Secret not found` / `Secret version not found`, 422 `Secret must belong to same company`.
Result<SealedEnv> read_env(store::Reader& reader, CompanyId company, const json::value& env);
Result<ResolvedEnv> resolve_env(const SecretVault& vault, const SealedEnv& env);

}  // namespace paperclip::domain
