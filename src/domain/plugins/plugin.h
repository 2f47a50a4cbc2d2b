#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <optional>
#include <string>

#include "base/id.h"
#include "base/json.h"
#include "base/time.h"
#include "domain/schema/table_of.h"

/// Plugins and their settings (spec/plugins.md 4).
namespace paperclip::domain {

enum class PluginStatus { installed, ready, disabled, error, upgrade_pending, uninstalled };
BOOST_DESCRIBE_ENUM(PluginStatus, installed, ready, disabled, error, upgrade_pending, uninstalled)

/// An installed plugin.
struct Plugin {
  PluginId id;
  std::string plugin_key;
  std::string package_name;
  std::optional<std::string> package_path;
  std::string version;
  int api_version = 1;
  RawJson categories{std::string("[]")};
  RawJson manifest_json;
  PluginStatus status = PluginStatus::installed;
  std::optional<int> install_order;
  std::optional<std::string> last_error;
  Timestamp installed_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(Plugin, (),
                      (id, plugin_key, package_name, package_path, version, api_version, categories, manifest_json,
                       status, install_order, last_error, installed_at, updated_at))
template <>
inline constexpr std::string_view table_of<Plugin> = "plugins";

/// A plugin's configuration for the whole instance.
struct PluginConfig {
  AnyId id;
  PluginId plugin_id;
  RawJson config_json{std::string("{}")};
  std::optional<std::string> last_error;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(PluginConfig, (), (id, plugin_id, config_json, last_error, created_at, updated_at))
template <>
inline constexpr std::string_view table_of<PluginConfig> = "plugin_config";

/// A plugin's settings in one company.
struct PluginCompanySettings {
  AnyId id;
  CompanyId company_id;
  PluginId plugin_id;
  bool enabled = true;
  RawJson settings_json{std::string("{}")};
  std::optional<std::string> last_error;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(PluginCompanySettings, (),
                      (id, company_id, plugin_id, enabled, settings_json, last_error, created_at, updated_at))
template <>
inline constexpr std::string_view table_of<PluginCompanySettings> = "plugin_company_settings";

}  // namespace paperclip::domain
