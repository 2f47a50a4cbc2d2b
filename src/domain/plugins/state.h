#pragma once

#include <optional>
#include <string>
#include <vector>

#include "domain/plugins/plugin_data.h"
#include "store/transaction.h"

/// What a plugin keeps with the host: scoped values, mirrored records, log lines (spec/plugins.md 12, 13, 21).
namespace paperclip::domain {

/// Names a value. An absent, null and empty scope id are the same.
struct StateKey {
  std::string scope_kind;
  std::optional<std::string> scope_id;
  std::string namespace_ = "default";
  std::string state_key;
};
/// null when there is none.
RawJson read_state(store::Reader& reader, const PluginId& plugin, const StateKey& key);
/// Any JSON, null too.
void write_state(store::Transaction& tx, const PluginId& plugin, const StateKey& key, const RawJson& value);
void delete_state(store::Transaction& tx, const PluginId& plugin, const StateKey& key);

struct EntityInput {
  std::string entity_type, scope_kind;
  std::optional<std::string> scope_id, external_id, title, status;
  RawJson data{std::string("{}")};
};
/// Overwrites the record with that external id; without one always makes a new record.
PluginEntity upsert_entity(store::Transaction& tx, const PluginId& plugin, const EntityInput& input);
struct EntityFilter {
  std::optional<std::string> entity_type, external_id, scope_kind, scope_id;
  std::int64_t limit = 100, offset = 0;
};
/// Oldest first.
std::vector<PluginEntity> list_entities(store::Reader& reader, const PluginId& plugin, const EntityFilter& filter);

struct LogEntry {
  std::string level, message;
  std::optional<json::value> meta;
  Timestamp at;
};
/// Cuts what is too long and stores the lines.
void store_logs(store::Transaction& tx, const PluginId& plugin, const std::vector<LogEntry>& entries);
/// Deletes at most `limit` lines older than `before`.
std::int64_t prune_plugin_logs(store::Transaction& tx, Timestamp before, int limit = 10'000);

}  // namespace paperclip::domain
