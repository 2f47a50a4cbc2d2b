#include "domain/environments/environment_config.h"

#include <charconv>
#include <cmath>

#include "base/read_json.h"
#include "base/text.h"

namespace paperclip::domain {

namespace {

constexpr std::int64_t longest_timeout_ms = 86'400'000;

Error config_error(SchemaIssues issues) {
  Error error = std::move(issues).error();
  std::string message = string_at(error.details.as_array().front(), "message").value_or("Invalid environment config.");
  return unprocessable(std::move(message), json::object{{"issues", std::move(error.details)}});
}

// A required, trimmed text with one message for all that can be wrong with it.
std::string read_needed(const json::object& config, std::string_view key, const char* message, SchemaIssues& issues) {
  SchemaIssues::Step step(issues, json::string(key));
  const json::value* value = config.if_contains(key);
  if (value == nullptr) {
    issues.add("invalid_type", message, {{"expected", "string"}, {"received", "undefined"}});
    return {};
  }
  if (!value->is_string()) {
    issues.invalid_type("string", value);
    return {};
  }
  std::string text(trim(std::string_view(value->get_string())));
  if (text.empty())
    issues.add("too_small", message, {{"minimum", 1}, {"type", "string"}, {"inclusive", true}, {"exact", false}});
  return text;
}

// Text or null; blank counts as null.
json::value read_optional_text(const json::object& config, std::string_view key, SchemaIssues& issues) {
  SchemaIssues::Step step(issues, json::string(key));
  const json::value* value = config.if_contains(key);
  if (value == nullptr || value->is_null()) return nullptr;
  if (!value->is_string()) {
    issues.invalid_type("string", value);
    return nullptr;
  }
  const auto text = trim(std::string_view(value->get_string()));
  return text.empty() ? json::value(nullptr) : json::value(text);
}

bool read_flag(const json::object& config, std::string_view key, bool otherwise, SchemaIssues& issues) {
  SchemaIssues::Step step(issues, json::string(key));
  bool flag = otherwise;
  if (const auto* value = config.if_contains(key)) read_json(value, flag, issues);
  return flag;
}

// What JavaScript's Number() makes of it; NaN when that is what comes out.
double as_number(const json::value& value) {
  if (value.is_number()) return value.to_number<double>();
  if (value.is_bool()) return value.get_bool() ? 1 : 0;
  if (value.is_null()) return 0;
  if (!value.is_string()) return std::nan("");
  const std::string_view text = trim(std::string_view(value.get_string()));
  if (text.empty()) return 0;
  double number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  return failure == std::errc() && end == text.data() + text.size() ? number : std::nan("");
}

// A whole number, also as text.
std::int64_t read_number(const json::value& value, std::string_view key, std::int64_t min, std::int64_t max, SchemaIssues& issues) {
  SchemaIssues::Step step(issues, json::string(key));
  const double number = as_number(value);
  if (std::isnan(number)) {
    issues.add("invalid_type", "Expected number, received nan", {{"expected", "number"}, {"received", "nan"}});
    return 0;
  }
  Int<> whole;
  const json::value plain(number);
  const auto before = issues.size();
  detail::read_int(&plain, whole.value, min, max, issues);
  return issues.size() == before ? whole.value : 0;
}

// `{type: "secret_ref", secretId, version = "latest"}` or null.
json::value read_secret_reference(const json::object& config, std::string_view key, SchemaIssues& issues) {
  SchemaIssues::Step step(issues, json::string(key));
  const json::value* value = config.if_contains(key);
  if (value == nullptr || value->is_null()) return nullptr;
  if (!value->is_object()) {
    issues.invalid_type("object", value);
    return nullptr;
  }
  const auto& object = value->get_object();
  {
    SchemaIssues::Step inner(issues, "type");
    if (string_at(*value, "type") != "secret_ref")
      issues.add("invalid_literal", "Invalid literal value, expected \"secret_ref\"", {{"expected", "secret_ref"}});
  }
  SecretId id;
  {
    SchemaIssues::Step inner(issues, "secretId");
    read_json(object.if_contains("secretId"), id, issues);
  }
  json::value version = "latest";
  if (const auto* given = object.if_contains("version"); given != nullptr && *given != json::value("latest")) {
    SchemaIssues::Step inner(issues, "version");
    Int<1> number;
    if (given->is_number()) read_json(given, number, issues);
    else issues.add("invalid_union", "Invalid input");
    version = number.value;
  }
  detail::unknown_keys(object, {"type", "secretId", "version"}, issues);
  return json::object{{"type", "secret_ref"}, {"secretId", id.view()}, {"version", std::move(version)}};
}

Result<json::object> parse_ssh(const json::object& config, ConfigUse use) {
  SchemaIssues issues;
  json::object out;
  out["host"] = read_needed(config, "host", "SSH environments require a host.", issues);
  const json::value* port = config.if_contains("port");
  out["port"] = port == nullptr ? 22 : read_number(*port, "port", 1, 65535, issues);
  out["username"] = read_needed(config, "username", "SSH environments require a username.", issues);
  const std::size_t before = issues.size();
  const std::string path = read_needed(config, "remoteWorkspacePath", "SSH environments require a remote workspace path.", issues);
  if (issues.size() == before && !path.starts_with('/')) {
    SchemaIssues::Step step(issues, "remoteWorkspacePath");
    issues.add("custom", "SSH remote workspace path must be absolute.");
  }
  out["remoteWorkspacePath"] = path;
  out["privateKey"] = read_optional_text(config, "privateKey", issues);
  if (use == ConfigUse::stored && !out["privateKey"].is_null()) {
    SchemaIssues::Step step(issues, "privateKey");
    issues.add("invalid_type", "Expected null, received string", {{"expected", "null"}, {"received", "string"}});
  }
  out["privateKeySecretRef"] = read_secret_reference(config, "privateKeySecretRef", issues);
  out["knownHosts"] = read_optional_text(config, "knownHosts", issues);
  out["strictHostKeyChecking"] = read_flag(config, "strictHostKeyChecking", true, issues);
  // OURS: the remote directory is the workspace itself (nothing is uploaded, brought back or removed). Absent: it is not.
  if (read_flag(config, "inPlace", false, issues)) out["inPlace"] = true;
  detail::unknown_keys(config,
                       {"host", "port", "username", "remoteWorkspacePath", "privateKey", "privateKeySecretRef", "knownHosts",
                        "strictHostKeyChecking", "inPlace"},
                       issues);
  if (!issues.empty()) return config_error(std::move(issues));
  return out;
}

Result<json::object> parse_fake(const json::object& config) {
  SchemaIssues issues;
  json::object out{{"provider", fake_provider}};
  out["image"] = config.contains("image") ? read_needed(config, "image", "Fake sandbox environments require an image.", issues) : std::string("ubuntu:24.04");
  out["reuseLease"] = read_flag(config, "reuseLease", false, issues);
  detail::unknown_keys(config, {"provider", "image", "reuseLease"}, issues);
  if (!issues.empty()) return config_error(std::move(issues));
  return out;
}

Result<json::object> parse_sandbox(const json::object& config) {
  const std::string provider = provider_of(config);
  if (provider == fake_provider) return parse_fake(config);
  SchemaIssues issues;
  if (!is_driver_key(provider)) {
    SchemaIssues::Step step(issues, "provider");
    issues.add("invalid_string",
               "Sandbox provider key must start with a lowercase alphanumeric and contain only lowercase letters, digits, dots, "
               "hyphens, or underscores",
               {{"validation", "regex"}});
  }
  json::object out{{"provider", provider}};
  if (const auto* timeout = config.if_contains("timeoutMs"))
    out["timeoutMs"] = read_number(*timeout, "timeoutMs", 1, longest_timeout_ms, issues);
  out["reuseLease"] = read_flag(config, "reuseLease", false, issues);
  for (const auto& item : config)
    if (!out.contains(item.key()) && item.key() != "timeoutMs") out[item.key()] = item.value();
  if (!issues.empty()) return config_error(std::move(issues));
  return out;
}

Result<json::object> parse_plugin(const json::object& config) {
  SchemaIssues issues;
  json::object out;
  for (const char* key : {"pluginKey", "driverKey"}) {
    SchemaIssues::Step step(issues, key);
    Text<1> text;
    const std::size_t before = issues.size();
    read_json(config.if_contains(key), text, issues);
    if (issues.size() == before && std::string_view(key) == "driverKey" && !is_driver_key(text))
      issues.add("invalid_string",
                 "Environment driver key must start with a lowercase alphanumeric and contain only lowercase letters, digits, "
                 "dots, hyphens, or underscores",
                 {{"validation", "regex"}});
    out[key] = std::string(text);
  }
  {
    SchemaIssues::Step step(issues, "driverConfig");
    JsonObject own;
    if (const auto* given = config.if_contains("driverConfig")) read_json(given, own, issues);
    out["driverConfig"] = std::move(own.value);
  }
  detail::unknown_keys(config, {"pluginKey", "driverKey", "driverConfig"}, issues);
  if (!issues.empty()) return config_error(std::move(issues));
  return out;
}

}  // namespace

bool is_driver_key(std::string_view text) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  if (text.empty() || !plain(text.front())) return false;
  for (char c : text)
    if (!plain(c) && c != '.' && c != '_' && c != '-') return false;
  return true;
}

