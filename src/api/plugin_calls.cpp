#include "api/plugin_calls.h"

#include <charconv>

#include "api/services.h"
#include "plugins/host.h"
#include "store/database.h"

namespace paperclip::api {

Result<plugins::PluginHost*> plugin_host(Call& call) {
  if (call.services.plugins == nullptr) return Error(ErrorKind::unavailable, "Plugin bridge is not enabled");
  return call.services.plugins;
}

Result<> require_board_with_company(const Call& call) {
  if (!call.actor.is_board()) return forbidden("Board access required");
  if (call.actor.is_local_implicit() || call.actor.is_instance_admin || !call.actor.memberships.empty()) return {};
  return forbidden("Company membership or instance admin access required");
}

Result<domain::Plugin> plugin_in_path(Call& call) {
  auto plugin = call.services.database.read([&](store::Reader& reader) { return domain::find_plugin(reader, call.param("pluginId")); });
  if (!plugin) return not_found("Plugin not found");
  return *std::move(plugin);
}

json::object plugin_json(Call& call, const domain::Plugin& plugin) {
  json::object out = to_json(plugin).as_object();
  out["grantedHostVariables"] = json::array();
  auto& granted = out["grantedHostVariables"].get_array();
  for (const auto& name : call.services.database.read([&](store::Reader& reader) { return domain::granted_variables(reader, plugin.id); })) granted.emplace_back(name);
  return out;
}

json::object plugin_health(const domain::Plugin& plugin) {
  const bool manifest = domain::stored_manifest(plugin).ok();
  const bool ready = plugin.status == domain::PluginStatus::ready;
  const std::string status(to_text(plugin.status));
  json::array checks{json::object{{"name", "registry"}, {"passed", true}, {"message", "Plugin found in registry"}},
                     json::object{{"name", "manifest"}, {"passed", manifest}, {"message", manifest ? "Manifest is valid" : "Manifest is invalid or missing"}},
                     json::object{{"name", "status"}, {"passed", ready}, {"message", "Current status: " + status}}};
  if (plugin.last_error) checks.push_back(json::object{{"name", "error_state"}, {"passed", false}, {"message", *plugin.last_error}});
  json::object health{{"pluginId", plugin.id.view()}, {"status", status}, {"healthy", ready && manifest && !plugin.last_error}, {"checks", std::move(checks)}};
  if (plugin.last_error) health["lastError"] = *plugin.last_error;
  return health;
}

Answer bridge_failure(const plugins::RpcFailure& failure) {
  namespace code = plugins::rpc_code;
  const char* name = "UNKNOWN";
  switch (failure.code) {
    case code::worker_unavailable: name = "WORKER_UNAVAILABLE"; break;
    case code::capability_denied: name = "CAPABILITY_DENIED"; break;
    case code::timeout: name = "TIMEOUT"; break;
    case code::worker_error: name = "WORKER_ERROR"; break;
    default: break;
  }
  json::object body{{"code", name}, {"message", failure.message}};
  if (!failure.data.is_null()) body["details"] = failure.data;
  return answer(502, json::value(std::move(body)));
}

std::optional<std::int64_t> whole_number(const Call& call, std::string_view name) {
  const auto text = call.query.text(name);
  if (!text) return std::nullopt;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size()) return std::nullopt;
  return value;
}

}  // namespace paperclip::api
