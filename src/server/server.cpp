#include "server/server.h"

#include <spdlog/spdlog.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "api/all_routes.h"
#include "api/bridge_api.h"
#include "api/dispatcher.h"
#include "api/live_events.h"
#include "api/services.h"
#include "domain/access/resolver.h"
#include "domain/schema/migrations.h"
#include "domain/secrets/vault.h"
#include "domain/storage/object_storage.h"
#include "environments/egress.h"
#include "environments/leases.h"
#include "environments/local_runner.h"
#include "environments/sandbox/driver.h"
#include "environments/service_supervisor.h"
#include "environments/ssh/driver.h"
#include "environments/workspaces.h"
#include "heartbeat/engine.h"
#include "heartbeat/live_events.h"
#include "net/client.h"
#include "net/server.h"
#include "net/worker_pool.h"
#include "os/child_environment.h"
#include "plugins/host.h"
#include "server/local_state.h"
#include "server/plugin_host.h"
#include "store/database.h"

namespace paperclip::server {

namespace {

using namespace std::chrono_literals;

// Asks the database once a second, so that health need not.
class DatabaseProbe {
 public:
  explicit DatabaseProbe(store::Database& database) : database_(database), thread_([this] { run(); }) {}
  ~DatabaseProbe() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  bool answers() const { return answers_; }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, 1s, [&] { return stopping_; })) {
      lock.unlock();
      bool ok = true;
      try {
        ok = database_.read([](store::Reader& reader) { return reader.exists("select 1"); });
      } catch (const std::exception& problem) {
        ok = false;
        spdlog::error("database.unreachable error={}", problem.what());
      }
      answers_ = ok;
      lock.lock();
    }
  }

  store::Database& database_;
  std::atomic<bool> answers_{true};
  bool stopping_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::thread thread_;
};

api::ApiSettings api_settings(const Config& config) {
  api::ApiSettings settings;
  settings.local_trusted = config.deployment_mode == "local_trusted";
  settings.exposure = config.exposure;
  settings.allowed_hostnames = config.allowed_hostnames;
  settings.bind_host = config.host;
  settings.public_url = config.public_url;
  settings.attachment_max_bytes = config.attachment_max_bytes;
  settings.allowed_content_types = config.allowed_content_types;
  settings.company_deletion_enabled = config.company_deletion_enabled;
  settings.secrets_strict = config.secrets_strict;
  settings.home = config.home;
  settings.instance_root = config.instance_root;
  return settings;
}

}  // namespace

struct Server::Parts {
  Config config;
  LocalState local_state;
  // The database delivers events to these until it is gone, so they go after it.
  std::optional<heartbeat::LiveEvents> live;
  std::optional<api::BridgeApi> callbacks;
  environments::EgressGateway egress;
  std::unique_ptr<heartbeat::Engine> engine;
  std::unique_ptr<plugins::PluginHost> plugins;
  std::optional<environments::Configs> environment_configs;
  std::unique_ptr<environments::ssh::SshDriver> ssh;
  std::unique_ptr<environments::sandbox::SandboxDriver> sandboxes;
  std::optional<environments::Leases> leases;
  std::unique_ptr<store::Database> database;
  std::optional<domain::SecretVault> vault;
  std::optional<domain::ObjectStorage> storage;
  std::optional<domain::RunTokens> tokens;
  std::optional<domain::ActorResolver> actors;
  std::optional<DatabaseProbe> probe;
  std::unique_ptr<environments::LocalRunner> runner;
  std::unique_ptr<net::HttpClient> http;
  std::unique_ptr<environments::WorkspaceHost> workspace_host;
  std::unique_ptr<environments::ServiceSupervisor> runtime_services;
  std::optional<net::WorkerPool> pool;
  std::optional<api::Services> services;
  api::Routes routes;
  std::optional<api::Dispatcher> dispatcher;
  std::unique_ptr<net::Server> listener;
};

namespace {

// Where agents find us (spec/environments.md 15).
std::string agent_api_url(const Config& config, std::uint16_t port) {
  if (!config.public_url.empty()) return config.public_url;
  std::string host = config.host == "0.0.0.0" || config.host == "::" ? "localhost" : config.host;
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  return "http://" + host + ":" + std::to_string(port);
}

// Installed beside us; PAPERCLIP_RUNNER names another.
std::filesystem::path runner_binary(const adapters::HostEnvironment& host) {
  if (const auto named = os::value_in(host, "PAPERCLIP_RUNNER"); !named.empty()) return named;
  std::error_code ec;
  return std::filesystem::read_symlink("/proc/self/exe", ec).parent_path() / "paperclip-runner";
}

}  // namespace