std::string provider_of(const json::object& config) {
  const auto* value = config.if_contains("provider");
  const std::string text = value != nullptr && value->is_string() ? std::string(trim(std::string_view(value->get_string()))) : "";
  return text.empty() ? std::string(fake_provider) : text;
}

Result<json::object> parse_config(EnvironmentDriver driver, const json::object& config, ConfigUse use) {
  switch (driver) {
    case EnvironmentDriver::local: return config;
    case EnvironmentDriver::ssh: return parse_ssh(config, use);
    case EnvironmentDriver::sandbox: return parse_sandbox(config);
    case EnvironmentDriver::plugin: return parse_plugin(config);
  }
  return internal_error("unknown environment driver");
}

const json::object& ssh_config_schema() {
  static const json::object schema{
      {"type", "object"},
      {"properties",
       json::object{{"host", json::object{{"type", "string"}}},
                    {"port", json::object{{"type", "integer"}, {"minimum", 1}, {"maximum", 65535}, {"default", 22}}},
                    {"username", json::object{{"type", "string"}}},
                    {"remoteWorkspacePath", json::object{{"type", "string"}}},
                    // The reference stands in a field of its own, as an object with a version.
                    {"privateKey", json::object{{"type", "string"},
                                                {"format", "secret-ref"},
                                                {"x-secret-name", "private-key"},
                                                {"x-secret-reference", "privateKeySecretRef"}}},
                    {"knownHosts", json::object{{"type", "string"}}},
                    {"strictHostKeyChecking", json::object{{"type", "boolean"}, {"default", true}}},
                    {"inPlace", json::object{{"type", "boolean"}, {"default", false}}}}}};
  return schema;
}

}  // namespace paperclip::domain
