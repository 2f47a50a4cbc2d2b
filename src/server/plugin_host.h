#pragma once

#include <functional>

#include "plugins/host.h"
#include "server/config.h"

namespace paperclip::api {
class Dispatcher;
}

namespace paperclip::server {

/// What the plugin host of this server needs. `dispatcher` is asked at each call, so it may be made later.
plugins::PluginHostOptions plugin_host_options(const Config& config, store::Database& database, const domain::SecretVault& vault, net::HttpClient& http,
                                               std::function<api::Dispatcher*()> dispatcher);

}  // namespace paperclip::server
