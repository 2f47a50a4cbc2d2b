#include "domain/plugins/plugins.h"

#include <algorithm>

#include "base/write_json.h"
#include "domain/activity/activity.h"
#include "domain/plugins/plugin_states.h"

namespace paperclip::domain {

namespace {

std::optional<Plugin> by_key(store::Reader& reader, std::string_view key) {
  return reader.one<Plugin>("select {} from plugins where plugin_key = :1", key);
}

Result<Plugin> by_id(store::Reader& reader, const PluginId& id) {
  auto plugin = reader.one<Plugin>("select {} from plugins where id = :1", id);
  if (!plugin) return not_found("Plugin not found");
  return *std::move(plugin);
}

// A page's path leads to one plugin.
Result<> check_page_paths(store::Reader& reader, const PluginManifest& manifest) {
  if (!manifest.ui || !manifest.ui->slots) return {};
  for (const auto& other : list_plugins(reader, std::nullopt)) {
    if (other.plugin_key == manifest.id) continue;
    const auto theirs = stored_manifest(other);
    if (!theirs || !theirs->ui || !theirs->ui->slots) continue;
    for (const auto& slot : *manifest.ui->slots)
      for (const auto& taken : *theirs->ui->slots)
        if (slot.route_path && taken.route_path && *slot.route_path == *taken.route_path)
          return bad_request("Plugin " + manifest.id + " routePath \"" + *slot.route_path + "\" conflicts with installed plugin " + other.plugin_key);
  }
  return {};
}

void fill(Plugin& plugin, const PluginPackage& package, Timestamp now) {
  plugin.plugin_key = package.manifest.id;
  plugin.package_name = package.package_name;
  plugin.package_path = package.package_path;
  plugin.version = package.manifest.version;
  plugin.api_version = package.manifest.api_version;
  plugin.categories = RawJson(write_json(package.manifest.categories));
  plugin.manifest_json = RawJson(write_json(package.manifest));
  plugin.updated_at = now;
}

}  // namespace

std::optional<Plugin> find_plugin(store::Reader& reader, std::string_view reference) {
  const bool key_only = reference.starts_with('@') || reference.find('/') != std::string_view::npos;
  if (!key_only) {
    if (const auto id = PluginId::parse(reference)) {
      if (auto plugin = reader.one<Plugin>("select {} from plugins where id = :1", *id)) return plugin;
      if (is_strict_uuid(reference)) return std::nullopt;
    }
  }
  return by_key(reader, reference);
}

std::vector<Plugin> list_plugins(store::Reader& reader, std::optional<PluginStatus> status) {
  if (status) return reader.all<Plugin>("select {} from plugins where status = :1 order by install_order, id", *status);
  return reader.all<Plugin>("select {} from plugins where status <> 'uninstalled' order by install_order, id");
}

Result<PluginManifest> stored_manifest(const Plugin& plugin) { return read_manifest(plugin.manifest_json.parse()); }

Result<Plugin> record_install(store::Transaction& tx, const PluginPackage& package, const std::vector<std::string>& granted) {
  TRY(check_page_paths(tx, package.manifest));
  auto plugin = by_key(tx, package.manifest.id);
  if (plugin && !plugin_transitions.allow(plugin->status, PluginStatus::installed)) return bad_request("Plugin already installed: " + plugin->plugin_key);
  const bool again = plugin.has_value();
  if (!again) {
    plugin.emplace();
    plugin->id = tx.new_id<PluginId>();
    plugin->install_order = tx.value<int>("select max(install_order) from plugins").value_or(0) + 1;
    plugin->installed_at = tx.now();
  }
  fill(*plugin, package, tx.now());
  plugin->status = PluginStatus::installed;
  plugin->last_error.reset();
  if (again) tx.update("plugins", *plugin);
  else tx.insert("plugins", *plugin);
  grant_variables(tx, plugin->id, granted);
  return *std::move(plugin);
}

Result<Plugin> record_upgrade(store::Transaction& tx, const PluginId& id, const PluginPackage& package) {
  TRY(check_page_paths(tx, package.manifest));
  Plugin plugin = TRY(by_id(tx, id));
  fill(plugin, package, tx.now());
  tx.update("plugins", plugin);
  std::vector<std::string> kept;
  for (const auto& name : granted_variables(tx, id))
    if (package.manifest.host_variables && std::find(package.manifest.host_variables->begin(), package.manifest.host_variables->end(), name) != package.manifest.host_variables->end())
      kept.push_back(name);
  grant_variables(tx, id, kept);
  return plugin;
}

Result<Plugin> move_plugin(store::Transaction& tx, const PluginId& id, PluginStatus to, std::optional<std::string> last_error) {
  Plugin plugin = TRY(by_id(tx, id));
  if (!plugin_transitions.allow(plugin.status, to))
    return bad_request("Invalid lifecycle transition: " + std::string(to_text(plugin.status)) + " → " + std::string(to_text(to)) + " for plugin " + plugin.plugin_key);
  plugin.status = to;
  plugin.last_error = std::move(last_error);
  plugin.updated_at = tx.now();
  tx.update("plugins", plugin);
  return plugin;
}

Result<> purge_plugin(store::Transaction& tx, const PluginId& id) {
  if (tx.execute("delete from plugins where id = :1", id) == 0) return not_found("Plugin not found");
  return {};
}

std::vector<std::string> granted_variables(store::Reader& reader, const PluginId& id) {
  std::vector<std::string> names;
  const auto stored = reader.value<RawJson>("select granted_variables from plugins where id = :1", id);
  if (!stored) return names;
  if (const json::value list = stored->parse(); list.is_array())
    for (const auto& name : list.get_array())
      if (name.is_string()) names.emplace_back(name.get_string());
  return names;
}

void grant_variables(store::Transaction& tx, const PluginId& id, const std::vector<std::string>& names) {
  tx.execute("update plugins set granted_variables = :1 where id = :2", RawJson(write_json(names)), id);
}

void log_plugin_activity(store::Transaction& tx, const Author& author, std::string_view action, const PluginId& id, const json::object& details) {
  for (const auto& company : tx.column<CompanyId>("select id from companies order by created_at, id"))
    log_activity(tx, company, author, {action, "plugin", id.str(), details});
}

std::optional<PluginConfig> plugin_config(store::Reader& reader, const PluginId& id) {
  return reader.one<PluginConfig>("select {} from plugin_config where plugin_id = :1", id);
}

PluginConfig save_plugin_config(store::Transaction& tx, const PluginId& id, const json::object& config) {
  auto row = plugin_config(tx, id);
  const bool again = row.has_value();
  if (!again) {
    row.emplace();
    row->id = tx.new_id<AnyId>();
    row->plugin_id = id;
    row->created_at = tx.now();
  }
  row->config_json = RawJson(json::value(config));
  row->last_error.reset();
  row->updated_at = tx.now();
  if (again) tx.update("plugin_config", *row);
  else tx.insert("plugin_config", *row);
  return *std::move(row);
}

}  // namespace paperclip::domain
