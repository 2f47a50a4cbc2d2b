#include "server/server.h"

#include <spdlog/spdlog.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "api/all_routes.h"
#include "api/dispatcher.h"
#include "api/services.h"
#include "domain/access/resolver.h"
#include "domain/schema/migrations.h"
#include "domain/secrets/vault.h"
#include "net/server.h"
#include "net/worker_pool.h"
#include "server/local_state.h"
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
  std::unique_ptr<store::Database> database;
  std::optional<domain::SecretVault> vault;
  std::optional<domain::RunTokens> tokens;
  std::optional<domain::ActorResolver> actors;
  std::optional<DatabaseProbe> probe;
  std::optional<net::WorkerPool> pool;
  std::optional<api::Services> services;
  api::Routes routes;
  std::optional<api::Dispatcher> dispatcher;
  std::unique_ptr<net::Server> listener;
};

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
  parts->tokens.emplace(parts->local_state.token_secret(), settings.token_lifetime, settings.token_issuer, settings.token_audience);
  parts->actors.emplace(*parts->database, Clock::system(), *parts->tokens, settings.deployment_mode == "local_trusted");
  parts->probe.emplace(*parts->database);
  parts->pool.emplace(8);
  Parts* const raw = parts.get();
  parts->services.emplace(api::Services{api_settings(settings), Clock::system(), Random::system(), *parts->database, *parts->actors, *parts->vault,
                                        [raw] { return raw->probe->answers(); }});
  api::add_all_routes(parts->routes);
  parts->dispatcher.emplace(*parts->services, parts->routes, *parts->pool);

  net::ServerOptions listening;
  listening.host = settings.host;
  listening.port = settings.port;
  listening.handler = [raw](net::Request request, net::Responder respond) { raw->dispatcher->handle(std::move(request), std::move(respond)); };
  parts->listener = TRY(net::Server::listen(std::move(listening)));
  return std::unique_ptr<Server>(new Server(std::move(parts)));
}

void Server::stop(std::chrono::milliseconds patience) {
  if (!parts_->listener) return;
  parts_->listener->stop(Deadline::in(patience));
  parts_->pool->stop();
}

}  // namespace paperclip::server
