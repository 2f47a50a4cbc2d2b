#pragma once

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "domain/access/actor.h"
#include "domain/plugins/plugin_work.h"
#include "domain/plugins/plugins.h"
#include "net/worker_pool.h"
#include "os/process.h"
#include "plugins/active_plugin.h"
#include "plugins/execution_outputs.h"
#include "plugins/provider.h"
#include "plugins/streams.h"

namespace paperclip::store {
class Database;
struct Event;
}
namespace paperclip::domain {
class SecretVault;
}
namespace paperclip::net {
class HttpClient;
}

namespace paperclip::plugins {

class HostMethods;

/// Calls the REST API in process: what a worker may read and write is what its routes say. Errors are the routes' own.
using CallApi = std::function<Result<json::value>(std::string_view method, const std::string& target, const std::optional<json::value>& body, const domain::Actor& actor)>;

struct PluginHostOptions {
  store::Database& database;
  const domain::SecretVault& vault;
  net::HttpClient& http;
  os::Environment host;                    // of the server
  std::filesystem::path plugin_directory;  // ~/.paperclip/plugins unless PAPERCLIP_PLUGINS_DIR names another
  std::string database_url;                // empty on SQLite: plugins that want a schema of their own are refused
  std::string instance_id = "default";
  std::string host_version = "2026.503.0";  // the release whose contract we keep (spec/plugins.md 2.6)
  CallApi call_api;
  WorkerTiming timing = {};
  std::chrono::milliseconds npm_patience{120'000}, job_tick{30'000}, job_timeout{300'000};
};

struct InstallRequest {
  std::string package_name;  // npm spec, or a path
  std::optional<std::string> version;
  bool is_local_path = false;
  std::vector<std::string> host_variables;  // of those the manifest wants, the ones the board confirms (OURS)
};

/// The plugins of this server: installs them, runs their workers, lets others call them. Thread-safe. Operations on the
/// life of plugins block until they are done; they exclude each other.
class PluginHost : public ProviderRegistry {
 public:
  explicit PluginHost(PluginHostOptions options);
  ~PluginHost() override;

  /// Starts the workers of all ready plugins, each on its own and in the background, and the job clock.
  void start();
  /// Stops job clock and workers; statuses stay. Nothing may be called after it.
  void stop();

  /// Errors are 400 with the texts of spec/plugins.md 2.6 and 5.2.
  Result<domain::Plugin> install(const InstallRequest& request, const domain::Author& author);
  Result<domain::Plugin> enable(const domain::Plugin& plugin, const std::vector<std::string>& host_variables, const domain::Author& author);
  Result<domain::Plugin> disable(const domain::Plugin& plugin, const std::optional<std::string>& reason, const domain::Author& author);
  Result<domain::Plugin> uninstall(const domain::Plugin& plugin, bool purge, const domain::Author& author);
  Result<domain::Plugin> upgrade(const domain::Plugin& plugin, const std::optional<std::string>& version, const domain::Author& author);
  /// Stores a configuration that was checked, and tells the worker.
  Result<domain::PluginConfig> save_config(const domain::Plugin& plugin, const json::object& config, const domain::Author& author);
  /// Starts a job now; returns its run.
  Result<PluginJobRunId> trigger_job(const domain::Plugin& plugin, const PluginJobId& job);

  /// The plugin while it is active; null otherwise.
  std::shared_ptr<ActivePlugin> active(const PluginId& id) const;
  /// All of them by install order.
  std::vector<std::shared_ptr<ActivePlugin>> all_active() const;
  /// `No worker registered for plugin "<id>"` with −32000 when there is none.
  RpcAnswer call(const PluginId& id, std::string_view method, const json::value& params, std::chrono::milliseconds timeout = {});
  std::optional<WorkerDiagnostics> diagnostics(const PluginId& id) const;
  const PluginHostOptions& options() const { return options_; }
  Streams& streams() { return streams_; }

  std::shared_ptr<SandboxProvider> find(std::string_view key) override;
  std::shared_ptr<SandboxProvider> find(const PluginId& plugin, std::string_view key) override;
  Result<std::shared_ptr<SandboxProvider>> find_driver(std::string_view plugin_key, std::string_view driver_key) override;
  std::vector<std::shared_ptr<SandboxProvider>> list() override;
  Result<std::shared_ptr<SandboxProvider>> wait_ready(std::string_view key, Deadline deadline) override;

  /// Writes the buffered log lines now.
  void flush_logs();
  /// Keeps a line of the plugin's log.
  void log(ActivePlugin& plugin, const std::string& level, const std::string& message, std::optional<json::value> meta);
  void subscribe(ActivePlugin& plugin, Subscription subscription);
  /// Gives an event to every running worker that wants it, once each (spec/plugins.md 15).
  void publish(const json::object& envelope);
  ExecutionOutputs& outputs() { return outputs_; }

 private:
  struct FetchedPackage {
    domain::PluginPackage package;
    bool local = false;
  };
  Result<FetchedPackage> fetch(const InstallRequest& request);
  Result<> check_for_host(const domain::PluginManifest& manifest) const;
  Result<> activate(const domain::Plugin& plugin);
  void deactivate(const PluginId& id);
  /// ready, then active; error and `lastError` when that fails.
  Result<domain::Plugin> load(const PluginId& id);
  WorkerOptions worker_options(ActivePlugin& plugin);
  Result<WorkerLaunch> launch(const ActivePlugin& plugin);
  void on_notification(ActivePlugin& plugin, const std::string& method, const json::value& params);
  void save_logs(ActivePlugin& plugin);
  void receive(const store::Event& event);
  void keep_time();
  void run_due_jobs();
  Result<PluginJobRunId> start_job(const domain::PluginJob& job, domain::PluginJobTrigger trigger);
  void make_pools();
  template <class F>
  void each_driver(F&& f) const;

  PluginHostOptions options_;
  Streams streams_;
  ExecutionOutputs outputs_;
  std::unique_ptr<HostMethods> methods_;
  std::mutex life_;  // one operation at a time
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<PluginId, std::shared_ptr<ActivePlugin>> active_;
  /// The database goes on delivering events after the host has gone.
  struct Listening {
    std::mutex mutex;
    PluginHost* host = nullptr;
  };
  const std::shared_ptr<Listening> listening_ = std::make_shared<Listening>();
  std::atomic<int> subscriptions_{0};
  bool stopping_ = false, started_ = false;
  std::unique_ptr<net::WorkerPool> pool_, job_pool_;
  std::atomic<int> running_jobs_{0};
  std::vector<std::thread> starting_;
  std::thread clock_;
};

}  // namespace paperclip::plugins
