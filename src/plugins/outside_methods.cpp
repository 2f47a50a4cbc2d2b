#include <set>

#include "base/text.h"
#include "domain/plugins/plugins.h"
#include "domain/secrets/vault.h"
#include "net/client.h"
#include "plugins/host.h"
#include "plugins/host_methods.h"
#include "plugins/json_schema.h"
#include "store/database.h"

/// The network and the secrets (spec/plugins.md 9.1, 11.3).
namespace paperclip::plugins {

namespace {

constexpr std::size_t most_bytes = 200u * 1024 * 1024;

Result<json::value> fetch(const HostCall& call) {
  net::ClientRequest request;
  request.url = TRY(call.needed("url"));
  const auto colon = request.url.find(':');
  const std::string scheme = colon == std::string::npos ? "" : lower(request.url.substr(0, colon));
  if (scheme.empty()) return bad_request("Invalid URL: " + request.url);
  if (scheme != "http" && scheme != "https") return bad_request("Disallowed protocol \"" + scheme + ":\" — only http: and https: are permitted");
  const auto* init = member(call.params, "init");
  if (init != nullptr) {
    if (const auto method = text_at(*init, "method")) request.method = upper(*method);
    if (const auto body = string_at(*init, "body")) request.body = *body;
    if (const auto* headers = member(*init, "headers"); headers != nullptr && headers->is_object())
      for (const auto& item : headers->get_object())
        if (item.value().is_string() && lower(std::string_view(item.key())) != "host") request.headers.add(item.key(), item.value().get_string());
  }
  request.public_addresses_only = true;
  request.max_response_bytes = most_bytes;
  auto response = call.host.options().http.send_blocking(std::move(request));
  if (!response) {
    if (response.error().kind == ErrorKind::too_large) return Error(ErrorKind::too_large, "Response body exceeded " + std::to_string(most_bytes) + " bytes");
    return std::move(response).error();
  }
  json::object headers;
  for (const auto& field : response->headers) {
    const std::string name = lower(field.name);
    if (auto* there = headers.if_contains(name)) *there = std::string(there->get_string()) + ", " + std::string(field.value);
    else headers[name] = std::string(field.value);
  }
  std::string body = valid_utf8(response->body) ? std::move(response->body) : std::string();
  if (body.empty() && !response->body.empty()) {
    // As a decoder does that never fails: what is no UTF-8 becomes U+FFFD.
    for (const char byte : response->body) {
      if (static_cast<unsigned char>(byte) < 0x80) body += byte;
      else body += "\xEF\xBF\xBD";
    }
  }
  return json::value{{"status", response->status}, {"statusText", net::reason_phrase(response->status)}, {"headers", std::move(headers)}, {"body", std::move(body)}};
}

void collect_ids(const json::value& value, std::set<std::string>& ids) {
  if (value.is_string() && is_uuid(value.get_string())) ids.insert(lower(value.get_string()));
  if (value.is_array())
    for (const auto& item : value.get_array()) collect_ids(item, ids);
  if (value.is_object())
    for (const auto& item : value.get_object()) collect_ids(item.value(), ids);
}

// Only what the saved configuration names may be asked for.
std::set<std::string> referenced_secrets(const ActivePlugin& plugin, const json::value& config) {
  std::set<std::string> ids;
  const auto paths = plugin.manifest.instance_config_schema ? secret_paths(plugin.manifest.instance_config_schema->value) : std::vector<std::string>();
  if (paths.empty()) {
    collect_ids(config, ids);
    return ids;
  }
  for (const auto& path : paths)
    if (const auto* value = find_path(config, path); value != nullptr && value->is_string()) ids.insert(lower(trim(value->get_string())));
  return ids;
}

Result<> count_attempt(ActivePlugin& plugin) {
  constexpr std::size_t most = 30;
  const auto now = Deadline::Clock::now();
  std::lock_guard lock(plugin.mutex);
  auto& attempts = plugin.secret_attempts;
  while (!attempts.empty() && now - attempts.front() >= std::chrono::seconds(60)) attempts.pop_front();
  if (attempts.size() >= most) return Error(ErrorKind::too_many, "Rate limit exceeded for secret resolution");
  attempts.push_back(now);
  return {};
}

Result<json::value> resolve_secret(const HostCall& call) {
  TRY(count_attempt(call.plugin));
  const std::string reference = call.text("secretRef").value_or("");
  const auto id = SecretId::parse(reference);
  if (!id) return bad_request("Invalid secret reference: " + reference);
  const auto material = TRY(call.host.options().database.read([&](store::Reader& reader) -> Result<RawJson> {
    const auto row = domain::plugin_config(reader, call.plugin.row.id);
    const auto allowed = referenced_secrets(call.plugin, row ? row->config_json.parse() : json::value(nullptr));
    if (!allowed.contains(id->str()) || !reader.exists("select 1 from company_secrets where id = :1", *id)) return not_found("Secret not found: " + reference);
    auto newest = reader.value<RawJson>("select material from company_secret_versions where secret_id = :1 order by version desc limit 1", *id);
    if (!newest) return not_found("No version found for secret: " + reference);
    return *std::move(newest);
  }));
  const auto value = TRY(call.host.options().vault.unseal(material));
  return json::value(value.expose());
}

}  // namespace

void add_outside_methods(HostMethods::Table& table) {
  table["http.fetch"] = {"http.outbound", fetch};
  table["secrets.resolve"] = {"secrets.read-ref", resolve_secret};
}

}  // namespace paperclip::plugins
