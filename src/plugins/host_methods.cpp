#include "plugins/host_methods.h"

#include "plugins/host.h"
#include "store/error.h"

namespace paperclip::plugins {

Result<CompanyId> HostCall::company() const {
  const auto given = text("companyId");
  if (!given) return bad_request("companyId is required for this operation");
  const auto id = CompanyId::parse(*given);
  if (!id) return not_found("Company not found");
  return *id;
}

Result<std::string> HostCall::needed(std::string_view key) const {
  auto value = text(key);
  if (!value) return bad_request(std::string(key) + " is required for this operation");
  return *std::move(value);
}

domain::Actor HostCall::actor(const json::value& source) const {
  domain::Actor actor = domain::local_board();
  domain::PluginAuthor author{plugin.row.id.str(), plugin.row.plugin_key, std::nullopt, text_at(source, "actorUserId")};
  if (const auto agent = text_at(source, "actorAgentId")) author.agent_id = AgentId::parse(*agent);
  if (const auto run = text_at(source, "actorRunId")) actor.run_id = RunId::parse(*run);
  actor.plugin = std::move(author);
  return actor;
}

Result<json::value> HostCall::api(std::string_view method, const std::string& target, const std::optional<json::value>& body) const {
  return api_as(actor(params), method, target, body);
}

Result<json::value> HostCall::api_as(const domain::Actor& actor, std::string_view method, const std::string& target, const std::optional<json::value>& body) const {
  const auto& call = host.options().call_api;
  if (!call) return Error(ErrorKind::unavailable, "The host offers no API");
  return call(method, target, body, actor);
}

HostMethods::HostMethods(PluginHost& host) : host_(host) {
  add_own_methods(table_);
  add_outside_methods(table_);
  add_read_methods(table_);
  add_write_methods(table_);
  add_issue_model_methods(table_);
}

RpcAnswer HostMethods::answer(ActivePlugin& plugin, const std::string& method, const json::value& params) {
  const auto at = table_.find(method);
  if (at == table_.end()) return RpcAnswer::failed(rpc_code::method_not_found, "Host does not handle method \"" + method + "\"");
  if (at->second.capability != nullptr && !plugin.manifest.has(at->second.capability))
    return RpcAnswer::failed(rpc_code::capability_denied, "Plugin \"" + plugin.row.plugin_key + "\" is missing required capability \"" + at->second.capability + "\" for method \"" + method + "\"");
  static const json::value none = json::object();
  const HostCall call{host_, plugin, params.is_object() ? params : none};
  try {
    auto result = at->second.handler(call);
    if (result) return RpcAnswer::of(*std::move(result));
    return RpcAnswer::failed(rpc_code::internal_error, result.error().message);
  } catch (const store::StoreError& error) {
    return RpcAnswer::failed(rpc_code::internal_error, error.error().message);
  }
}

}  // namespace paperclip::plugins
