#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/text.h"
#include "domain/plugins/jobs.h"
#include "os/child_environment.h"
#include "os/files.h"
#include "plugins/host.h"
#include "plugins/npm.h"
#include "plugins/package.h"
#include "store/database.h"

/// Installing, enabling, disabling, upgrading, uninstalling (spec/plugins.md 5).
namespace paperclip::plugins {

namespace fs = std::filesystem;
using domain::Plugin;
using domain::PluginStatus;

namespace {

constexpr std::chrono::seconds manifest_patience{30};

bool is_tarball(const fs::path& path) {
  const std::string name = path.filename().string();
  std::error_code ec;
  return (name.ends_with(".tgz") || name.ends_with(".tar.gz")) && fs::is_regular_file(path, ec);
}

Result<> check_confirmed(const domain::PluginManifest& manifest, const std::vector<std::string>& confirmed) {
  for (const auto& name : confirmed) {
    if (!manifest.host_variables || std::find(manifest.host_variables->begin(), manifest.host_variables->end(), name) == manifest.host_variables->end())
      return bad_request("Plugin " + manifest.id + " does not ask for the host variable " + name);
    if (os::is_server_variable(name)) return bad_request("The host variable " + name + " belongs to the server and is given to no plugin");
  }
  return {};
}

json::object plugin_details(const Plugin& plugin, json::object further = {}) {
  json::object details{{"pluginId", plugin.id.view()}, {"pluginKey", plugin.plugin_key}};
  for (auto& item : further) details[item.key()] = item.value();
  return details;
}

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

}  // namespace

Result<> PluginHost::check_for_host(const domain::PluginManifest& manifest) const {
  TRY(domain::check_manifest_for_host(manifest, options_.host_version));
  if (!manifest.database) return {};
  if (options_.database_url.empty())
    return bad_request("Plugin " + manifest.id + " needs a database namespace of its own, which only PostgreSQL can give: set DATABASE_URL to a PostgreSQL database and start the server again");
  return {};
}

Result<PluginHost::FetchedPackage> PluginHost::fetch(const InstallRequest& request) {
  FetchedPackage fetched;
  fs::path root;
  const Deadline npm = Deadline::in(options_.npm_patience);
  if (request.is_local_path) {
    std::error_code ec;
    fs::path path = fs::absolute(request.package_name, ec).lexically_normal();
    if (path.has_relative_path() && path.filename().empty()) path = path.parent_path();
    if (!fs::exists(path, ec)) return bad_request("Local plugin path does not exist: " + path.string());
    if (is_tarball(path)) {
      root = TRY(npm_install_tarball(path, options_.plugin_directory, options_.host, npm));
    } else {
      root = path;
      fetched.local = true;
    }
  } else {
    PackageSpec spec = split_package_spec(request.package_name);
    if (request.version && !request.version->empty()) spec.version = *request.version;
    root = TRY(npm_install(spec, options_.plugin_directory, options_.host, npm));
  }
  auto loaded = TRY(load_package(root, options_.host, Deadline::in(manifest_patience)));
  TRY(check_for_host(loaded.manifest));
  fetched.package.package_name = loaded.name;
  if (fetched.local) fetched.package.package_path = root.string();
  fetched.package.manifest = std::move(loaded.manifest);
  return fetched;
}

Result<Plugin> PluginHost::load(const PluginId& id) {
  auto plugin = TRY(options_.database.write([&](store::Transaction& tx) { return domain::move_plugin(tx, id, PluginStatus::ready); }));
  auto started = activate(plugin);
  if (started) return plugin;
  const std::string message = "Activation failed: " + started.error().message;
  TRY(options_.database.write([&](store::Transaction& tx) { return domain::move_plugin(tx, id, PluginStatus::error, message); }));
  return bad_request(message);
}

Result<Plugin> PluginHost::install(const InstallRequest& request, const domain::Author& author) {
  std::lock_guard life(life_);
  const FetchedPackage fetched = TRY(fetch(request));
  TRY(check_confirmed(fetched.package.manifest, request.host_variables));
  const auto recorded = TRY(options_.database.write([&](store::Transaction& tx) { return domain::record_install(tx, fetched.package, request.host_variables); }));
  auto plugin = TRY(load(recorded.id));
  TRY(options_.database.write([&](store::Transaction& tx) -> Result<> {
    domain::log_plugin_activity(tx, author, "plugin.installed", plugin.id,
                                plugin_details(plugin, {{"packageName", plugin.package_name}, {"version", plugin.version}, {"source", fetched.local ? "local_path" : "npm"}}));
    return {};
  }));
  return plugin;
}

Result<Plugin> PluginHost::enable(const Plugin& plugin, const std::vector<std::string>& host_variables, const domain::Author& author) {
  std::lock_guard life(life_);
  const std::string status(to_text(plugin.status));
  if (plugin.status != PluginStatus::disabled && plugin.status != PluginStatus::error && plugin.status != PluginStatus::upgrade_pending)
    return bad_request("Cannot enable plugin in status '" + status + "'. Plugin must be in 'disabled', 'error', or 'upgrade_pending' status to be enabled.");
  const auto manifest = TRY(domain::stored_manifest(plugin));
  TRY(check_confirmed(manifest, host_variables));
  if (!host_variables.empty()) {
    TRY(options_.database.write([&](store::Transaction& tx) -> Result<> {
      auto all = domain::granted_variables(tx, plugin.id);
      for (const auto& name : host_variables)
        if (std::find(all.begin(), all.end(), name) == all.end()) all.push_back(name);
      domain::grant_variables(tx, plugin.id, all);
      return {};
    }));
  }
  deactivate(plugin.id);
  auto enabled = TRY(load(plugin.id));
  TRY(options_.database.write([&](store::Transaction& tx) -> Result<> {
    domain::log_plugin_activity(tx, author, "plugin.enabled", plugin.id, plugin_details(enabled, {{"version", enabled.version}}));
    return {};
  }));
  return enabled;
}

Result<Plugin> PluginHost::disable(const Plugin& plugin, const std::optional<std::string>& reason, const domain::Author& author) {
  std::lock_guard life(life_);
  if (plugin.status != PluginStatus::ready)
    return bad_request("Cannot disable plugin in status '" + std::string(to_text(plugin.status)) + "'. Plugin must be in 'ready' status to be disabled.");
  deactivate(plugin.id);
  return options_.database.write([&](store::Transaction& tx) -> Result<Plugin> {
    auto moved = TRY(domain::move_plugin(tx, plugin.id, PluginStatus::disabled, reason));
    domain::log_plugin_activity(tx, author, "plugin.disabled", plugin.id,
                                plugin_details(moved, {{"reason", reason ? json::value(*reason) : json::value(nullptr)}}));
    return moved;
  });
}

Result<Plugin> PluginHost::uninstall(const Plugin& plugin, bool purge, const domain::Author& author) {
  std::lock_guard life(life_);
  if (plugin.status == PluginStatus::uninstalled && !purge)
    return bad_request("Plugin " + plugin.plugin_key + " is already uninstalled. Use removeData=true to permanently delete it.");
  deactivate(plugin.id);
  const bool elsewhere = plugin.package_path && !is_inside(fs::path(*plugin.package_path).lexically_normal(), options_.plugin_directory.lexically_normal());
  if (!elsewhere && plugin.status != PluginStatus::uninstalled)
    TRY(npm_uninstall(plugin.package_name, options_.plugin_directory, options_.host, Deadline::in(options_.npm_patience)));
  if (purge && !options_.database_url.empty())
    if (const auto manifest = domain::stored_manifest(plugin); manifest && manifest->database) TRY(PluginDatabase(options_.database_url, plugin, *manifest).drop());
  return options_.database.write([&](store::Transaction& tx) -> Result<Plugin> {
    Plugin affected = plugin;
    if (purge) TRY(domain::purge_plugin(tx, plugin.id));
    else affected = TRY(domain::move_plugin(tx, plugin.id, PluginStatus::uninstalled));
    domain::log_plugin_activity(tx, author, "plugin.uninstalled", plugin.id, plugin_details(plugin, {{"purge", purge}}));
    return affected;
  });
}

Result<Plugin> PluginHost::upgrade(const Plugin& plugin, const std::optional<std::string>& version, const domain::Author& author) {
  std::lock_guard life(life_);
  if (plugin.status != PluginStatus::ready && plugin.status != PluginStatus::upgrade_pending)
    return bad_request("Cannot upgrade plugin in status '" + std::string(to_text(plugin.status)) + "'. Plugin must be in 'ready' or 'upgrade_pending' status to be upgraded.");
  const auto before = TRY(domain::stored_manifest(plugin));
  deactivate(plugin.id);
  // Whatever goes wrong from here on, the version that was there works on if it still can.
  const auto give_up = [&](Error error) -> Result<Plugin> {
    if (plugin.status == PluginStatus::ready)
      if (auto again = load(plugin.id); !again) spdlog::error("plugin.not_restored plugin={} error={}", plugin.plugin_key, again.error().message);
    return error;
  };
  InstallRequest request{plugin.package_path.value_or(plugin.package_name), version, plugin.package_path.has_value(), {}};
  const auto fetched = fetch(request);
  if (!fetched) return give_up(fetched.error());
  const auto& manifest = fetched->package.manifest;
  if (manifest.id != plugin.plugin_key)
    return give_up(bad_request("Upgrade failed: new manifest ID '" + manifest.id + "' does not match existing plugin ID '" + plugin.plugin_key + "'"));
  std::vector<std::string> grown;
  for (const auto& capability : manifest.capabilities)
    if (!before.has(capability)) grown.push_back(capability);
  auto recorded = options_.database.write([&](store::Transaction& tx) -> Result<Plugin> {
    auto row = TRY(domain::record_upgrade(tx, plugin.id, fetched->package));
    domain::log_plugin_activity(tx, author, "plugin.upgraded", plugin.id,
                                plugin_details(row, {{"previousVersion", plugin.version}, {"version", row.version}, {"targetVersion", version ? json::value(*version) : json::value(nullptr)}}));
    if (!grown.empty() && row.status == PluginStatus::ready)
      row = TRY(domain::move_plugin(tx, plugin.id, PluginStatus::upgrade_pending, "The new version wants more capabilities: " + join(grown) + ". Enabling it approves them."));
    return row;
  });
  if (!recorded) return give_up(recorded.error());
  if (recorded->status == PluginStatus::upgrade_pending) return recorded;
  return load(plugin.id);
}

Result<domain::PluginConfig> PluginHost::save_config(const Plugin& plugin, const json::object& config, const domain::Author& author) {
  auto saved = TRY(options_.database.write([&](store::Transaction& tx) -> Result<domain::PluginConfig> {
    auto row = domain::save_plugin_config(tx, plugin.id, config);
    domain::log_plugin_activity(tx, author, "plugin.config.updated", plugin.id, plugin_details(plugin, {{"configKeyCount", config.size()}}));
    return row;
  }));
  const auto running = active(plugin.id);
  if (!running || !running->worker->running()) return saved;
  const auto told = running->worker->call("configChanged", json::object{{"config", config}});
  if (!told.ok() && told.failure->code == rpc_code::not_implemented) {
    // It sees the new configuration when it starts.
    std::lock_guard life(life_);
    deactivate(plugin.id);
    if (auto again = load(plugin.id); !again) spdlog::error("plugin.not_restarted plugin={} error={}", plugin.plugin_key, again.error().message);
  }
  return saved;
}

}  // namespace paperclip::plugins
