#include "base/text.h"
#include "base/write_json.h"
#include "domain/activity/activity.h"
#include "plugins/host.h"
#include "plugins/host_methods.h"
#include "store/database.h"

/// What is the plugin's own: configuration, state, records, events, log (spec/plugins.md 9, 12, 13, 15, 21).
namespace paperclip::plugins {

namespace {

// Calls a rule that cannot fail by itself.
template <class F>
Result<> write(const HostCall& call, F&& rule) {
  return call.host.options().database.write([&](store::Transaction& tx) -> Result<> {
    rule(tx);
    return {};
  });
}

Result<json::value> get_config(const HostCall& call) {
  return call.host.options().database.read([&](store::Reader& reader) -> Result<json::value> {
    const auto row = domain::plugin_config(reader, call.plugin.row.id);
    return row ? row->config_json.parse() : json::value(json::object());
  });
}

Result<domain::StateKey> state_key(const HostCall& call) {
  domain::StateKey key;
  key.scope_kind = TRY(call.needed("scopeKind"));
  key.scope_id = string_at(call.params, "scopeId");
  key.namespace_ = call.text("namespace").value_or("default");
  key.state_key = TRY(call.needed("stateKey"));
  return key;
}

Result<json::value> get_state(const HostCall& call) {
  const auto key = TRY(state_key(call));
  return call.host.options().database.read([&](store::Reader& reader) -> Result<json::value> { return domain::read_state(reader, call.plugin.row.id, key).parse(); });
}

Result<json::value> set_state(const HostCall& call) {
  const auto key = TRY(state_key(call));
  const auto* value = member(call.params, "value");
  const RawJson stored(value != nullptr ? *value : json::value(nullptr));
  if (stored.text.find("\\u0000") != std::string::npos) return bad_request("A stored value must not hold U+0000");
  TRY(write(call, [&](store::Transaction& tx) { domain::write_state(tx, call.plugin.row.id, key, stored); }));
  return json::value(nullptr);
}

Result<json::value> delete_state(const HostCall& call) {
  const auto key = TRY(state_key(call));
  TRY(write(call, [&](store::Transaction& tx) { domain::delete_state(tx, call.plugin.row.id, key); }));
  return json::value(nullptr);
}

Result<json::value> upsert_entity(const HostCall& call) {
  domain::EntityInput input;
  input.entity_type = TRY(call.needed("entityType"));
  input.scope_kind = TRY(call.needed("scopeKind"));
  input.scope_id = string_at(call.params, "scopeId");
  input.external_id = string_at(call.params, "externalId");
  input.title = string_at(call.params, "title");
  input.status = string_at(call.params, "status");
  if (const auto* data = member(call.params, "data"); data != nullptr && !data->is_null()) input.data = RawJson(*data);
  return call.host.options().database.write([&](store::Transaction& tx) -> Result<json::value> { return to_json(domain::upsert_entity(tx, call.plugin.row.id, input)); });
}

std::int64_t number_or(const json::value& params, std::string_view key, std::int64_t otherwise) {
  const auto* value = member(params, key);
  if (value == nullptr || !value->is_number()) return otherwise;
  return std::max<std::int64_t>(0, static_cast<std::int64_t>(value->to_number<double>()));
}

Result<json::value> list_entities(const HostCall& call) {
  domain::EntityFilter filter{call.text("entityType"), call.text("externalId"), call.text("scopeKind"), call.text("scopeId"),
                              number_or(call.params, "limit", 100), number_or(call.params, "offset", 0)};
  return call.host.options().database.read(
      [&](store::Reader& reader) -> Result<json::value> { return RawJson(write_json(domain::list_entities(reader, call.plugin.row.id, filter))).parse(); });
}

Result<json::value> emit_event(const HostCall& call) {
  const auto name = call.text("name");
  if (!name) return bad_request("Plugin \"" + call.plugin.row.plugin_key + "\" must provide a non-empty event name");
  if (name->starts_with("plugin."))
    return bad_request("Plugin \"" + call.plugin.row.plugin_key + "\" must not include the \"plugin.\" prefix when emitting events");
  const auto company = call.text("companyId");
  if (!company) return bad_request("Plugin \"" + call.plugin.row.plugin_key + "\" must provide a companyId when emitting events");
  const auto* payload = member(call.params, "payload");
  call.host.publish({{"eventId", Random::system().uuid()},
                     {"eventType", "plugin." + call.plugin.row.plugin_key + "." + *name},
                     {"occurredAt", to_iso(Clock::system().now())},
                     {"actorId", call.plugin.row.plugin_key},
                     {"actorType", "plugin"},
                     {"companyId", *company},
                     {"payload", payload != nullptr ? *payload : json::value(nullptr)}});
  return json::value(nullptr);
}

Result<json::value> subscribe(const HostCall& call) {
  Subscription subscription{TRY(call.needed("eventPattern")), {}};
  if (const auto* filter = member(call.params, "filter"); filter != nullptr && filter->is_object()) subscription.filter = filter->get_object();
  call.host.subscribe(call.plugin, std::move(subscription));
  return json::value(nullptr);
}

Result<json::value> log(const HostCall& call) {
  const auto* meta = member(call.params, "meta");
  call.host.log(call.plugin, call.text("level").value_or("info"), string_at(call.params, "message").value_or(""), meta != nullptr ? std::optional(*meta) : std::nullopt);
  return json::value(nullptr);
}

Result<json::value> write_metric(const HostCall& call) {
  const std::string name(utf16_prefix(TRY(call.needed("name")), 500));
  const auto* value = member(call.params, "value");
  const auto* tags = member(call.params, "tags");
  json::object meta{{"value", value != nullptr ? *value : json::value(nullptr)}, {"tags", tags != nullptr ? *tags : json::value(nullptr)}};
  TRY(write(call, [&](store::Transaction& tx) { domain::store_logs(tx, call.plugin.row.id, {{"metric", name, json::value(meta), tx.now()}}); }));
  return json::value(nullptr);
}

Result<json::value> track(const HostCall& call) {
  const std::string name = call.text("eventName").value_or("");
  const auto fits = [](char c, bool first) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (!first && (c == '_' || c == '-')); };
  bool good = !name.empty();
  for (std::size_t i = 0; i < name.size(); ++i) good = good && fits(name[i], i == 0);
  if (!good) return bad_request("Plugin telemetry event names must be lowercase slugs using letters, numbers, \"_\" or \"-\".");
  // Nothing is sent anywhere: this server has no telemetry.
  return json::value(nullptr);
}

Result<json::value> log_activity(const HostCall& call) {
  const CompanyId company = TRY(call.company());
  const std::string message = TRY(call.needed("message"));
  const std::string type = call.text("entityType").value_or("plugin"), id = call.text("entityId").value_or(call.plugin.row.id.str());
  const auto* metadata = member(call.params, "metadata");
  const auto author = domain::Author::of(call.actor(json::object()));
  return call.host.options().database.write([&](store::Transaction& tx) -> Result<json::value> {
    if (!tx.exists("select 1 from companies where id = :1", company)) return not_found("Company not found");
    domain::log_activity(tx, company, author, {message, type, id, metadata != nullptr ? *metadata : json::value(nullptr)});
    return json::value(nullptr);
  });
}

Result<PluginDatabase*> database_of(const HostCall& call) {
  if (!call.plugin.database) return bad_request("Plugin database namespace is not active");
  return call.plugin.database.get();
}

json::array params_of(const HostCall& call) {
  const auto* params = member(call.params, "params");
  return params != nullptr && params->is_array() ? params->get_array() : json::array();
}

Result<json::value> database_name(const HostCall& call) { return json::value(TRY(database_of(call))->schema()); }
Result<json::value> query_database(const HostCall& call) { return TRY(database_of(call))->query(TRY(call.needed("sql")), params_of(call)); }
Result<json::value> execute_in_database(const HostCall& call) { return TRY(database_of(call))->execute(TRY(call.needed("sql")), params_of(call)); }

}  // namespace

void add_own_methods(HostMethods::Table& table) {
  table["config.get"] = {nullptr, get_config};
  table["state.get"] = {"plugin.state.read", get_state};
  table["state.set"] = {"plugin.state.write", set_state};
  table["state.delete"] = {"plugin.state.write", delete_state};
  table["db.namespace"] = {"database.namespace.read", database_name};
  table["db.query"] = {"database.namespace.read", query_database};
  table["db.execute"] = {"database.namespace.write", execute_in_database};
  table["entities.upsert"] = {nullptr, upsert_entity};
  table["entities.list"] = {nullptr, list_entities};
  table["events.emit"] = {"events.emit", emit_event};
  table["events.subscribe"] = {"events.subscribe", subscribe};
  table["log"] = {nullptr, log};
  table["metrics.write"] = {"metrics.write", write_metric};
  table["telemetry.track"] = {"telemetry.track", track};
  table["activity.log"] = {"activity.log.write", log_activity};
}

}  // namespace paperclip::plugins