Result<> Server::start_heartbeat(Parts& parts) {
  const Config& config = parts.config;
  auto host = os::own_environment();
  environments::LocalRunnerOptions runner;
  runner.runner = runner_binary(host);
  runner.root = config.instance_root / "runs";
  parts.runner = TRY(environments::LocalRunner::create(std::move(runner)));
  parts.http = std::make_unique<net::HttpClient>();
  parts.live.emplace(*parts.database);
  heartbeat::EngineOptions options{*parts.database, Clock::system(), *parts.vault, *parts.tokens, *parts.runner, *parts.http, *parts.live};
  options.host = std::move(host);
  options.instance_root = config.instance_root;
  options.run_log_directory = config.run_log_directory;
  options.operation_log_directory = config.operation_log_directory;
  options.server_cwd = std::filesystem::current_path();
  options.scheduler_enabled = config.scheduler_enabled;
  options.scheduler_interval = config.scheduler_interval;
  options.max_live_runs = config.max_live_runs;
  parts.callbacks.emplace(*parts.database, Clock::system(), [&parts](const net::Request& request, domain::Actor actor) { return parts.dispatcher->perform(request, std::move(actor)); });
  options.callbacks = &*parts.callbacks;
  options.egress = &parts.egress;
  options.bridge_token = [&parts](RunId run) { return environments::bridge_token(parts.local_state.token_secret().expose(), run); };
  parts.workspace_host = std::make_unique<environments::WorkspaceHost>(
      environments::WorkspaceHost{{*parts.database, config.operation_log_directory}, options.host, config.instance_root});
  parts.runtime_services = std::make_unique<environments::ServiceSupervisor>(
      environments::SupervisorOptions{*parts.database, *parts.http, config.instance_root / "runtime-services", options.host});
  options.retention = {std::chrono::hours(24) * config.event_retention_days, std::chrono::hours(24) * config.plugin_log_retention_days,
                       std::chrono::hours(24) * config.run_log_retention_days};
  options.leases = &*parts.leases;
  parts.engine = std::make_unique<heartbeat::Engine>(std::move(options));
  return {};
}

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Server::~Server() { stop(1s); }

std::uint16_t Server::port() const { return parts_->listener->port(); }
const Config& Server::config() const { return parts_->config; }

Result<std::unique_ptr<Server>> Server::start(Config config) {
  auto parts = std::make_unique<Parts>();
  parts->local_state = TRY(LocalState::open(config));
  parts->config = std::move(config);
  const Config& settings = parts->config;

  store::OpenOptions options{.where = store::SqliteFile{}, .migrations = domain::domain_migrations()};
  if (settings.database_url.empty()) options.where = store::SqliteFile{(settings.instance_root / "db" / "paperclip.sqlite").string()};
  else options.where = store::PostgresUrl{settings.database_url};
  parts->database = TRY(store::Database::open(std::move(options)));
  TRY(ensure_local_board(*parts->database, settings));

  parts->vault = TRY(domain::SecretVault::open(settings.secrets_master_key.expose(), settings.secrets_key_file, Random::system()));
  parts->storage.emplace(settings.storage_directory, Clock::system(), Random::system());
  parts->tokens.emplace(parts->local_state.token_secret(), settings.token_lifetime, settings.token_issuer, settings.token_audience);
  parts->actors.emplace(*parts->database, Clock::system(), *parts->tokens, settings.deployment_mode == "local_trusted");
  parts->probe.emplace(*parts->database);
  parts->pool.emplace(16);  // a write waits for its commit in the pool, so this is how wide a group commit can be
  Parts* const raw = parts.get();
  parts->services.emplace(api::Services{api_settings(settings), Clock::system(), Random::system(), *parts->database, *parts->actors, *parts->vault, *parts->storage,
                                        [raw] { return raw->probe->answers(); }});
  if (auto ssh = environments::ssh::SshDriver::create({.runner = runner_binary(os::own_environment())})) parts->ssh = *std::move(ssh);
  else spdlog::warn("environments.no_ssh error=\"{}\"", ssh.error().message);
  parts->services->drivers = [raw](domain::EnvironmentDriver kind) -> environments::Driver* {
    if (kind == domain::EnvironmentDriver::ssh) return raw->ssh.get();
    if (kind == domain::EnvironmentDriver::sandbox) return raw->sandboxes.get();
    return nullptr;
  };
  parts->environment_configs.emplace(*parts->database, *parts->vault, Random::system(), nullptr);
  parts->leases.emplace(environments::LeaseOptions{*parts->database, *parts->environment_configs, parts->services->drivers});
  parts->services->leases = &*parts->leases;
  TRY(start_heartbeat(*parts));
  parts->services->engine = parts->engine.get();
  parts->plugins = std::make_unique<plugins::PluginHost>(plugin_host_options(settings, *parts->database, *parts->vault, *parts->http, [raw] { return &*raw->dispatcher; }));
  parts->services->plugins = parts->plugins.get();
  parts->services->workspace_host = parts->workspace_host.get();
  parts->services->runtime_services = parts->runtime_services.get();
  parts->services->providers = parts->plugins.get();
  parts->environment_configs->use(*parts->plugins);
  if (auto sandboxes = environments::sandbox::SandboxDriver::create({.providers = *parts->plugins, .runner = runner_binary(os::own_environment())}))
    parts->sandboxes = *std::move(sandboxes);
  else spdlog::warn("environments.no_sandboxes error=\"{}\"", sandboxes.error().message);
  api::add_all_routes(parts->routes);
  parts->dispatcher.emplace(*parts->services, parts->routes, *parts->pool);

  net::ServerOptions listening;
  listening.host = settings.host;
  listening.port = settings.port;
  listening.handler = [raw](net::Request request, net::Responder respond) { raw->dispatcher->handle(std::move(request), std::move(respond)); };
  listening.upgrade_handler = [raw](const net::Request& request, net::Upgrade upgrade) {
    api::handle_upgrade(*raw->services, *raw->live, *raw->pool, request, std::move(upgrade));
  };
  parts->listener = TRY(net::Server::listen(std::move(listening)));
  parts->engine->start(agent_api_url(settings, parts->listener->port()));
  parts->plugins->start();
  (void)parts->pool->post([raw] { raw->runtime_services->adopt(); });
  return std::unique_ptr<Server>(new Server(std::move(parts)));
}

void Server::stop(std::chrono::milliseconds patience) {
  if (!parts_->listener) return;
  const Deadline deadline = Deadline::in(patience);
  parts_->listener->stop(deadline);
  parts_->pool->stop();
  parts_->callbacks->stop();
  parts_->engine->stop(deadline);
  parts_->plugins->stop();
}

}  // namespace paperclip::server
