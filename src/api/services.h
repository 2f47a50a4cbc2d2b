#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "environments/probes.h"

namespace paperclip::store {
class Database;
}
namespace paperclip::domain {
class ActorResolver;
class ObjectStorage;
class SecretVault;
}
namespace paperclip::environments {
struct WorkspaceHost;
class ServiceSupervisor;
}
namespace paperclip::heartbeat {
class Engine;
}
namespace paperclip::plugins {
class PluginHost;
}
namespace paperclip::environments {
class Leases;
}

namespace paperclip::api {

/// What the routes need to know of the configuration (spec/platform.md 2).
struct ApiSettings {
  std::string version = "0.3.1";  // what clients of the reference expect to see
  bool local_trusted = true;
  std::string exposure = "private";
  std::vector<std::string> allowed_hostnames;  // lower case
  std::string bind_host = "127.0.0.1";
  std::string public_url;                      // empty if none
  std::size_t attachment_max_bytes = 10485760;
  std::vector<std::string> allowed_content_types;  // empty: the default list
  bool company_deletion_enabled = true;
  bool secrets_strict = false;
  std::filesystem::path home;           // PAPERCLIP_HOME
  std::filesystem::path instance_root;  // <home>/instances/<id>
};

/// The parts of the server a handler may use. Composed in `server`.
struct Services {
  ApiSettings settings;
  Clock& clock;
  Random& random;
  store::Database& database;
  domain::ActorResolver& actors;
  domain::SecretVault& secrets;
  domain::ObjectStorage& storage;
  /// Whether the database answered lately; cheap enough for an I/O thread.
  std::function<bool()> database_answers;
  heartbeat::Engine* engine = nullptr;     // set before the first request
  plugins::PluginHost* plugins = nullptr;  // likewise
  /// Workspaces on the disk, and what runs in them; set before the first request.
  const environments::WorkspaceHost* workspace_host = nullptr;
  environments::ServiceSupervisor* runtime_services = nullptr;
  environments::FindDriver drivers;
  environments::Leases* leases = nullptr;
  /// The plugins' sandbox providers; null while there is no plugin host.
  plugins::ProviderRegistry* providers = nullptr;
};

}  // namespace paperclip::api
