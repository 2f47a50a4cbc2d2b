#include <algorithm>

#include "api/all_routes.h"
#include "api/plugin_calls.h"
#include "api/services.h"
#include "base/text.h"
#include "plugins/host.h"
#include "store/database.h"

/// The life of plugins (spec/plugins.md 25).
namespace paperclip::api {

namespace {

using domain::Plugin;
using domain::PluginStatus;

Result<Answer> list_plugins(Call& call) {
  TRY(require_board_with_company(call));
  std::optional<PluginStatus> status;
  if (const auto wanted = call.query.text("status")) {
    status = parse_enum<PluginStatus>(*wanted);
    if (!status) return bad_request("Invalid status '" + *wanted + "'. Must be one of: installed, ready, disabled, error, upgrade_pending, uninstalled");
  }
  json::array out;
  for (const auto& plugin : call.services.database.read([&](store::Reader& reader) { return domain::list_plugins(reader, status); }))
    out.push_back(plugin_json(call, plugin));
  return ok(json::value(std::move(out)));
}

Result<Answer> list_examples(Call& call) {
  TRY(require_board_with_company(call));
  return ok_json("[]");
}

Result<Answer> list_contributions(Call& call) {
  TRY(require_board_with_company(call));
  json::array out;
  for (const auto& plugin : call.services.database.read([&](store::Reader& reader) { return domain::list_plugins(reader, PluginStatus::ready); })) {
    const json::value manifest = plugin.manifest_json.parse();
    json::array slots, launchers;
    if (const auto* list = find_path(manifest, "ui.slots"); list != nullptr && list->is_array()) slots = list->get_array();
    for (const char* place : {"launchers", "ui.launchers"})
      if (const auto* list = find_path(manifest, place); list != nullptr && list->is_array()) launchers.insert(launchers.end(), list->get_array().begin(), list->get_array().end());
    if (slots.empty() && launchers.empty()) continue;
    out.push_back(json::object{{"pluginId", plugin.id.view()}, {"pluginKey", plugin.plugin_key}, {"displayName", string_at(manifest, "displayName").value_or("")},
                               {"version", plugin.version}, {"updatedAt", to_iso(plugin.updated_at)}, {"uiEntryFile", "index.js"}, {"slots", std::move(slots)}, {"launchers", std::move(launchers)}});
  }
  return ok(json::value(std::move(out)));
}

Result<std::vector<std::string>> confirmed_variables(const json::value& body) {
  std::vector<std::string> names;
  const auto* list = member(body, "hostVariables");
  if (list == nullptr || list->is_null()) return names;
  if (!list->is_array()) return bad_request("hostVariables must be an array of names");
  for (const auto& name : list->get_array()) {
    if (!name.is_string()) return bad_request("hostVariables must be an array of names");
    names.emplace_back(name.get_string());
  }
  return names;
}

Result<Answer> install_plugin(Call& call) {
  const json::value body = call.body.value_or(json::object());
  const auto* name = member(body, "packageName");
  if (name == nullptr || !name->is_string() || name->get_string().empty()) return bad_request("packageName is required and must be a string");
  const auto* version = member(body, "version");
  if (version != nullptr && !version->is_string()) return bad_request("version must be a string if provided");
  const auto* local = member(body, "isLocalPath");
  if (local != nullptr && !local->is_bool()) return bad_request("isLocalPath must be a boolean if provided");
  plugins::InstallRequest request;
  request.package_name = std::string(trim(name->get_string()));
  if (request.package_name.empty()) return bad_request("packageName cannot be empty");
  request.is_local_path = local != nullptr && local->get_bool();
  // What begins with a slash is no package name.
  if (!request.is_local_path && request.package_name.starts_with('/')) request.is_local_path = true;
  if (!request.is_local_path && request.package_name.find_first_of("<>:\"|?*") != std::string::npos) return bad_request("packageName contains invalid characters");
  if (version != nullptr) request.version = std::string(version->get_string());
  request.host_variables = TRY(confirmed_variables(body));
  auto* host = TRY(plugin_host(call));
  const auto plugin = host->install(request, domain::Author::of(call.actor));
  // Whatever stopped it is the caller's to know, and a 400 (spec/plugins.md 5.2).
  if (!plugin) return bad_request(plugin.error().message);
  return ok(json::value(plugin_json(call, *plugin)));
}

Result<Answer> get_plugin(Call& call) {
  TRY(require_board_with_company(call));
  const auto plugin = TRY(plugin_in_path(call));
  auto out = plugin_json(call, plugin);
  const auto active = call.services.plugins != nullptr ? call.services.plugins->active(plugin.id) : nullptr;
  out["supportsConfigTest"] = active && active->worker->supports("validateConfig");
  return ok(json::value(std::move(out)));
}

Result<Answer> answer_record(Call& call, const Result<Plugin>& plugin) {
  if (!plugin) return plugin.error();
  return ok(json::value(plugin_json(call, *plugin)));
}

Result<Answer> uninstall_plugin(Call& call) {
  const auto plugin = TRY(plugin_in_path(call));
  auto* host = TRY(plugin_host(call));
  return answer_record(call, host->uninstall(plugin, call.query.flag("purge"), domain::Author::of(call.actor)));
}

Result<Answer> enable_plugin(Call& call) {
  const auto plugin = TRY(plugin_in_path(call));
  const auto variables = TRY(confirmed_variables(call.body.value_or(json::object())));
  auto* host = TRY(plugin_host(call));
  return answer_record(call, host->enable(plugin, variables, domain::Author::of(call.actor)));
}

Result<Answer> disable_plugin(Call& call) {
  const auto plugin = TRY(plugin_in_path(call));
  const auto reason = string_at(call.body.value_or(json::object()), "reason");
  auto* host = TRY(plugin_host(call));
  return answer_record(call, host->disable(plugin, reason, domain::Author::of(call.actor)));
}

Result<Answer> upgrade_plugin(Call& call) {
  const auto plugin = TRY(plugin_in_path(call));
  const auto version = text_at(call.body.value_or(json::object()), "version");
  auto* host = TRY(plugin_host(call));
  return answer_record(call, host->upgrade(plugin, version, domain::Author::of(call.actor)));
}

Result<Answer> get_health(Call& call) {
  TRY(require_board_with_company(call));
  return ok(json::value(plugin_health(TRY(plugin_in_path(call)))));
}

struct LogRow {
  AnyId id;
  PluginId plugin_id;
  std::string level, message;
  std::optional<RawJson> meta;
  Timestamp created_at;
};
BOOST_DESCRIBE_STRUCT(LogRow, (), (id, plugin_id, level, message, meta, created_at))

Result<Answer> get_logs(Call& call) {
  TRY(require_board_with_company(call));
  const auto plugin = TRY(plugin_in_path(call));
  if (call.services.plugins != nullptr) call.services.plugins->flush_logs();
  const auto limit = std::clamp<std::int64_t>(whole_number(call, "limit").value_or(25), 1, 500);
  const std::string level = call.query.text("level").value_or("");
  const Timestamp since = parse_iso(call.query.text("since").value_or("")).value_or(Timestamp{0});
  return ok(call.services.database.read([&](store::Reader& reader) {
    return reader.all<LogRow>("select {} from plugin_logs where plugin_id = :1 and (:2 = '' or level = :3) and created_at >= :4 order by created_at desc, id desc limit :5", plugin.id, level,
                              level, since, limit);
  }));
}

}  // namespace

void add_plugin_routes(Routes& routes) {
  const char* admin = "Instance admin access required";
  routes.get("/api/plugins", list_plugins).callers(board);
  routes.get("/api/plugins/examples", list_examples).callers(board);
  routes.get("/api/plugins/ui-contributions", list_contributions).callers(board);
  routes.post("/api/plugins/install", install_plugin).callers(instance_admin, admin);
  routes.get("/api/plugins/{pluginId}", get_plugin).callers(board);
  routes.remove("/api/plugins/{pluginId}", uninstall_plugin).callers(instance_admin, admin);
  routes.post("/api/plugins/{pluginId}/enable", enable_plugin).callers(instance_admin, admin);
  routes.post("/api/plugins/{pluginId}/disable", disable_plugin).callers(instance_admin, admin);
  routes.post("/api/plugins/{pluginId}/upgrade", upgrade_plugin).callers(instance_admin, admin);
  routes.get("/api/plugins/{pluginId}/health", get_health).callers(board);
  routes.get("/api/plugins/{pluginId}/logs", get_logs).callers(board);
}

}  // namespace paperclip::api
