#include "domain/secrets/secrets.h"

#include <boost/describe/class.hpp>

#include "base/crypto.h"
#include "base/write_json.h"
#include "domain/activity/activity.h"
#include "domain/redaction/redaction.h"
#include "domain/secrets/secret.h"

namespace paperclip::domain {

namespace {

struct SecretHome {
  CompanyId company_id;
  int latest_version = 1;
};
BOOST_DESCRIBE_STRUCT(SecretHome, (), (company_id, latest_version))

bool is_env_name(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  for (char c : name)
    if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_')) return false;
  return true;
}

struct Reference {
  SecretId id;
  std::optional<int> version;  // empty: the latest
};

std::optional<Reference> as_reference(const json::value& binding) {
  if (string_at(binding, "type") != "secret_ref") return std::nullopt;
  const auto id = SecretId::parse(string_at(binding, "secretId").value_or(""));
  if (!id) return std::nullopt;
  Reference reference{*id, std::nullopt};
  if (const auto* version = member(binding, "version")) {
    if (version->is_int64() && version->get_int64() > 0) reference.version = static_cast<int>(version->get_int64());
    else if (!version->is_string() || std::string_view(version->get_string()) != "latest") return std::nullopt;
  }
  return reference;
}

void insert_version(store::Transaction& tx, const CompanyScope& scope, SecretId secret, int version, const RawJson& material,
                    const std::string& value_sha256) {
  const Author author = scope.author();
  tx.execute("insert into company_secret_versions (id, secret_id, version, material, value_sha256, created_by_agent_id, created_by_user_id, created_at) "
             "values (:1, :2, :3, :4, :5, :6, :7, :8)",
             tx.new_id<AnyId>(), secret, version, material, value_sha256, author.agent_id, author.user_id(), tx.now());
}

}  // namespace

Result<SecretId> create_secret(store::Transaction& tx, const CompanyScope& scope, const NewSecret& secret) {
  if (tx.exists("select 1 from company_secrets where company_id = :1 and name = :2", scope.company_id(), secret.name))
    return conflict("Secret already exists: " + secret.name);
  const Author author = scope.author();
  const auto id = tx.new_id<SecretId>();
  tx.insert("company_secrets", CompanySecret{id, scope.company_id(), secret.name, "local_encrypted", std::nullopt, 1, secret.description,
                                         author.agent_id, author.user_id(), tx.now(), tx.now()});
  insert_version(tx, scope, id, 1, secret.material, secret.value_sha256);
  log_activity(tx, scope.company_id(), author,
               {"secret.created", "secret", id.str(), json::value{{"name", secret.name}, {"provider", "local_encrypted"}}});
  return id;
}

Result<> rotate_secret(store::Transaction& tx, const CompanyScope& scope, SecretId id, const RawJson& material, const std::string& value_sha256) {
  const auto latest = tx.value<int>("select latest_version from company_secrets where id = :1 and company_id = :2", id, scope.company_id());
  if (!latest) return not_found("Secret not found");
  insert_version(tx, scope, id, *latest + 1, material, value_sha256);
  tx.execute("update company_secrets set latest_version = :1, updated_at = :2 where id = :3", *latest + 1, tx.now(), id);
  log_activity(tx, scope.company_id(), scope.author(), {"secret.rotated", "secret", id.str(), json::value{{"version", *latest + 1}}});
  return {};
}

Result<RawJson> secret_json(store::Reader& reader, const CompanyScope& scope, SecretId id) {
  const auto row = reader.one<CompanySecret>("select {} from company_secrets where id = :1 and company_id = :2", id, scope.company_id());
  if (!row) return not_found("Secret not found");
  return RawJson(write_json(*row));
}

Result<json::object> normalise_env(store::Reader& reader, const CompanyScope& scope, const json::value& env, bool strict, std::string_view field) {
  if (!env.is_object()) return unprocessable(std::string(field) + " must be an object");
  json::object out;
  for (const auto& item : env.get_object()) {
    const std::string key(item.key());
    const json::value& binding = item.value();
    if (!is_env_name(key)) return unprocessable("Invalid environment variable name: " + key);
    std::optional<std::string> plain;
    if (binding.is_string()) plain = std::string(binding.get_string());
    else if (string_at(binding, "type") == "plain") plain = string_at(binding, "value");
    if (plain) {
      if (*plain == redacted_marker) return unprocessable("Refusing to persist redacted placeholder for key: " + key);
      if (strict && is_sensitive_key(key) && !trim(*plain).empty())
        return unprocessable("Strict secret mode requires secret references for sensitive key: " + key);
      out[key] = {{"type", "plain"}, {"value", *plain}};
      continue;
    }
    const auto reference = as_reference(binding);
    if (!reference) return unprocessable("Invalid environment binding for key: " + key);
    const auto company = reader.value<CompanyId>("select company_id from company_secrets where id = :1", reference->id);
    if (!company) return not_found("Secret not found");
    if (*company != scope.company_id()) return unprocessable("Secret must belong to same company");
    json::object stored{{"type", "secret_ref"}, {"secretId", reference->id.view()}};
    if (reference->version) stored["version"] = *reference->version;
    else stored["version"] = "latest";
    out[key] = std::move(stored);
  }
  return out;
}

Result<SealedEnv> read_env(store::Reader& reader, CompanyId company, const json::value& env) {
  SealedEnv out;
  if (!env.is_object()) return out;
  for (const auto& item : env.get_object()) {
    const std::string key(item.key());
    const json::value& binding = item.value();
    if (binding.is_string()) {
      out.plain[key] = std::string(binding.get_string());
    } else if (string_at(binding, "type") == "plain") {
      out.plain[key] = string_at(binding, "value").value_or("");
    } else if (const auto reference = as_reference(binding)) {
      const auto home = reader.one<SecretHome>("select company_id, latest_version from company_secrets where id = :1", reference->id);
      if (!home) return not_found("Secret not found");
      if (home->company_id != company) return unprocessable("Secret must belong to same company");
      auto material = reader.value<RawJson>("select material from company_secret_versions where secret_id = :1 and version = :2",
                                            reference->id, reference->version.value_or(home->latest_version));
      if (!material) return not_found("Secret version not found");
      out.sealed[key] = *std::move(material);
    }
  }
  return out;
}

Result<ResolvedEnv> resolve_env(const SecretVault& vault, const SealedEnv& env) {
  ResolvedEnv out;
  out.values = env.plain;
  for (const auto& [key, material] : env.sealed) {
    auto plain = TRY(vault.unseal(material));
    out.values[key] = plain.expose();
    out.secret_keys.insert(key);
  }
  return out;
}

}  // namespace paperclip::domain
