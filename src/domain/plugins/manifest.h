#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/fields.h"
#include "base/read_json.h"
#include "base/result.h"

/// What a plugin says of itself: manifest version 1 (spec/plugins.md 2.3–2.5). Unknown keys are dropped; JSON schemas
/// are kept as they are. `hostVariables` is OURS.
namespace paperclip::domain {

/// A word of a closed list that C++ cannot spell as an enumerator.
template <const auto& Words>
struct WordOf : std::string {
  using std::string::string;
  static void read(const json::value* value, WordOf& out, SchemaIssues& issues) {
    if (!detail::read_text(value, out, issues)) return;
    for (const std::string_view word : Words)
      if (out == word) return;
    detail::bad_enum(*value, std::vector<std::string_view>(std::begin(Words), std::end(Words)), issues);
  }
};

/// An object that, unless it is empty, says which kind of schema it is.
struct JsonSchemaObject : JsonObject {
  static void read(const json::value* value, JsonSchemaObject& out, SchemaIssues& issues);
};

extern const std::vector<std::string_view> plugin_capabilities;
struct PluginCapability : std::string {
  using std::string::string;
  static void read(const json::value* value, PluginCapability& out, SchemaIssues& issues);
};

enum class PluginCategory { connector, workspace, automation, ui };
BOOST_DESCRIBE_ENUM(PluginCategory, connector, workspace, automation, ui)

struct PluginEntrypoints {
  Text<1> worker;
  Omit<Text<1>> ui;
};
BOOST_DESCRIBE_STRUCT(PluginEntrypoints, (), (worker, ui))

struct JobDeclaration {
  Text<1> job_key;
  Text<1> display_name;
  Omit<std::string> description;
  Omit<std::string> schedule;
  void check(SchemaIssues& issues) const;
};
BOOST_DESCRIBE_STRUCT(JobDeclaration, (), (job_key, display_name, description, schedule))

struct WebhookDeclaration {
  Text<1> endpoint_key;
  Text<1> display_name;
  Omit<std::string> description;
};
BOOST_DESCRIBE_STRUCT(WebhookDeclaration, (), (endpoint_key, display_name, description))

struct ToolDeclaration {
  Text<1> name;
  Text<1> display_name;
  Text<1> description;
  JsonSchemaObject parameters_schema;
};
BOOST_DESCRIBE_STRUCT(ToolDeclaration, (), (name, display_name, description, parameters_schema))

enum class EnvironmentDriverKind { environment_driver, sandbox_provider };
BOOST_DESCRIBE_ENUM(EnvironmentDriverKind, environment_driver, sandbox_provider)

struct EnvironmentDriverDeclaration {
  std::string driver_key;
  Omit<EnvironmentDriverKind> kind;
  Text<1, 100> display_name;
  Omit<Text<0, 500>> description;
  JsonSchemaObject config_schema;
  void check(SchemaIssues& issues) const;
};
BOOST_DESCRIBE_STRUCT(EnvironmentDriverDeclaration, (), (driver_key, kind, display_name, description, config_schema))

inline constexpr std::string_view core_read_tables[] = {
    "companies", "projects",       "goals",       "agents",    "issues",          "issue_documents", "issue_relations",
    "issue_comments", "heartbeat_runs", "cost_events", "approvals", "issue_approvals", "budget_incidents"};

struct DatabaseDeclaration {
  Omit<std::string> namespace_slug;
  Text<1> migrations_dir;
  Omit<std::vector<WordOf<core_read_tables>>> core_read_tables_;
  void check(SchemaIssues& issues) const;
};
BOOST_DESCRIBE_STRUCT(DatabaseDeclaration, (), (namespace_slug, migrations_dir, core_read_tables_))

enum class ApiRouteMethod { GET, POST, PATCH, DELETE };
BOOST_DESCRIBE_ENUM(ApiRouteMethod, GET, POST, PATCH, DELETE)
enum class CompanyResolutionFrom { body, query, issue };
BOOST_DESCRIBE_ENUM(CompanyResolutionFrom, body, query, issue)

struct CompanyResolution {
  CompanyResolutionFrom from{};
  Omit<Text<1>> key;    // body, query
  Omit<Text<1>> param;  // issue
  void check(SchemaIssues& issues) const;
};
BOOST_DESCRIBE_STRUCT(CompanyResolution, (), (from, key, param))

inline constexpr std::string_view api_route_callers[] = {"board", "agent", "board-or-agent", "webhook"};
inline constexpr std::string_view api_route_capabilities[] = {"api.routes.register"};
inline constexpr std::string_view checkout_policies[] = {"none", "required-for-agent-in-progress", "always-for-agent"};

struct ApiRouteDeclaration {
  Text<1, 100> route_key;
  ApiRouteMethod method{};
  std::string path;
  WordOf<api_route_callers> auth;
  WordOf<api_route_capabilities> capability;
  Omit<WordOf<checkout_policies>> checkout_policy;
  Omit<CompanyResolution> company_resolution;
  void check(SchemaIssues& issues) const;
};
BOOST_DESCRIBE_STRUCT(ApiRouteDeclaration, (), (route_key, method, path, auth, capability, checkout_policy, company_resolution))

inline constexpr std::string_view ui_places[] = {
    "page",          "detailTab",         "taskDetailView", "dashboardWidget", "sidebar",           "sidebarPanel",           "projectSidebarItem",
    "globalToolbarButton", "toolbarButton", "contextMenuItem", "commentAnnotation", "commentContextMenuItem", "settingsPage"};
enum class UiEntityType { project, issue, agent, goal, run, comment };
BOOST_DESCRIBE_ENUM(UiEntityType, project, issue, agent, goal, run, comment)

struct UiSlot {
  WordOf<ui_places> type;
  Text<1> id;
  Text<1> display_name;
  Text<1> export_name;
  Omit<std::vector<UiEntityType>> entity_types;
  Omit<std::string> route_path;
  Omit<int> order;
  void check(SchemaIssues& issues) const;
};
BOOST_DESCRIBE_STRUCT(UiSlot, (), (type, id, display_name, export_name, entity_types, route_path, order))

enum class LauncherActionType { navigate, openModal, openDrawer, openPopover, performAction, deepLink };
BOOST_DESCRIBE_ENUM(LauncherActionType, navigate, openModal, openDrawer, openPopover, performAction, deepLink)
struct LauncherAction {
  LauncherActionType type{};
  Text<1> target;
  Omit<JsonObject> params;
};
BOOST_DESCRIBE_STRUCT(LauncherAction, (), (type, target, params))

enum class LauncherEnvironment { hostInline, hostOverlay, hostRoute, external, iframe };
BOOST_DESCRIBE_ENUM(LauncherEnvironment, hostInline, hostOverlay, hostRoute, external, iframe)
inline constexpr std::string_view launcher_bounds[] = {"inline", "compact", "default", "wide", "full"};
struct LauncherRender {
  LauncherEnvironment environment{};
  Omit<WordOf<launcher_bounds>> bounds;
};
BOOST_DESCRIBE_STRUCT(LauncherRender, (), (environment, bounds))

struct Launcher {
  Text<1> id;
  Text<1> display_name;
  Omit<std::string> description;
  WordOf<ui_places> placement_zone;
  Omit<Text<1>> export_name;
  Omit<std::vector<UiEntityType>> entity_types;
  Omit<int> order;
  LauncherAction action;
  Omit<LauncherRender> render;
  void check(SchemaIssues& issues) const;
};
BOOST_DESCRIBE_STRUCT(Launcher, (), (id, display_name, description, placement_zone, export_name, entity_types, order, action, render))

struct UiDeclaration {
  Omit<List<UiSlot, 1>> slots;
  Omit<std::vector<Launcher>> launchers;
};
BOOST_DESCRIBE_STRUCT(UiDeclaration, (), (slots, launchers))

struct PluginManifest {
  std::string id;
  int api_version = 0;
  std::string version;
  Text<1, 100> display_name;
  Text<1, 500> description;
  Text<1, 200> author;
  List<PluginCategory, 1> categories;
  Omit<std::string> minimum_host_version, minimum_paperclip_version;
  List<PluginCapability, 1> capabilities;
  PluginEntrypoints entrypoints;
  Omit<JsonSchemaObject> instance_config_schema;
  Omit<std::vector<JobDeclaration>> jobs;
  Omit<std::vector<WebhookDeclaration>> webhooks;
  Omit<std::vector<ToolDeclaration>> tools;
  Omit<DatabaseDeclaration> database;
  Omit<std::vector<ApiRouteDeclaration>> api_routes;
  Omit<std::vector<EnvironmentDriverDeclaration>> environment_drivers;
  Omit<std::vector<Launcher>> launchers;
  Omit<UiDeclaration> ui;
  /// Variables of the server's environment that the worker wants; given only when the board confirmed each (OURS).
  Omit<std::vector<std::string>> host_variables;

  void check(SchemaIssues& issues) const;
  bool has(std::string_view capability) const;
};
BOOST_DESCRIBE_STRUCT(PluginManifest, (),
                      (id, api_version, version, display_name, description, author, categories, minimum_host_version,
                       minimum_paperclip_version, capabilities, entrypoints, instance_config_schema, jobs, webhooks,
                       tools, database, api_routes, environment_drivers, launchers, ui, host_variables))

/// Reads and checks. The error (bad_request) is `Invalid plugin manifest: ` and every issue.
Result<PluginManifest> read_manifest(const json::value& value);

/// What the host demands beyond the schema: capabilities for slots and launchers, unique page paths, and a host that is
/// new enough (spec/plugins.md 2.6 steps 5, 6, 8).
Result<> check_manifest_for_host(const PluginManifest& manifest, std::string_view host_version);

/// Negative, zero, positive as `a` is older than, equal to, newer than `b`; both `1.2.3-pre+build`.
int compare_versions(std::string_view a, std::string_view b);

}  // namespace paperclip::domain
