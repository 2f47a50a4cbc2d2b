#include "domain/environments/secret_fields.h"

#include <algorithm>

#include "base/text.h"

namespace paperclip::domain {

namespace {

void walk(const json::value& schema, const std::string& prefix, std::vector<SecretField>& out) {
  if (!schema.is_object()) return;
  if (const auto* properties = member(schema, "properties"); properties != nullptr && properties->is_object())
    for (const auto& item : properties->get_object()) {
      const std::string path = prefix.empty() ? std::string(item.key()) : prefix + "." + std::string(item.key());
      if (string_at(item.value(), "format") == "secret-ref") {
        SecretField field{path, string_at(item.value(), "x-secret-name").value_or(""), string_at(item.value(), "x-secret-reference")};
        if (field.name.empty())
          for (char c : lower(path)) field.name += (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '-';
        const bool known = std::any_of(out.begin(), out.end(), [&](const SecretField& other) { return other.path == path; });
        if (!known) out.push_back(std::move(field));
      }
      walk(item.value(), path, out);
    }
  for (const char* key : {"allOf", "anyOf", "oneOf"})
    if (const auto* branches = member(schema, key); branches != nullptr && branches->is_array())
      for (const auto& branch : branches->get_array()) walk(branch, prefix, out);
}

json::value* find(json::object& object, std::string_view path) {
  const auto dot = path.find('.');
  json::value* found = object.if_contains(path.substr(0, dot));
  if (found == nullptr || dot == std::string_view::npos) return found;
  return found->is_object() ? find(found->get_object(), path.substr(dot + 1)) : nullptr;
}

void put(json::object& object, std::string_view path, json::value value) {
  const auto dot = path.find('.');
  json::value& slot = object[path.substr(0, dot)];
  if (dot == std::string_view::npos) {
    slot = std::move(value);
    return;
  }
  if (!slot.is_object()) slot = json::object();
  put(slot.get_object(), path.substr(dot + 1), std::move(value));
}

void take_away(json::object& object, std::string_view path, bool prune) {
  const auto dot = path.find('.');
  const auto key = path.substr(0, dot);
  if (dot == std::string_view::npos) {
    object.erase(key);
    return;
  }
  auto* inner = object.if_contains(key);
  if (inner == nullptr || !inner->is_object()) return;
  const bool had_any = !inner->get_object().empty();
  take_away(inner->get_object(), path.substr(dot + 1), prune);
  if (prune && had_any && inner->get_object().empty()) object.erase(key);
}

json::object reference_to(SecretId id) {
  return {{"type", "secret_ref"}, {"secretId", id.view()}, {"version", "latest"}};
}

// The binding a field holds, in the form of `read_env`; null when it refers to nothing.
json::value binding_of(json::object& config, const SecretField& field) {
  if (field.reference_path) {
    const auto* reference = find(config, *field.reference_path);
    return reference != nullptr && reference->is_object() ? *reference : json::value(nullptr);
  }
  const auto* value = find(config, field.path);
  if (value == nullptr || !value->is_string()) return nullptr;
  const auto id = SecretId::parse(trim(std::string_view(value->get_string())));
  return id ? json::value(reference_to(*id)) : json::value(nullptr);
}

}  // namespace

std::vector<SecretField> secret_fields(const json::object& schema) {
  std::vector<SecretField> out;
  walk(json::value(schema), "", out);
  return out;
}

std::vector<PastedSecret> take_pasted_secrets(json::object& config, const std::vector<SecretField>& fields) {
  std::vector<PastedSecret> pasted;
  for (const auto& field : fields) {
    json::value* value = find(config, field.path);
    if (value == nullptr || !value->is_string()) continue;
    std::string text(trim(std::string_view(value->get_string())));
    if (!field.reference_path && is_uuid(text)) {
      *value = text;
      continue;
    }
    if (field.reference_path) *value = nullptr;
    else take_away(config, field.path, false);
    if (!text.empty()) pasted.push_back({field, SecretText(std::move(text))});
  }
  return pasted;
}

std::string environment_secret_name(std::string_view driver, std::string_view environment, std::string_view field, Random& random) {
  std::string slug;
  for (char c : lower(environment)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (plain) slug += c;
    else if (!slug.empty() && slug.back() != '-') slug += '-';
  }
  while (slug.ends_with('-')) slug.pop_back();
  slug = slug.substr(0, 48);
  if (slug.empty()) slug = "environment";
  return "environment-" + std::string(driver) + "-" + slug + "-" + std::string(field) + "-" + random.hex(4);
}

Result<> store_config_secrets(store::Transaction& tx, const CompanyScope& scope, const std::vector<SealedSecret>& secrets,
                              json::object& config) {
  for (const auto& sealed : secrets) {
    const SecretId id = TRY(create_secret(tx, scope, sealed.secret));
    if (sealed.field.reference_path) put(config, *sealed.field.reference_path, reference_to(id));
    else put(config, sealed.field.path, json::value(id.view()));
  }
  return {};
}

Result<SealedConfig> read_config_secrets(store::Reader& reader, CompanyId company, json::object config,
                                         const std::vector<SecretField>& fields) {
  json::object bindings;
  for (const auto& field : fields) {
    // A value that was pasted just now goes before a reference.
    if (const auto* own = find(config, field.path); field.reference_path && own != nullptr && own->is_string() && !own->get_string().empty()) continue;
    if (auto binding = binding_of(config, field); !binding.is_null()) bindings[field.path] = std::move(binding);
  }
  SealedConfig out;
  out.values = TRY(read_env(reader, company, json::value(std::move(bindings))));
  out.config = std::move(config);
  return out;
}

Result<json::object> open_config_secrets(const SecretVault& vault, SealedConfig sealed, const std::vector<SecretField>& fields) {
  auto opened = TRY(resolve_env(vault, sealed.values));
  for (const auto& field : fields)
    if (const auto value = opened.values.find(field.path); value != opened.values.end()) put(sealed.config, field.path, json::value(value->second));
  return std::move(sealed.config);
}

json::object without_secrets(json::object metadata, const std::vector<SecretField>& fields) {
  for (const auto& field : fields) take_away(metadata, field.path, true);
  return metadata;
}

std::set<SecretId> secrets_of(const json::object& config, const std::vector<SecretField>& fields) {
  json::object copy = config;
  std::set<SecretId> out;
  for (const auto& field : fields)
    if (const auto id = SecretId::parse(string_at(binding_of(copy, field), "secretId").value_or(""))) out.insert(*id);
  return out;
}

std::set<SecretId> ids_in(const json::value& value) {
  std::set<SecretId> out;
  if (value.is_string()) {
    if (const auto id = SecretId::parse(std::string_view(value.get_string()))) out.insert(*id);
  } else if (value.is_object()) {
    for (const auto& item : value.get_object()) out.merge(ids_in(item.value()));
  } else if (value.is_array()) {
    for (const auto& item : value.get_array()) out.merge(ids_in(item));
  }
  return out;
}

void collect_unused_secrets(store::Transaction& tx, CompanyId company, const std::set<SecretId>& candidates) {
  for (const auto& id : candidates) {
    const std::string pattern = "%" + id.str() + "%";
    if (!tx.exists("select 1 from company_secrets where id = :1 and company_id = :2 and name like 'environment-%'", id, company)) continue;
    if (tx.exists("select 1 from environments where company_id = :1 and cast(config as text) like :2", company, pattern)) continue;
    if (tx.exists("select 1 from environment_leases where company_id = :1 and cast(metadata as text) like :2 and "
                  "(status in ('active', 'retained') or cleanup_status in ('pending', 'failed') or "
                  "(status <> 'expired' and lease_policy like 'reuse_%'))",
                  company, pattern))
      continue;
    if (tx.exists("select 1 from agents where company_id = :1 and cast(adapter_config as text) like :2", company, pattern)) continue;
    if (tx.exists("select 1 from projects where company_id = :1 and cast(env as text) like :2", company, pattern)) continue;
    tx.execute("delete from company_secrets where id = :1 and company_id = :2", id, company);
  }
}

}  // namespace paperclip::domain
