#include "environments/runtime_service.h"

#include <algorithm>
#include <filesystem>
#include <regex>

#include "base/crypto.h"
#include "base/template.h"
#include "base/text.h"
#include "base/write_json.h"

namespace paperclip::environments {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

namespace {

// The same value is the same text, whatever the order of its keys.
json::value sorted(const json::value& value) {
  if (value.is_array()) {
    json::array out;
    for (const auto& item : value.get_array()) out.push_back(sorted(item));
    return out;
  }
  if (!value.is_object()) return value;
  std::vector<std::string> keys;
  for (const auto& item : value.get_object()) keys.emplace_back(item.key());
  std::sort(keys.begin(), keys.end());
  json::object out;
  for (const auto& key : keys) out[key] = sorted(value.get_object().at(key));
  return out;
}
std::string digest_of(const json::object& value) { return sha256_hex(to_string(sorted(json::value(value)))); }

std::string slug_of(std::string_view text) {
  std::string out;
  for (char c : lower(text)) {
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) out += c;
    else if (!out.empty() && out.back() != '-') out += '-';
  }
  while (!out.empty() && out.back() == '-') out.pop_back();
  return out.empty() ? "service" : out;
}

std::string directory_of(const domain::WorkspaceCommand& command, const ServicePlace& place) {
  const fs::path cwd = (fs::path(place.cwd) / render_template(command.cwd, place.template_data)).lexically_normal();
  std::string text = cwd.string();
  while (text.size() > 1 && text.ends_with('/')) text.pop_back();
  return text;
}

os::Environment variables_of(const domain::WorkspaceCommand& command, const ServicePlace& place) {
  os::Environment out;
  if (const auto* env = command.raw.if_contains("env"); env != nullptr && env->is_object())
    for (const auto& item : env->get_object())
      if (item.value().is_string()) out.emplace_back(item.key(), render_template(item.value().get_string(), place.template_data));
  return out;
}

void read_port(const domain::WorkspaceCommand& command, ServiceSpec& spec) {
  const auto* port = command.raw.if_contains("port");
  if (port == nullptr) return;
  const auto whole = [](const json::value& value) -> std::optional<int> {
    if (value.is_int64() && value.get_int64() > 0 && value.get_int64() < 65536) return static_cast<int>(value.get_int64());
    return std::nullopt;
  };
  spec.port = whole(*port);
  if (!port->is_object()) return;
  spec.auto_port = text_at(*port, "type") == "auto";
  if (const auto* value = member(*port, "value"); value != nullptr && !spec.auto_port) spec.port = whole(*value);
  if (const auto name = text_at(*port, "envKey")) spec.port_variable = *name;
}

void read_readiness(const domain::WorkspaceCommand& command, ServiceSpec& spec) {
  const json::value raw(command.raw);
  if (const auto* url = find_path(raw, "expose.urlTemplate"); url != nullptr && url->is_string()) spec.url_template = std::string(url->get_string());
  static const std::regex development(R"((^|\s)(pnpm|npm|yarn|bun)\s+(run\s+)?dev(\s|$))");
  if (std::regex_search(spec.command.text(), development)) spec.ready_timeout = 90s;
  const auto* readiness = member(raw, "readiness");
  if (readiness == nullptr || text_at(*readiness, "type") != "http") return;
  spec.ready_template = text_at(*readiness, "urlTemplate").value_or(spec.url_template);
  if (spec.url_template.empty()) spec.url_template = spec.ready_template;
  const auto number = [&](const char* key) -> std::optional<std::int64_t> {
    const auto* value = member(*readiness, key);
    return value != nullptr && value->is_int64() ? std::optional(value->get_int64()) : std::nullopt;
  };
  if (const auto seconds = number("timeoutSec")) spec.ready_timeout = std::chrono::seconds(std::clamp<std::int64_t>(*seconds, 1, 3600));
  if (const auto interval = number("intervalMs")) spec.ready_interval = std::chrono::milliseconds(std::clamp<std::int64_t>(*interval, 100, 60'000));
}

// Who may share it (spec 8.1, 8.3).
void read_scope(const domain::WorkspaceCommand& command, const ServicePlace& place, domain::WorkspaceRuntimeService& row) {
  using Scope = domain::RuntimeServiceScope;
  const json::value raw(command.raw);
  const auto lifecycle = text_at(raw, "lifecycle");
  row.lifecycle = lifecycle == "ephemeral" ? domain::RuntimeServiceLifecycle::ephemeral : domain::RuntimeServiceLifecycle::shared;
  row.scope_type = parse_enum<Scope>(text_at(raw, "reuseScope").value_or("")).value_or(lifecycle == "shared" ? Scope::project_workspace : Scope::run);
  const auto text = [](const auto& id) { return id ? std::optional(id->str()) : std::nullopt; };
  switch (row.scope_type) {
    case Scope::project_workspace: row.scope_id = place.project_workspace_id ? text(place.project_workspace_id) : text(place.project_id); break;
    case Scope::execution_workspace: row.scope_id = place.execution_workspace_id ? text(place.execution_workspace_id) : std::optional(place.cwd); break;
    case Scope::agent: row.scope_id = text(place.agent_id); break;
    case Scope::run: break;  // started by hand: nobody shares it
  }
  if (!row.scope_id) row.scope_id = Random::system().id<AnyId>().str();
}

}  // namespace

Result<ServiceSpec> service_spec(const domain::WorkspaceCommand& command, const ServicePlace& place) {
  auto line = domain::HostCommand::stored(command.command ? std::optional(render_template(*command.command, place.template_data)) : std::nullopt);
  if (!line) return unprocessable("Runtime service \"" + command.name + "\" is missing command");
  ServiceSpec spec{.row = {}, .command = *line, .variables = variables_of(command, place), .port = {}, .url_template = {}, .ready_template = {},
                   .template_data = place.template_data, .env_fingerprint = {}, .service_key = {}};
  auto& row = spec.row;
  row.company_id = place.company_id;
  row.project_id = place.project_id;
  row.project_workspace_id = place.project_workspace_id;
  row.issue_id = place.issue_id;
  row.service_name = command.name;
  row.command = line->text();
  row.cwd = directory_of(command, place);
  row.provider = "local_process";
  row.owner_agent_id = place.agent_id;
  read_scope(command, place, row);
  // What the whole project shares belongs to none of its execution workspaces.
  if (row.scope_type != domain::RuntimeServiceScope::project_workspace) row.execution_workspace_id = place.execution_workspace_id;
  if (const auto* policy = command.raw.if_contains("stopPolicy"); policy != nullptr && policy->is_object()) row.stop_policy = RawJson(*policy);
  read_port(command, spec);
  read_readiness(command, spec);

  json::object variables;
  for (const auto& [name, value] : spec.variables) variables[name] = value;
  spec.env_fingerprint = digest_of(variables);
  const json::value port = spec.port ? json::value(*spec.port) : json::value(nullptr);
  if (row.lifecycle == domain::RuntimeServiceLifecycle::shared)
    row.reuse_key = digest_of({{"scopeType", to_text(row.scope_type)}, {"scopeId", *row.scope_id}, {"serviceName", row.service_name}, {"command", *row.command},
                               {"cwd", *row.cwd}, {"port", port}, {"env", variables}});
  const json::object scope{{"scopeType", to_text(row.scope_type)},
                           {"scopeId", *row.scope_id},
                           {"executionWorkspaceId", row.execution_workspace_id ? json::value(row.execution_workspace_id->view()) : json::value(nullptr)},
                           {"reuseKey", row.reuse_key ? json::value(*row.reuse_key) : json::value(nullptr)}};
  spec.service_key = "workspace-runtime-" + slug_of(row.service_name) + "-" +
                     digest_of({{"profileKind", "workspace-runtime"}, {"serviceName", row.service_name}, {"cwd", *row.cwd}, {"command", *row.command},
                                {"envFingerprint", row.reuse_key.value_or(spec.env_fingerprint)}, {"port", port}, {"scope", scope}}).substr(0, 24);
  return spec;
}

Result<JobSpec> job_spec(const domain::WorkspaceCommand& command, const ServicePlace& place) {
  auto line = domain::HostCommand::stored(command.command ? std::optional(render_template(*command.command, place.template_data)) : std::nullopt);
  if (!line) return unprocessable("Workspace job \"" + command.name + "\" is missing command");
  return JobSpec{*line, directory_of(command, place), variables_of(command, place)};
}

}  // namespace paperclip::environments
