#pragma once

#include <optional>

#include "api/call.h"
#include "domain/plugins/plugins.h"
#include "plugins/rpc.h"

namespace paperclip::plugins {
class PluginHost;
}

/// What the routes about plugins share (spec/plugins.md 25).
namespace paperclip::api {

/// The host; 501 when this server was built up without one.
Result<plugins::PluginHost*> plugin_host(Call& call);
/// `:pluginId` of the path, id or key; 404 `Plugin not found`.
Result<domain::Plugin> plugin_in_path(Call& call);
/// Board with the local source, the admin flag or at least one company; 403 otherwise.
Result<> require_board_with_company(const Call& call);
/// The row as clients see it.
json::object plugin_json(Call& call, const domain::Plugin& plugin);
/// spec/plugins.md 25, `GET …/health`
json::object plugin_health(const domain::Plugin& plugin);
/// The 502 of a failed call, with its code (spec/plugins.md 20.1).
Answer bridge_failure(const plugins::RpcFailure& failure);
/// A whole number in the query within bounds; nothing if there is none or it is no number.
std::optional<std::int64_t> whole_number(const Call& call, std::string_view name);

}  // namespace paperclip::api
