#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/access/actor.h"
#include "domain/plugins/manifest.h"
#include "domain/plugins/plugin.h"
#include "store/transaction.h"

/// The life of plugins as rows (spec/plugins.md 4, 5). Plugins belong to the instance, so no rule here takes a company;
/// what the board does is logged in every company.
namespace paperclip::domain {

/// By id or key, as `:pluginId` in a path is understood (spec/plugins.md 1).
std::optional<Plugin> find_plugin(store::Reader& reader, std::string_view reference);
/// By install order; all but the uninstalled when no status is given.
std::vector<Plugin> list_plugins(store::Reader& reader, std::optional<PluginStatus> status);
/// The manifest that the row holds; checked when it was stored.
Result<PluginManifest> stored_manifest(const Plugin& plugin);

/// A package that was fetched and checked.
struct PluginPackage {
  std::string package_name;
  std::optional<std::string> package_path;  // local installs: where it stays
  PluginManifest manifest;
};

/// A new row, or the uninstalled one of that key again, in `installed`. Fails (400) with
/// `Plugin already installed: <key>` and for a page path that another plugin has.
Result<Plugin> record_install(store::Transaction& tx, const PluginPackage& package, const std::vector<std::string>& granted_variables);
/// The new version's package and manifest; the status stays. Grants that the manifest no longer wants end.
Result<Plugin> record_upgrade(store::Transaction& tx, const PluginId& id, const PluginPackage& package);

/// Moves along `plugin_transitions`; 400 `Invalid lifecycle transition: <from> → <to> for plugin <key>` otherwise.
Result<Plugin> move_plugin(store::Transaction& tx, const PluginId& id, PluginStatus to, std::optional<std::string> last_error = std::nullopt);
/// Deletes the row and everything the host keeps for the plugin.
Result<> purge_plugin(store::Transaction& tx, const PluginId& id);

/// Host variables that the board let the worker have.
std::vector<std::string> granted_variables(store::Reader& reader, const PluginId& id);
void grant_variables(store::Transaction& tx, const PluginId& id, const std::vector<std::string>& names);

/// One entry per company of the instance (spec/plugins.md 25).
void log_plugin_activity(store::Transaction& tx, const Author& author, std::string_view action, const PluginId& id, const json::object& details);

std::optional<PluginConfig> plugin_config(store::Reader& reader, const PluginId& id);
/// Replaces the whole configuration.
PluginConfig save_plugin_config(store::Transaction& tx, const PluginId& id, const json::object& config);

}  // namespace paperclip::domain
