#include "plugins/host.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/text.h"
#include "base/write_json.h"
#include "domain/plugins/jobs.h"
#include "plugins/host_methods.h"
#include "plugins/package.h"
#include "store/database.h"

namespace paperclip::plugins {

PluginHost::PluginHost(PluginHostOptions options) : options_(std::move(options)), methods_(std::make_unique<HostMethods>(*this)) {
  listening_->host = this;
}

PluginHost::~PluginHost() {
  stop();
  std::lock_guard lock(listening_->mutex);
  listening_->host = nullptr;
}

void PluginHost::start() {
  auto& database = options_.database;
  const auto ready = database.write([](store::Transaction& tx) -> Result<std::vector<domain::Plugin>> {
    domain::cancel_job_runs(tx, std::nullopt, "Server restarted");
    return domain::list_plugins(tx, domain::PluginStatus::ready);
  });
  database.subscribe([listening = listening_](const store::Event& event) {
    std::lock_guard listening_lock(listening->mutex);
    if (listening->host) listening->host->receive(event);
  });
  std::lock_guard lock(mutex_);
  started_ = true;
  clock_ = std::thread([this] { keep_time(); });
  if (!ready) {
    spdlog::error("plugins.not_started error={}", ready.error().message);
    return;
  }
  for (const auto& plugin : *ready) {
    starting_.emplace_back([this, plugin] {
      if (auto started = activate(plugin); !started) {
        spdlog::error("plugin.activation_failed plugin={} error={}", plugin.plugin_key, started.error().message);
        const bool stopped = [&] {
          std::lock_guard guard(mutex_);
          return stopping_;
        }();
        if (stopped) return;
        auto marked = options_.database.write([&](store::Transaction& tx) { return domain::move_plugin(tx, plugin.id, domain::PluginStatus::error, "Activation failed: " + started.error().message); });
        if (!marked) spdlog::error("plugin.not_marked plugin={} error={}", plugin.plugin_key, marked.error().message);
      }
    });
  }
}

void PluginHost::stop() {
  std::vector<std::shared_ptr<ActivePlugin>> workers;
  {
    std::lock_guard lock(mutex_);
    if (!started_ && active_.empty()) return;
    stopping_ = true;
    started_ = false;
    for (const auto& [id, plugin] : active_) workers.push_back(plugin);
  }
  changed_.notify_all();
  if (clock_.joinable()) clock_.join();
  std::vector<std::thread> stopping;
  for (const auto& plugin : workers) stopping.emplace_back([plugin] { plugin->worker->stop(); });
  for (auto& thread : stopping) thread.join();
  for (auto& thread : starting_) thread.join();
  starting_.clear();
  // One that was being started meanwhile.
  std::map<PluginId, std::shared_ptr<ActivePlugin>> rest;
  {
    std::lock_guard lock(mutex_);
    rest = active_;
  }
  for (const auto& [id, plugin] : rest) plugin->worker->stop();
  if (job_pool_) job_pool_->stop();
  flush_logs();
  {
    std::lock_guard lock(mutex_);
    active_.clear();
  }
  rest.clear();
  workers.clear();
  if (pool_) pool_->stop();
}

std::shared_ptr<ActivePlugin> PluginHost::active(const PluginId& id) const {
  std::lock_guard lock(mutex_);
  const auto at = active_.find(id);
  return at == active_.end() ? nullptr : at->second;
}

std::vector<std::shared_ptr<ActivePlugin>> PluginHost::all_active() const {
  std::vector<std::shared_ptr<ActivePlugin>> all;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [id, plugin] : active_) all.push_back(plugin);
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a->row.install_order < b->row.install_order; });
  return all;
}

RpcAnswer PluginHost::call(const PluginId& id, std::string_view method, const json::value& params, std::chrono::milliseconds timeout) {
  const auto plugin = active(id);
  if (!plugin) return RpcAnswer::failed(rpc_code::worker_unavailable, "No worker registered for plugin \"" + id.str() + "\"");
  return plugin->worker->call(method, params, timeout);
}

