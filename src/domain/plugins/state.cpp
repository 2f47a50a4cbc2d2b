#include "domain/plugins/state.h"

#include "base/text.h"
#include "base/write_json.h"

namespace paperclip::domain {

namespace {

constexpr std::size_t longest_message = 10'000, longest_meta = 50'000;

std::string scope_of(const StateKey& key) { return key.scope_id.value_or(""); }

std::string without_nul(std::string text) {
  return text.find('\0') == std::string::npos ? text : replace_all(std::move(text), std::string_view("\0", 1), "\xEF\xBF\xBD");
}

std::optional<RawJson> stored_meta(const std::optional<json::value>& meta) {
  if (!meta || meta->is_null()) return std::nullopt;
  json::value kept = *meta;
  if (kept.is_object())
    for (const char* name : {"level", "time", "pid", "hostname", "msg", "v"}) kept.get_object().erase(name);
  std::string text = to_string(kept);
  if (utf16_length(text) > longest_meta) text = R"({"_sanitised":true,"_error":"meta exceeded 50000 chars"})";
  // An escaped NUL is as little welcome as a bare one.
  return RawJson(replace_all(std::move(text), "\\u0000", "\\ufffd"));
}

}  // namespace

RawJson read_state(store::Reader& reader, const PluginId& plugin, const StateKey& key) {
  return reader
      .value<RawJson>("select value_json from plugin_state where plugin_id = :1 and scope_kind = :2 and coalesce(scope_id, '') = :3 and namespace = :4 and state_key = :5",
                      plugin, key.scope_kind, scope_of(key), key.namespace_, key.state_key)
      .value_or(RawJson());
}

void write_state(store::Transaction& tx, const PluginId& plugin, const StateKey& key, const RawJson& value) {
  std::optional<std::string> scope;
  if (!scope_of(key).empty()) scope = key.scope_id;
  tx.execute(
      "insert into plugin_state (id, plugin_id, scope_kind, scope_id, namespace, state_key, value_json, updated_at) values (:1, :2, :3, :4, :5, :6, :7, :8) "
      "on conflict (plugin_id, scope_kind, coalesce(scope_id, ''), namespace, state_key) do update set value_json = excluded.value_json, updated_at = excluded.updated_at",
      tx.new_id<AnyId>(), plugin, key.scope_kind, scope, key.namespace_, key.state_key, value.text.empty() ? RawJson(std::string("null")) : value, tx.now());
}

void delete_state(store::Transaction& tx, const PluginId& plugin, const StateKey& key) {
  tx.execute("delete from plugin_state where plugin_id = :1 and scope_kind = :2 and coalesce(scope_id, '') = :3 and namespace = :4 and state_key = :5", plugin,
             key.scope_kind, scope_of(key), key.namespace_, key.state_key);
}

PluginEntity upsert_entity(store::Transaction& tx, const PluginId& plugin, const EntityInput& input) {
  std::optional<PluginEntity> entity;
  if (input.external_id)
    entity = tx.one<PluginEntity>("select {} from plugin_entities where plugin_id = :1 and entity_type = :2 and external_id = :3", plugin, input.entity_type, *input.external_id);
  const bool again = entity.has_value();
  if (!again) {
    entity.emplace();
    entity->id = tx.new_id<PluginEntityId>();
    entity->plugin_id = plugin;
    entity->entity_type = input.entity_type;
    entity->external_id = input.external_id;
    entity->created_at = tx.now();
  }
  entity->scope_kind = input.scope_kind;
  if (input.scope_id || !again) entity->scope_id = input.scope_id;
  if (input.title || !again) entity->title = input.title;
  if (input.status || !again) entity->status = input.status;
  entity->data = input.data;
  entity->updated_at = tx.now();
  if (again) tx.update("plugin_entities", *entity);
  else tx.insert("plugin_entities", *entity);
  return *std::move(entity);
}

std::vector<PluginEntity> list_entities(store::Reader& reader, const PluginId& plugin, const EntityFilter& filter) {
  return reader.all<PluginEntity>(
      "select {} from plugin_entities where plugin_id = :1 and (:2 = '' or entity_type = :3) and (:4 = '' or external_id = :5) "
      "and (:6 = '' or scope_kind = :7) and (:8 = '' or scope_id = :9) order by created_at, id limit :10 offset :11",
      plugin, filter.entity_type.value_or(""), filter.entity_type.value_or(""), filter.external_id.value_or(""), filter.external_id.value_or(""),
      filter.scope_kind.value_or(""), filter.scope_kind.value_or(""), filter.scope_id.value_or(""), filter.scope_id.value_or(""), filter.limit, filter.offset);
}

void store_logs(store::Transaction& tx, const PluginId& plugin, const std::vector<LogEntry>& entries) {
  for (const auto& entry : entries) {
    PluginLog row;
    row.id = tx.new_id<AnyId>();
    row.plugin_id = plugin;
    row.level = entry.level;
    row.message = without_nul(entry.message);
    if (utf16_length(row.message) > longest_message) row.message = std::string(utf16_prefix(row.message, longest_message)) + "...[truncated]";
    row.meta = stored_meta(entry.meta);
    row.created_at = entry.at;
    tx.insert("plugin_logs", row);
  }
}

std::int64_t prune_plugin_logs(store::Transaction& tx, Timestamp before, int limit) {
  return tx.execute("delete from plugin_logs where id in (select id from plugin_logs where created_at < :1 order by created_at, id limit :2)", before, limit);
}

}  // namespace paperclip::domain
