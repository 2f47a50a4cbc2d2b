#include "api/all_routes.h"
#include "api/services.h"
#include "base/crypto.h"
#include "domain/activity/activity.h"
#include "domain/secrets/secrets.h"
#include "store/database.h"

namespace paperclip::api {

namespace {

enum class SecretProvider { local_encrypted, aws_secrets_manager, gcp_secret_manager, vault };
BOOST_DESCRIBE_ENUM(SecretProvider, local_encrypted, aws_secrets_manager, gcp_secret_manager, vault)

struct CreateSecretBody {
  Text<1> name;
  Default<SecretProvider> provider{SecretProvider::local_encrypted};
  Text<1> value;
  std::optional<std::string> description;
  std::optional<std::string> external_ref;
};
BOOST_DESCRIBE_STRUCT(CreateSecretBody, (), (name, provider, value, description, external_ref))

struct RotateSecretBody {
  Text<1> value;
  std::optional<std::string> external_ref;
};
BOOST_DESCRIBE_STRUCT(RotateSecretBody, (), (value, external_ref))

struct UpdateSecretBody {
  Omit<Text<1>> name;
  Patch<std::string> description;
  Patch<std::string> external_ref;
};
BOOST_DESCRIBE_STRUCT(UpdateSecretBody, (), (name, description, external_ref))

Result<std::optional<Located>> locate_secret(store::Reader& reader, const Call&, std::string_view reference) {
  const auto id = SecretId::parse(reference);
  if (!id) return std::optional<Located>();
  const auto company = reader.value<CompanyId>("select company_id from company_secrets where id = :1", *id);
  if (!company) return std::optional<Located>();
  return std::optional<Located>({*company, id->str()});
}
constexpr EntityKind secret_kind{"Secret not found", locate_secret};

Result<Answer> list_providers(Call&) {
  return ok_json(
      R"json([{"id":"local_encrypted","label":"Local encrypted (default)","requiresExternalRef":false},)json"
      R"json({"id":"aws_secrets_manager","label":"AWS Secrets Manager","requiresExternalRef":true},)json"
      R"json({"id":"gcp_secret_manager","label":"GCP Secret Manager","requiresExternalRef":true},)json"
      R"json({"id":"vault","label":"HashiCorp Vault","requiresExternalRef":true}])json");
}

Result<Answer> list_secrets(Call& call) {
  auto ids = call.services.database.read([&](store::Reader& reader) {
    std::vector<RawJson> rows;
    for (const auto& id : reader.column<SecretId>("select id from company_secrets where company_id = :1 order by created_at desc, id desc", call.company_id()))
      rows.push_back(*domain::secret_json(reader, call.scope(), id));
    return rows;
  });
  return ok(ids);
}

Result<Answer> answer_with_secret(Call& call, SecretId id, int status) {
  auto row = call.services.database.read([&](store::Reader& reader) { return domain::secret_json(reader, call.scope(), id); });
  if (!row) return std::move(row).error();
  return answer(status, *row);
}

Result<Answer> create_secret(Call& call, const CreateSecretBody& body) {
  if (*body.provider != SecretProvider::local_encrypted)
    return unprocessable(std::string(to_text(*body.provider)) + " provider is not configured in this deployment");
  const Secret<std::string> value{std::string(body.value)};
  const domain::NewSecret secret{body.name, body.description, call.services.secrets.seal(value), sha256_hex(value.expose())};
  const auto id = TRY(call.services.database.write([&](store::Transaction& tx) { return domain::create_secret(tx, call.scope(), secret); }));
  return answer_with_secret(call, id, 201);
}

Result<Answer> rotate_secret(Call& call, const RotateSecretBody& body) {
  const Secret<std::string> value{std::string(body.value)};
  const RawJson material = call.services.secrets.seal(value);
  const std::string digest = sha256_hex(value.expose());
  TRY(call.services.database.write(
      [&](store::Transaction& tx) { return domain::rotate_secret(tx, call.scope(), call.entity<SecretId>(), material, digest); }));
  return answer_with_secret(call, call.entity<SecretId>(), 200);
}

Result<Answer> update_secret(Call& call, const UpdateSecretBody& body) {
  const auto id = call.entity<SecretId>();
  TRY(call.services.database.write([&](store::Transaction& tx) -> Result<> {
    if (body.name) {
      if (tx.exists("select 1 from company_secrets where company_id = :1 and name = :2 and id <> :3", call.company_id(), *body.name, id))
        return conflict("Secret already exists: " + *body.name);
      tx.execute("update company_secrets set name = :1 where id = :2", *body.name, id);
    }
    if (body.description) tx.execute("update company_secrets set description = :1 where id = :2", body.description.optional(), id);
    if (body.external_ref) tx.execute("update company_secrets set external_ref = :1 where id = :2", body.external_ref.optional(), id);
    tx.execute("update company_secrets set updated_at = :1 where id = :2", tx.now(), id);
    const auto name = tx.value<std::string>("select name from company_secrets where id = :1", id);
    domain::log_activity(tx, call.company_id(), call.scope().author(), {"secret.updated", "secret", id.str(), json::value{{"name", name.value_or("")}}});
    return {};
  }));
  return answer_with_secret(call, id, 200);
}

Result<Answer> delete_secret(Call& call) {
  const auto id = call.entity<SecretId>();
  TRY(call.services.database.write([&](store::Transaction& tx) -> Result<> {
    const auto name = tx.value<std::string>("select name from company_secrets where id = :1", id);
    if (tx.execute("delete from company_secrets where id = :1 and company_id = :2", id, call.company_id()) == 0) return not_found("Secret not found");
    domain::log_activity(tx, call.company_id(), call.scope().author(), {"secret.deleted", "secret", id.str(), json::value{{"name", name.value_or("")}}});
    return {};
  }));
  return ok_true();
}

}  // namespace

void add_secret_routes(Routes& routes) {
  routes.get("/api/companies/{companyId}/secret-providers", list_providers).company().callers(board);
  routes.get("/api/companies/{companyId}/secrets", list_secrets).company().callers(board);
  routes.post("/api/companies/{companyId}/secrets", create_secret).company().callers(board);
  routes.post("/api/secrets/{id}/rotate", rotate_secret).entity(secret_kind).callers(board);
  routes.patch("/api/secrets/{id}", update_secret).entity(secret_kind).callers(board);
  routes.remove("/api/secrets/{id}", delete_secret).entity(secret_kind).callers(board);
}

}  // namespace paperclip::api