std::optional<WorkerDiagnostics> PluginHost::diagnostics(const PluginId& id) const {
  const auto plugin = active(id);
  if (!plugin) return std::nullopt;
  return plugin->worker->diagnostics();
}

void PluginHost::make_pools() {
  std::lock_guard lock(mutex_);
  if (!pool_) pool_ = std::make_unique<net::WorkerPool>(8);
  if (!job_pool_) job_pool_ = std::make_unique<net::WorkerPool>(10);
}

Result<WorkerLaunch> PluginHost::launch(const ActivePlugin& plugin) {
  WorkerLaunch launch;
  const auto entry = TRY(find_worker(plugin.row, plugin.manifest, options_.plugin_directory));
  auto command = TRY(worker_command(entry, options_.host));
  launch.executable = std::move(command.executable);
  launch.argv = std::move(command.argv);
  const auto [config, granted] = options_.database.read([&](store::Reader& reader) {
    const auto row = domain::plugin_config(reader, plugin.row.id);
    return std::pair(row ? row->config_json.parse() : json::value(json::object()), domain::granted_variables(reader, plugin.row.id));
  });
  launch.environment = worker_environment(plugin.row.id.view(), options_.host, granted);
  launch.initialize = {{"manifest", plugin.row.manifest_json.parse()},
                       {"config", config},
                       {"instanceInfo", {{"instanceId", options_.instance_id}, {"hostVersion", options_.host_version}}},
                       {"apiVersion", plugin.manifest.api_version},
                       {"databaseNamespace", plugin.database ? json::value(plugin.database->schema()) : json::value(nullptr)},
                       {"extensions", {"environment.stream", "environment.stdin", "environment.cancel", "environment.files", "environment.inventory"}}};
  return launch;
}

WorkerOptions PluginHost::worker_options(ActivePlugin& plugin) {
  WorkerOptions options;
  options.plugin_id = plugin.row.id.str();
  options.launch = [this, &plugin] { return launch(plugin); };
  options.on_request = [this, &plugin](const std::string& method, const json::value& params) { return methods_->answer(plugin, method, params); };
  options.on_notification = [this, &plugin](const std::string& method, const json::value& params) { on_notification(plugin, method, params); };
  options.on_gone = [this, &plugin] {
    {
      std::lock_guard lock(plugin.mutex);
      subscriptions_ -= static_cast<int>(plugin.subscriptions.size());
      plugin.subscriptions.clear();
    }
    streams_.close_all(plugin.row.id);
  };
  options.on_running = [this] {
    { std::lock_guard lock(mutex_); }
    changed_.notify_all();
  };
  options.pool = pool_.get();
  options.timing = options_.timing;
  return options;
}

Result<> PluginHost::activate(const domain::Plugin& row) {
  auto manifest = TRY(domain::stored_manifest(row));
  TRY(check_for_host(manifest));
  TRY(find_worker(row, manifest, options_.plugin_directory));
  make_pools();
  auto plugin = std::make_shared<ActivePlugin>(row, std::move(manifest));
  if (plugin->manifest.database) {
    plugin->database = std::make_unique<PluginDatabase>(options_.database_url, row, plugin->manifest);
    const auto roots = package_roots(row, options_.plugin_directory);
    const auto root = std::find_if(roots.begin(), roots.end(), [](const auto& path) {
      std::error_code ec;
      return std::filesystem::is_directory(path, ec);
    });
    if (root == roots.end()) return bad_request("Package directory not found for plugin " + row.plugin_key);
    TRY(plugin->database->migrate(*root));
  }
  plugin->worker = std::make_unique<Worker>(worker_options(*plugin));
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return Error(ErrorKind::unavailable, "The server is stopping");
    if (!active_.emplace(row.id, plugin).second) return conflict("Worker already registered for plugin \"" + row.id.str() + "\"");
  }
  auto started = plugin->worker->start();
  if (started) {
    started = options_.database.write([&](store::Transaction& tx) -> Result<> {
      domain::sync_jobs(tx, row.id, plugin->manifest);
      return {};
    });
  }
  if (!started) deactivate(row.id);
  return started;
}

