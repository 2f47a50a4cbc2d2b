#include "domain/plugins/manifest.h"

#include <algorithm>
#include <functional>
#include <map>
#include <regex>
#include <set>

#include "base/text.h"
#include "base/write_json.h"

namespace paperclip::domain {

const std::vector<std::string_view> plugin_capabilities{
    "companies.read", "projects.read", "project.workspaces.read", "issues.read", "issue.relations.read", "issue.subtree.read",
    "issue.comments.read", "issue.documents.read", "agents.read", "goals.read", "activity.read", "costs.read",
    "issues.orchestration.read", "database.namespace.read", "goals.create", "goals.update", "issues.create", "issues.update",
    "issue.relations.write", "issues.checkout", "issues.wakeup", "issue.comments.create", "issue.interactions.create",
    "issue.documents.write", "agents.pause", "agents.resume", "agents.invoke", "agent.sessions.create", "agent.sessions.list",
    "agent.sessions.send", "agent.sessions.close", "activity.log.write", "metrics.write", "telemetry.track",
    "database.namespace.migrate", "database.namespace.write", "plugin.state.read", "plugin.state.write", "events.subscribe",
    "events.emit", "jobs.schedule", "webhooks.receive", "api.routes.register", "http.outbound", "secrets.read-ref",
    "environment.drivers.register", "agent.tools.register", "instance.settings.register", "ui.sidebar.register",
    "ui.page.register", "ui.detailTab.register", "ui.dashboardWidget.register", "ui.commentAnnotation.register",
    "ui.action.register"};

namespace {

bool matches(const std::string& text, const char* pattern) { return std::regex_match(text, std::regex(pattern)); }

constexpr const char* key_pattern = "[a-z0-9][a-z0-9._-]*";
constexpr const char* version_pattern = "\\d+\\.\\d+\\.\\d+(-[0-9A-Za-z.-]+)?(\\+[0-9A-Za-z.-]+)?";

void custom(SchemaIssues& issues, const char* field, std::string message) {
  SchemaIssues::Step step(issues, field);
  issues.add("custom", std::move(message));
}

void demand(SchemaIssues& issues, const char* field, const std::string& value, const char* pattern, const char* message = "Invalid") {
  if (matches(value, pattern)) return;
  SchemaIssues::Step step(issues, field);
  issues.add("invalid_string", message, {{"validation", "regex"}});
}

template <class T>
const std::vector<T>& list_of(const Omit<std::vector<T>>& list) {
  static const std::vector<T> none;
  return list ? *list : none;
}

void demand_entity_types(SchemaIssues& issues, const std::string& place, const Omit<std::vector<UiEntityType>>& types) {
  static const std::set<std::string_view> scoped{"detailTab", "taskDetailView", "contextMenuItem", "commentAnnotation", "commentContextMenuItem", "projectSidebarItem"};
  const auto& list = list_of(types);
  const auto holds = [&](UiEntityType type) { return std::find(list.begin(), list.end(), type) != list.end(); };
  if (scoped.contains(place) && list.empty()) custom(issues, "entityTypes", place + " requires at least one entityType");
  else if (place == "projectSidebarItem" && !holds(UiEntityType::project)) custom(issues, "entityTypes", "projectSidebarItem requires entityTypes to include \"project\"");
  else if ((place == "commentAnnotation" || place == "commentContextMenuItem") && !holds(UiEntityType::comment))
    custom(issues, "entityTypes", place + " requires entityTypes to include \"comment\"");
}

void report_duplicates(SchemaIssues& issues, const char* field, const char* what, const std::vector<std::string>& keys) {
  std::set<std::string> seen;
  std::vector<std::string> twice;
  for (const auto& key : keys)
    if (!seen.insert(key).second && std::find(twice.begin(), twice.end(), key) == twice.end()) twice.push_back(key);
  if (twice.empty()) return;
  std::string text;
  for (const auto& key : twice) text += (text.empty() ? "" : ", ") + key;
  custom(issues, field, std::string("Duplicate ") + what + ": " + text);
}

template <class T, class F>
std::vector<std::string> keys_of(const std::vector<T>& list, F key) {
  std::vector<std::string> keys;
  for (const auto& item : list) keys.push_back(key(item));
  return keys;
}

std::vector<Launcher> all_launchers(const PluginManifest& manifest) {
  std::vector<Launcher> all = list_of(manifest.launchers);
  if (manifest.ui && manifest.ui->launchers) all.insert(all.end(), manifest.ui->launchers->begin(), manifest.ui->launchers->end());
  return all;
}
std::vector<UiSlot> all_slots(const PluginManifest& manifest) {
  return manifest.ui && manifest.ui->slots ? std::vector<UiSlot>(*manifest.ui->slots) : std::vector<UiSlot>();
}

std::string dotted(const json::value* path) {
  std::string text;
  if (path == nullptr || !path->is_array()) return text;
  for (const auto& part : path->get_array()) {
    if (!text.empty()) text += '.';
    text += part.is_string() ? std::string(part.get_string()) : to_string(part);
  }
  return text;
}

}  // namespace

void JsonSchemaObject::read(const json::value* value, JsonSchemaObject& out, SchemaIssues& issues) {
  read_json(value, static_cast<JsonObject&>(out), issues);
  if (value == nullptr || !value->is_object() || out.value.empty()) return;
  const auto* type = out.value.if_contains("type");
  if (type != nullptr && type->is_string()) return;
  for (const char* key : {"$ref", "oneOf", "anyOf", "allOf"})
    if (out.value.contains(key)) return;
  issues.add("custom", "Must be a valid JSON Schema object (requires at least a \"type\", \"$ref\", or composition keyword)");
}

void PluginCapability::read(const json::value* value, PluginCapability& out, SchemaIssues& issues) {
  if (!detail::read_text(value, out, issues)) return;
  if (std::find(plugin_capabilities.begin(), plugin_capabilities.end(), std::string_view(out)) == plugin_capabilities.end())
    detail::bad_enum(*value, plugin_capabilities, issues);
}

void JobDeclaration::check(SchemaIssues& issues) const {
  if (!schedule) return;
  static const std::string part = "(\\*(/\\d+)?|\\d+(-\\d+)?(/\\d+)?)";
  static const std::regex five("\\s*(" + part + "(," + part + ")*\\s+){4}" + part + "(," + part + ")*\\s*");
  if (!std::regex_match(*schedule, five)) custom(issues, "schedule", "schedule must be a valid 5-field cron expression (e.g. \"*/15 * * * *\")");
}

void EnvironmentDriverDeclaration::check(SchemaIssues& issues) const {
  demand(issues, "driverKey", driver_key, key_pattern, "Environment driver key must start with a lowercase alphanumeric and contain only lowercase letters, digits, dots, hyphens, or underscores");
}

void DatabaseDeclaration::check(SchemaIssues& issues) const {
  if (namespace_slug && (namespace_slug->size() > 40 || !matches(*namespace_slug, "[a-z0-9][a-z0-9_]*")))
    custom(issues, "namespaceSlug", "namespaceSlug must be lowercase letters, digits, or underscores and start with a letter or digit");
  if (migrations_dir.starts_with('/') || migrations_dir.find("..") != std::string::npos || migrations_dir.find('\\') != std::string::npos)
    custom(issues, "migrationsDir", "migrationsDir must be a relative package path without '..' or backslashes");
}

void CompanyResolution::check(SchemaIssues& issues) const {
  if (from == CompanyResolutionFrom::issue ? !param : !key) custom(issues, from == CompanyResolutionFrom::issue ? "param" : "key", "Required");
}

void ApiRouteDeclaration::check(SchemaIssues& issues) const {
  demand(issues, "routeKey", route_key, "[a-z0-9][a-z0-9._:-]*");
  demand(issues, "path", path, "/[a-zA-Z0-9:_./-]*");
  if (path.find("..") != std::string::npos || path.find("//") != std::string::npos || path == "/api" || path == "/plugins" ||
      path.starts_with("/api/") || path.starts_with("/plugins/"))
    custom(issues, "path", "path must stay inside the plugin api namespace");
}

void UiSlot::check(SchemaIssues& issues) const {
  demand_entity_types(issues, type, entity_types);
  if (!route_path) return;
  static const std::set<std::string_view> reserved{"dashboard", "onboarding", "companies", "company", "settings", "plugins", "org", "agents", "projects", "issues",
                                                   "goals", "approvals", "costs", "activity", "inbox", "design-guide", "tests"};
  if (type != "page") custom(issues, "routePath", "routePath is only supported for page slots");
  else if (!matches(*route_path, "[a-z0-9][a-z0-9-]*")) custom(issues, "routePath", "routePath must be a lowercase single-segment slug (letters, numbers, hyphens)");
  else if (reserved.contains(*route_path)) custom(issues, "routePath", "routePath \"" + *route_path + "\" is reserved by the host");
}

void Launcher::check(SchemaIssues& issues) const {
  demand_entity_types(issues, placement_zone, entity_types);
  if (action.type == LauncherActionType::performAction && action.target.find('/') != std::string::npos)
    custom(issues, "action", "performAction launchers must target an action key, not a route or URL");
  if (action.type == LauncherActionType::navigate && (action.target.starts_with("http://") || action.target.starts_with("https://")))
    custom(issues, "action", "navigate launchers must target a host route, not an absolute URL");
  const bool opens = action.type == LauncherActionType::openModal || action.type == LauncherActionType::openDrawer || action.type == LauncherActionType::openPopover;
  const std::string name(to_text(action.type));
  if (action.type == LauncherActionType::performAction && render) custom(issues, "render", "performAction launchers cannot declare render hints");
  if (opens && !render) custom(issues, "render", name + " launchers require render metadata");
  if (!render) return;
  const auto where = render->environment;
  if ((action.type == LauncherActionType::openModal && where == LauncherEnvironment::hostInline) ||
      (action.type == LauncherActionType::openDrawer && where != LauncherEnvironment::hostOverlay && where != LauncherEnvironment::iframe) ||
      (action.type == LauncherActionType::openPopover && where == LauncherEnvironment::hostRoute))
    custom(issues, "render", name + " launchers cannot use the " + std::string(to_text(where)) + " environment");
  if (!render->bounds) return;
  static const std::map<LauncherEnvironment, std::set<std::string_view>> allowed{
      {LauncherEnvironment::hostInline, {"inline", "compact", "default"}},
      {LauncherEnvironment::hostOverlay, {"compact", "default", "wide", "full"}},
      {LauncherEnvironment::iframe, {"compact", "default", "wide", "full"}},
      {LauncherEnvironment::hostRoute, {"default", "wide", "full"}},
      {LauncherEnvironment::external, {}}};
  if (!allowed.at(where).contains(*render->bounds))
    custom(issues, "render", "bounds \"" + *render->bounds + "\" is not supported for " + std::string(to_text(where)) + " launchers");
}

bool PluginManifest::has(std::string_view capability) const {
  return std::find(capabilities.begin(), capabilities.end(), capability) != capabilities.end();
}

void PluginManifest::check(SchemaIssues& issues) const {
  demand(issues, "id", id, key_pattern, "Plugin id must start with a lowercase alphanumeric and contain only lowercase letters, digits, dots, hyphens, or underscores");
  if (api_version != 1) {
    SchemaIssues::Step step(issues, "apiVersion");
    issues.add("invalid_literal", "Invalid literal value, expected 1", {{"expected", 1}});
  }
  demand(issues, "version", version, version_pattern, "Version must follow semver (e.g. 1.0.0 or 1.0.0-beta.1)");
  if (minimum_host_version) demand(issues, "minimumHostVersion", *minimum_host_version, version_pattern);
  if (minimum_paperclip_version) demand(issues, "minimumPaperclipVersion", *minimum_paperclip_version, version_pattern);
  if (minimum_host_version && minimum_paperclip_version && *minimum_host_version != *minimum_paperclip_version)
    custom(issues, "minimumHostVersion", "minimumHostVersion and minimumPaperclipVersion must match when both are declared");

  const auto slots = all_slots(*this);
  const auto shown = all_launchers(*this);
  if ((!slots.empty() || !shown.empty()) && !entrypoints.ui) {
    SchemaIssues::Step step(issues, "entrypoints");
    custom(issues, "ui", "entrypoints.ui is required when ui.slots or ui.launchers are declared");
  }
  const auto needs = [&](bool declared, const char* capability, const char* feature) {
    if (declared && !has(capability))
      custom(issues, "capabilities", std::string("Capability '") + capability + "' is required when " + feature + " are declared");
  };
  needs(!list_of(tools).empty(), "agent.tools.register", "tools");
  needs(!list_of(environment_drivers).empty(), "environment.drivers.register", "environmentDrivers");
  needs(!list_of(jobs).empty(), "jobs.schedule", "jobs");
  needs(!list_of(webhooks).empty(), "webhooks.receive", "webhooks");
  needs(!list_of(api_routes).empty(), "api.routes.register", "apiRoutes");
  needs(database.has_value(), "database.namespace.migrate", "database migrations");
  needs(database.has_value(), "database.namespace.read", "database migrations");

  report_duplicates(issues, "jobs", "job keys", keys_of(list_of(jobs), [](const auto& job) { return job.job_key; }));
  report_duplicates(issues, "webhooks", "webhook endpoint keys", keys_of(list_of(webhooks), [](const auto& hook) { return hook.endpoint_key; }));
  report_duplicates(issues, "apiRoutes", "api route keys", keys_of(list_of(api_routes), [](const auto& route) { return route.route_key; }));
  report_duplicates(issues, "apiRoutes", "api routes", keys_of(list_of(api_routes), [](const auto& route) { return std::string(to_text(route.method)) + " " + route.path; }));
  report_duplicates(issues, "tools", "tool names", keys_of(list_of(tools), [](const auto& tool) { return tool.name; }));
  report_duplicates(issues, "environmentDrivers", "environment driver keys", keys_of(list_of(environment_drivers), [](const auto& driver) { return driver.driver_key; }));
  report_duplicates(issues, "ui", "UI slot ids", keys_of(slots, [](const auto& slot) { return slot.id; }));
  report_duplicates(issues, "launchers", "launcher ids", keys_of(shown, [](const auto& launcher) { return launcher.id; }));
  if (database && database->core_read_tables_)
    report_duplicates(issues, "database", "database coreReadTables", keys_of(*database->core_read_tables_, [](const auto& table) { return table; }));
  for (const auto& name : list_of(host_variables)) demand(issues, "hostVariables", name, "[A-Za-z_][A-Za-z0-9_]*", "A host variable is a name, such as E2B_API_KEY");
}

Result<PluginManifest> read_manifest(const json::value& value) {
  auto manifest = decode<PluginManifest>(&value);
  if (manifest) return manifest;
  std::string text;
  if (const auto& issues = manifest.error().details; issues.is_array()) {
    for (const auto& issue : issues.get_array()) {
      if (!text.empty()) text += "; ";
      const std::string path = dotted(member(issue, "path"));
      if (!path.empty()) text += path + ": ";
      text += string_at(issue, "message").value_or("Invalid");
    }
  }
  return bad_request("Invalid plugin manifest: " + text);
}

int compare_versions(std::string_view a, std::string_view b) {
  const auto cut = [](std::string_view text) {
    text = text.substr(0, text.find('+'));
    const auto dash = text.find('-');
    return std::pair(text.substr(0, dash), dash == std::string_view::npos ? std::string_view() : text.substr(dash + 1));
  };
  const auto number = [](std::string_view text) { return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos; };
  const auto compare = [&](const std::string& x, const std::string& y) -> int {
    if (number(x) && number(y)) {
      const auto strip = [](std::string_view text) { return text.substr(std::min(text.find_first_not_of('0'), text.size())); };
      const auto left = strip(x), right = strip(y);
      if (left.size() != right.size()) return left.size() < right.size() ? -1 : 1;
      return left.compare(right);
    }
    if (number(x) != number(y)) return number(x) ? -1 : 1;
    return x.compare(y);
  };
  const auto compare_lists = [&](std::string_view x, std::string_view y) -> int {
    const auto left = split(x, '.'), right = split(y, '.');
    for (std::size_t i = 0; i < std::min(left.size(), right.size()); ++i)
      if (const int order = compare(left[i], right[i]); order != 0) return order;
    return static_cast<int>(left.size()) - static_cast<int>(right.size());
  };
  const auto [a_core, a_pre] = cut(a);
  const auto [b_core, b_pre] = cut(b);
  if (const int order = compare_lists(a_core, b_core); order != 0) return order;
  if (a_pre.empty() || b_pre.empty()) return static_cast<int>(a_pre.empty()) - static_cast<int>(b_pre.empty());
  return compare_lists(a_pre, b_pre);
}

Result<> check_manifest_for_host(const PluginManifest& manifest, std::string_view host_version) {
  static const std::map<std::string_view, std::string_view> needed{
      {"sidebar", "ui.sidebar.register"}, {"sidebarPanel", "ui.sidebar.register"}, {"projectSidebarItem", "ui.sidebar.register"},
      {"page", "ui.page.register"}, {"detailTab", "ui.detailTab.register"}, {"taskDetailView", "ui.detailTab.register"},
      {"dashboardWidget", "ui.dashboardWidget.register"}, {"globalToolbarButton", "ui.action.register"}, {"toolbarButton", "ui.action.register"},
      {"contextMenuItem", "ui.action.register"}, {"commentContextMenuItem", "ui.action.register"},
      {"commentAnnotation", "ui.commentAnnotation.register"}, {"settingsPage", "instance.settings.register"}};
  std::vector<std::string> missing;
  const auto need = [&](std::string_view place) {
    const auto at = needed.find(place);
    if (at == needed.end() || manifest.has(at->second)) return;
    if (std::find(missing.begin(), missing.end(), at->second) == missing.end()) missing.emplace_back(at->second);
  };
  std::set<std::string> paths;
  bool twice = false;
  for (const auto& slot : all_slots(manifest)) {
    need(slot.type);
    if (slot.route_path) twice = !paths.insert(*slot.route_path).second || twice;
  }
  for (const auto& launcher : all_launchers(manifest)) need(launcher.placement_zone);
  if (!missing.empty()) {
    std::string text;
    for (const auto& name : missing) text += (text.empty() ? "" : ", ") + name;
    return bad_request("Plugin " + manifest.id + " manifest has inconsistent capabilities. Missing required capabilities for declared features: " + text);
  }
  if (twice) return bad_request("Plugin " + manifest.id + " declares duplicate page routePath values");
  const auto& minimum = manifest.minimum_host_version ? manifest.minimum_host_version : manifest.minimum_paperclip_version;
  if (minimum && compare_versions(host_version, *minimum) < 0)
    return bad_request("Plugin " + manifest.id + " requires host version " + *minimum + " or newer, but this server is running " + std::string(host_version));
  return {};
}

}  // namespace paperclip::domain
