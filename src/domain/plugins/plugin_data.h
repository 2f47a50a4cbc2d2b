#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <optional>
#include <string>

#include "base/id.h"
#include "base/json.h"
#include "base/time.h"
#include "domain/schema/table_of.h"

/// What the host keeps for plugins (spec/plugins.md 4, 12–14, 21). Scope kinds are text: plugins name their own.
namespace paperclip::domain {

/// One value a plugin stored. An empty scope id is stored as none.
struct PluginState {
  AnyId id;
  PluginId plugin_id;
  std::string scope_kind;
  std::optional<std::string> scope_id;
  std::string namespace_ = "default";
  std::string state_key;
  RawJson value_json;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(PluginState, (),
                      (id, plugin_id, scope_kind, scope_id, namespace_, state_key, value_json, updated_at))
template <>
inline constexpr std::string_view table_of<PluginState> = "plugin_state";

/// A record that a plugin mirrors from elsewhere.
struct PluginEntity {
  PluginEntityId id;
  PluginId plugin_id;
  std::string entity_type;
  std::string scope_kind;
  std::optional<std::string> scope_id;
  std::optional<std::string> external_id;
  std::optional<std::string> title;
  std::optional<std::string> status;
  RawJson data{std::string("{}")};
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(PluginEntity, (),
                      (id, plugin_id, entity_type, scope_kind, scope_id, external_id, title, status, data, created_at,
                       updated_at))
template <>
inline constexpr std::string_view table_of<PluginEntity> = "plugin_entities";

/// A line a plugin logged.
struct PluginLog {
  AnyId id;
  PluginId plugin_id;
  std::string level = "info";
  std::string message;
  std::optional<RawJson> meta;
  Timestamp created_at;
};
BOOST_DESCRIBE_STRUCT(PluginLog, (), (id, plugin_id, level, message, meta, created_at))
template <>
inline constexpr std::string_view table_of<PluginLog> = "plugin_logs";

enum class PluginNamespaceStatus { active, migration_failed };
BOOST_DESCRIBE_ENUM(PluginNamespaceStatus, active, migration_failed)

/// The database schema that belongs to a plugin (PostgreSQL only).
struct PluginDatabaseNamespace {
  AnyId id;
  PluginId plugin_id;
  std::string plugin_key;
  std::string namespace_name;
  std::string namespace_mode = "schema";
  PluginNamespaceStatus status = PluginNamespaceStatus::active;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(PluginDatabaseNamespace, (),
                      (id, plugin_id, plugin_key, namespace_name, namespace_mode, status, created_at, updated_at))
template <>
inline constexpr std::string_view table_of<PluginDatabaseNamespace> = "plugin_database_namespaces";

enum class PluginMigrationStatus { applied, failed };
BOOST_DESCRIBE_ENUM(PluginMigrationStatus, applied, failed)

/// A migration of a plugin's schema.
struct PluginMigration {
  AnyId id;
  PluginId plugin_id;
  std::string plugin_key;
  std::string namespace_name;
  std::string migration_key;
  std::string checksum;
  std::string plugin_version;
  PluginMigrationStatus status{};
  Timestamp started_at;
  std::optional<Timestamp> applied_at;
  std::optional<std::string> error_message;
};
BOOST_DESCRIBE_STRUCT(PluginMigration, (),
                      (id, plugin_id, plugin_key, namespace_name, migration_key, checksum, plugin_version, status,
                       started_at, applied_at, error_message))
template <>
inline constexpr std::string_view table_of<PluginMigration> = "plugin_migrations";

}  // namespace paperclip::domain