void PluginHost::deactivate(const PluginId& id) {
  std::shared_ptr<ActivePlugin> plugin;
  {
    std::lock_guard lock(mutex_);
    const auto at = active_.find(id);
    if (at == active_.end()) return;
    plugin = at->second;
    active_.erase(at);
  }
  plugin->worker->stop();
  save_logs(*plugin);
  auto cancelled = options_.database.write([&](store::Transaction& tx) -> Result<> {
    domain::cancel_job_runs(tx, id, "Plugin unregistered");
    return {};
  });
  if (!cancelled) spdlog::error("plugin.jobs_not_cancelled plugin={} error={}", id.view(), cancelled.error().message);
}

void PluginHost::on_notification(ActivePlugin& plugin, const std::string& method, const json::value& params) {
  if (method == "log") {
    const std::string level = string_at(params, "level").value_or("info");
    const auto* meta = member(params, "meta");
    return log(plugin, level, string_at(params, "message").value_or(""), meta != nullptr ? std::optional(*meta) : std::nullopt);
  }
  if (method == "environment.output") return outputs_.deliver(plugin.row.id, params);
  const auto channel = string_at(params, "channel").value_or("");
  const auto company = string_at(params, "companyId").value_or("");
  if (method == "streams.open") return streams_.send(plugin.row.id, channel, company, Streams::Kind::open, json::object());
  if (method == "streams.close") return streams_.send(plugin.row.id, channel, company, Streams::Kind::close, json::object());
  if (method == "streams.emit") {
    const auto* event = member(params, "event");
    return streams_.send(plugin.row.id, channel, company, Streams::Kind::message, event != nullptr ? *event : json::value(nullptr));
  }
  spdlog::debug("plugin.unknown_notification plugin={} method={}", plugin.row.plugin_key, method);
}

void PluginHost::log(ActivePlugin& plugin, const std::string& level, const std::string& message, std::optional<json::value> meta) {
  const auto severity = level == "error" ? spdlog::level::err : level == "warn" ? spdlog::level::warn : level == "debug" ? spdlog::level::debug : spdlog::level::info;
  spdlog::log(severity, "plugin.log plugin={} message={}", plugin.row.plugin_key, message);
  bool full = false;
  {
    std::lock_guard lock(plugin.mutex);
    plugin.unsaved_logs.push_back({level, message, std::move(meta), Clock::system().now()});
    full = plugin.unsaved_logs.size() % 100 == 0;
    if (plugin.unsaved_logs.size() > 100'000) plugin.unsaved_logs.erase(plugin.unsaved_logs.begin(), plugin.unsaved_logs.begin() + 1000);
  }
  // The worker's thread does not wait for the database.
  if (full) changed_.notify_all();
}

void PluginHost::save_logs(ActivePlugin& plugin) {
  std::vector<domain::LogEntry> entries;
  {
    std::lock_guard lock(plugin.mutex);
    entries.swap(plugin.unsaved_logs);
  }
  if (entries.empty()) return;
  auto saved = options_.database.write([&](store::Transaction& tx) -> Result<> {
    if (tx.exists("select 1 from plugins where id = :1", plugin.row.id)) domain::store_logs(tx, plugin.row.id, entries);
    return {};
  });
  if (!saved) spdlog::error("plugin.logs_not_saved plugin={} error={}", plugin.row.plugin_key, saved.error().message);
}

void PluginHost::flush_logs() {
  for (const auto& plugin : all_active()) save_logs(*plugin);
}

}  // namespace paperclip::plugins
