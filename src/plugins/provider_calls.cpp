#include <condition_variable>

#include "base/crypto.h"
#include "base/random.h"
#include "domain/plugins/plugins.h"
#include "plugins/host.h"
#include "store/database.h"

/// Sandbox providers over their workers (spec/plugins.md 22; the optional capabilities: README.md).
namespace paperclip::plugins {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds default_call{30'000}, beyond_command{30'000};
constexpr std::size_t chunk_bytes = 1024 * 1024;

Error to_error(const RpcFailure& failure) {
  switch (failure.code) {
    case rpc_code::worker_unavailable: return Error(ErrorKind::unavailable, failure.message);
    case rpc_code::timeout: return Error(ErrorKind::timeout, failure.message);
    case rpc_code::not_implemented: return unprocessable(failure.message);
    default: return Error(ErrorKind::bad_gateway, failure.message);
  }
}

json::object object_at(const json::value& value, std::string_view key) {
  const auto* found = member(value, key);
  return found != nullptr && found->is_object() ? found->get_object() : json::object();
}

std::vector<std::string> texts_at(const json::value& value, std::string_view key) {
  std::vector<std::string> texts;
  if (const auto* list = member(value, key); list != nullptr && list->is_array())
    for (const auto& item : list->get_array())
      if (item.is_string()) texts.emplace_back(item.get_string());
  return texts;
}

bool flag_at(const json::value& value, std::string_view key) {
  const auto* found = member(value, key);
  return found != nullptr && found->is_bool() && found->get_bool();
}

json::object lease_json(const ProviderLease& lease) {
  json::object out{{"providerLeaseId", lease.provider_lease_id ? json::value(*lease.provider_lease_id) : json::value(nullptr)}};
  if (!lease.metadata.empty()) out["metadata"] = lease.metadata;
  if (lease.expires_at) out["expiresAt"] = *lease.expires_at;
  return out;
}

ProviderLease read_lease(const json::value& answer) {
  ProviderLease lease;
  lease.provider_lease_id = string_at(answer, "providerLeaseId");
  lease.metadata = object_at(answer, "metadata");
  lease.expires_at = string_at(answer, "expiresAt");
  return lease;
}

ExecuteResult read_result(const json::value& answer) {
  ExecuteResult result;
  if (const auto* code = member(answer, "exitCode"); code != nullptr && code->is_number()) result.exit_code = static_cast<int>(code->to_number<double>());
  result.signal = string_at(answer, "signal");
  result.timed_out = flag_at(answer, "timedOut");
  result.stdout_text = string_at(answer, "stdout").value_or("");
  result.stderr_text = string_at(answer, "stderr").value_or("");
  result.metadata = object_at(answer, "metadata");
  return result;
}

// How long the worker gets for a command: the request's own limit or the environment's, and 30 s more.
milliseconds command_patience(const ExecuteRequest& request, const json::object& config) {
  if (request.timeout.count() > 0) return request.timeout + beyond_command;
  if (const auto* given = config.if_contains("timeoutMs"); given != nullptr && given->is_number()) {
    const double ms = given->to_number<double>();
    if (ms >= 1 && ms < 1e12) return milliseconds(static_cast<std::int64_t>(ms)) + beyond_command;
  }
  return default_call;
}

class RunningExecution : public Execution {
 public:
  RunningExecution(PluginHost& host, std::shared_ptr<ActivePlugin> plugin, std::string driver, std::string id, Deadline worker_until)
      : host_(host), plugin_(std::move(plugin)), driver_(std::move(driver)), id_(std::move(id)), worker_until_(worker_until) {}

  ~RunningExecution() override {
    bool over = false;
    {
      std::lock_guard lock(state_->mutex);
      over = state_->answer.has_value();
      state_->abandoned = true;
    }
    if (!over) {
      plugin_->worker->forget(request_);
      if (plugin_->worker->has_extension("environment.cancel"))
        plugin_->worker->send("environmentCancelExecute", json::object{{"driverKey", driver_}, {"executionId", id_}, {"signal", "SIGKILL"}}, [](const RpcAnswer&) {});
    }
    host_.outputs().remove(id_);
  }

  void send(const json::object& params) {
    auto state = state_;
    request_ = plugin_->worker->send("environmentExecute", params, [state](RpcAnswer answer) {
      std::lock_guard lock(state->mutex);
      state->answer = std::move(answer);
      state->changed.notify_all();
    });
  }

  Result<ExecuteResult> wait(Deadline deadline) override {
    const Deadline until = deadline.or_sooner(worker_until_);
    std::unique_lock lock(state_->mutex);
    while (!state_->answer && !until.passed()) state_->changed.wait_for(lock, until.left());
    if (!state_->answer) return Error(ErrorKind::timeout, "RPC call \"environmentExecute\" timed out");
    if (!state_->answer->ok()) return to_error(*state_->answer->failure);
    return read_result(state_->answer->result);
  }

  Result<> write_input(std::string_view bytes, Deadline deadline) override {
    while (!bytes.empty()) {
      const auto piece = bytes.substr(0, chunk_bytes);
      TRY(send_input(piece, false, deadline));
      bytes.remove_prefix(piece.size());
    }
    return {};
  }
  Result<> end_input(Deadline deadline) override { return send_input({}, true, deadline); }

  Result<> cancel(std::string_view signal, Deadline deadline) override {
    if (!plugin_->worker->has_extension("environment.cancel")) return unprocessable("This provider cannot end a running command");
    const auto answer = plugin_->worker->call("environmentCancelExecute", json::object{{"driverKey", driver_}, {"executionId", id_}, {"signal", signal}}, deadline.left());
    if (!answer.ok()) return to_error(*answer.failure);
    return {};
  }

 private:
  Result<> send_input(std::string_view bytes, bool end, Deadline deadline) {
    if (!plugin_->worker->has_extension("environment.stdin")) return unprocessable("This provider takes no input while a command runs");
    const auto answer = plugin_->worker->call(
        "environmentWriteStdin", json::object{{"driverKey", driver_}, {"executionId", id_}, {"data", base64_encode(bytes)}, {"end", end}}, deadline.left(), true);
    if (!answer.ok()) return to_error(*answer.failure);
    return {};
  }

  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<RpcAnswer> answer;
    bool abandoned = false;
  };
  PluginHost& host_;
  std::shared_ptr<ActivePlugin> plugin_;
  std::string driver_, id_;
  Deadline worker_until_;
  std::shared_ptr<State> state_ = std::make_shared<State>();
  std::int64_t request_ = 0;
};

class PluginProvider : public SandboxProvider {
 public:
  PluginProvider(PluginHost& host, const ActivePlugin& plugin, const domain::EnvironmentDriverDeclaration& driver)
      : host_(host), plugin_id_(plugin.row.id), plugin_key_(plugin.row.plugin_key), driver_(driver) {}

  std::string key() const override { return driver_.driver_key; }
  PluginId plugin_id() const override { return plugin_id_; }
  std::string plugin_key() const override { return plugin_key_; }
  bool is_sandbox_provider() const override { return driver_.kind && *driver_.kind == domain::EnvironmentDriverKind::sandbox_provider; }
  std::string display_name() const override { return driver_.display_name; }
  std::optional<std::string> description() const override { return driver_.description ? std::optional<std::string>(*driver_.description) : std::nullopt; }
  json::object config_schema() const override { return driver_.config_schema.value; }

  ProviderCapabilities capabilities() const override {
    const auto plugin = host_.active(plugin_id_);
    if (!plugin) return {};
    const Worker& worker = *plugin->worker;
    return {worker.has_extension("environment.stream"), worker.has_extension("environment.stdin"), worker.has_extension("environment.cancel"),
            worker.has_extension("environment.files"), worker.has_extension("environment.inventory")};
  }
  bool running() const override {
    const auto plugin = host_.active(plugin_id_);
    return plugin && plugin->worker->running();
  }

  Result<ConfigCheck> validate_config(const json::object& config, Deadline deadline) override {
    const auto answer = TRY(call("environmentValidateConfig", {{"driverKey", driver_.driver_key}, {"config", config}}, deadline));
    ConfigCheck check{flag_at(answer, "ok"), texts_at(answer, "warnings"), texts_at(answer, "errors"), std::nullopt};
    if (const auto* normalised = member(answer, "normalizedConfig"); normalised != nullptr && normalised->is_object()) check.normalised = normalised->get_object();
    return check;
  }

  Result<ProbeResult> probe(const ProviderContext& context, Deadline deadline) override {
    const auto answer = TRY(call("environmentProbe", base(context), deadline));
    ProbeResult result{flag_at(answer, "ok"), string_at(answer, "summary"), {}, object_at(answer, "metadata")};
    if (const auto* found = member(answer, "diagnostics"); found != nullptr && found->is_array()) result.diagnostics = found->get_array();
    return result;
  }

  Result<ProviderLease> acquire_lease(const ProviderContext& context, const AcquireRequest& request, Deadline deadline) override {
    auto params = base(context);
    params["runId"] = request.run_id.view();
    if (request.workspace_mode) params["workspaceMode"] = *request.workspace_mode;
    return read_lease(TRY(call("environmentAcquireLease", std::move(params), deadline)));
  }

  Result<ProviderLease> resume_lease(const ProviderContext& context, const std::string& id, const json::object& metadata, Deadline deadline) override {
    return read_lease(TRY(call("environmentResumeLease", with_lease_id(context, id, metadata), deadline)));
  }
  Result<> release_lease(const ProviderContext& context, const std::optional<std::string>& id, const json::object& metadata, Deadline deadline) override {
    TRY(call("environmentReleaseLease", with_lease_id(context, id, metadata), deadline));
    return {};
  }
  Result<> destroy_lease(const ProviderContext& context, const std::optional<std::string>& id, const json::object& metadata, Deadline deadline) override {
    TRY(call("environmentDestroyLease", with_lease_id(context, id, metadata), deadline));
    return {};
  }

  Result<WorkspacePlace> realize_workspace(const ProviderContext& context, const ProviderLease& lease, const WorkspaceRequest& workspace, Deadline deadline) override {
    auto params = base(context);
    params["lease"] = lease_json(lease);
    json::object wanted;
    if (workspace.local_path) wanted["localPath"] = *workspace.local_path;
    if (workspace.remote_path) wanted["remotePath"] = *workspace.remote_path;
    if (workspace.mode) wanted["mode"] = *workspace.mode;
    if (workspace.metadata) wanted["metadata"] = *workspace.metadata;
    params["workspace"] = std::move(wanted);
    const auto answer = TRY(call("environmentRealizeWorkspace", std::move(params), deadline));
    const auto cwd = string_at(answer, "cwd");
    if (!cwd || cwd->empty()) return Error(ErrorKind::bad_gateway, "Sandbox provider \"" + key() + "\" realized a workspace without a cwd");
    return WorkspacePlace{*cwd, object_at(answer, "metadata")};
  }

  Result<std::unique_ptr<Execution>> start(const ProviderContext& context, const ProviderLease& lease, const ExecuteRequest& request, OnOutput on_output) override {
    auto plugin = host_.active(plugin_id_);
    if (!plugin) return gone();
    const Worker& worker = *plugin->worker;
    const bool stream = worker.has_extension("environment.stream") && on_output;
    if (request.open_input && !worker.has_extension("environment.stdin")) return unprocessable("Sandbox provider \"" + key() + "\" takes no input while a command runs");
    auto params = base(context);
    params["lease"] = lease_json(lease);
    params["command"] = request.command;
    if (!request.args.empty()) params["args"] = json::array(request.args.begin(), request.args.end());
    if (request.cwd) params["cwd"] = *request.cwd;
    if (!request.env.empty()) {
      json::object env;
      for (const auto& [name, value] : request.env) env[name] = value;
      params["env"] = std::move(env);
    }
    if (request.stdin_text) params["stdin"] = *request.stdin_text;
    if (request.timeout.count() > 0) params["timeoutMs"] = request.timeout.count();
    const std::string id = Random::system().uuid();
    if (stream || worker.has_extension("environment.stdin") || worker.has_extension("environment.cancel") || worker.has_extension("environment.stream")) params["executionId"] = id;
    if (stream) params["streamOutput"] = true;
    if (request.open_input) params["openStdin"] = true;
    if (stream) host_.outputs().add(plugin_id_, id, std::move(on_output));
    auto execution = std::make_unique<RunningExecution>(host_, plugin, driver_.driver_key, id, Deadline::in(command_patience(request, context.config)));
    execution->send(params);
    return std::unique_ptr<Execution>(std::move(execution));
  }

  Result<> put_file(const ProviderContext& context, const ProviderLease& lease, const std::string& path, std::string_view bytes, unsigned mode, Deadline deadline) override {
    TRY(needs("environment.files", "takes no files"));
    std::size_t offset = 0;
    do {
      const auto piece = bytes.substr(offset, chunk_bytes);
      auto params = base(context);
      params["lease"] = lease_json(lease);
      params["path"] = path;
      params["mode"] = mode;
      params["offset"] = offset;
      params["data"] = base64_encode(piece);
      offset += piece.size();
      params["end"] = offset == bytes.size();
      TRY(call("environmentPutFile", std::move(params), deadline));
    } while (offset < bytes.size());
    return {};
  }

  Result<std::string> get_file(const ProviderContext& context, const ProviderLease& lease, const std::string& path, std::size_t max_bytes, Deadline deadline) override {
    TRY(needs("environment.files", "gives no files"));
    std::string bytes;
    while (true) {
      auto params = base(context);
      params["lease"] = lease_json(lease);
      params["path"] = path;
      params["offset"] = bytes.size();
      params["length"] = chunk_bytes;
      const auto answer = TRY(call("environmentGetFile", std::move(params), deadline));
      const auto piece = base64_decode(string_at(answer, "data").value_or(""));
      if (!piece) return Error(ErrorKind::bad_gateway, "Sandbox provider \"" + key() + "\" sent a file that is not base64");
      if (bytes.size() + piece->size() > max_bytes) return Error(ErrorKind::too_large, "The file " + path + " is larger than " + std::to_string(max_bytes) + " bytes");
      bytes += *piece;
      if (flag_at(answer, "end")) return bytes;
      if (piece->empty()) return Error(ErrorKind::bad_gateway, "Sandbox provider \"" + key() + "\" stopped in the middle of " + path);
    }
  }

  Result<std::vector<InventoryItem>> list_leases(const ProviderContext& context, Deadline deadline) override {
    TRY(needs("environment.inventory", "has no list of its sandboxes"));
    const auto answer = TRY(call("environmentListLeases", base(context), deadline));
    std::vector<InventoryItem> items;
    const auto* leases = member(answer, "leases");
    if (leases == nullptr || !leases->is_array()) return Error(ErrorKind::bad_gateway, "Sandbox provider \"" + key() + "\" answered without a list of leases");
    for (const auto& lease : leases->get_array())
      if (auto id = text_at(lease, "providerLeaseId")) items.push_back({*std::move(id), object_at(lease, "metadata"), string_at(lease, "createdAt")});
    return items;
  }

 private:
  Error gone() const { return Error(ErrorKind::unavailable, "Sandbox provider \"" + key() + "\" is not installed or its plugin worker is not running."); }

  Result<json::value> call(std::string_view method, json::object params, Deadline deadline) {
    const auto plugin = host_.active(plugin_id_);
    if (!plugin) return gone();
    const auto left = deadline.left();
    if (left.count() == 0) return Error(ErrorKind::timeout, "RPC call \"" + std::string(method) + "\" timed out");
    auto answer = plugin->worker->call(method, params, left, true);
    if (!answer.ok()) return to_error(*answer.failure);
    return std::move(answer.result);
  }

  Result<> needs(std::string_view extension, const char* lack) const {
    const auto plugin = host_.active(plugin_id_);
    if (!plugin) return gone();
    if (!plugin->worker->has_extension(extension)) return unprocessable("Sandbox provider \"" + key() + "\" " + lack);
    return {};
  }

  json::object base(const ProviderContext& context) const {
    return {{"driverKey", driver_.driver_key}, {"companyId", context.company_id.view()}, {"environmentId", context.environment_id}, {"config", context.config}};
  }
  json::object with_lease_id(const ProviderContext& context, const std::optional<std::string>& id, const json::object& metadata) const {
    auto params = base(context);
    params["providerLeaseId"] = id ? json::value(*id) : json::value(nullptr);
    if (!metadata.empty()) params["leaseMetadata"] = metadata;
    return params;
  }

  PluginHost& host_;
  const PluginId plugin_id_;
  const std::string plugin_key_;
  const domain::EnvironmentDriverDeclaration driver_;
};

const domain::EnvironmentDriverDeclaration* declared(const domain::PluginManifest& manifest, std::string_view key) {
  if (manifest.environment_drivers)
    for (const auto& driver : *manifest.environment_drivers)
      if (driver.driver_key == key) return &driver;
  return nullptr;
}

bool is_sandbox(const domain::EnvironmentDriverDeclaration& driver) { return driver.kind && *driver.kind == domain::EnvironmentDriverKind::sandbox_provider; }

}  // namespace

std::shared_ptr<SandboxProvider> PluginHost::find(std::string_view key) {
  for (const auto& plugin : all_active()) {
    if (!plugin->worker->running()) continue;
    if (const auto* driver = declared(plugin->manifest, key); driver != nullptr && is_sandbox(*driver)) return std::make_shared<PluginProvider>(*this, *plugin, *driver);
  }
  return nullptr;
}

std::shared_ptr<SandboxProvider> PluginHost::find(const PluginId& id, std::string_view key) {
  const auto plugin = active(id);
  if (!plugin) return nullptr;
  const auto* driver = declared(plugin->manifest, key);
  return driver == nullptr ? nullptr : std::make_shared<PluginProvider>(*this, *plugin, *driver);
}

Result<std::shared_ptr<SandboxProvider>> PluginHost::find_driver(std::string_view plugin_key, std::string_view driver_key) {
  const std::string name = std::string(plugin_key) + ":" + std::string(driver_key);
  const auto row = options_.database.read([&](store::Reader& reader) { return domain::find_plugin(reader, plugin_key); });
  if (!row || row->status != domain::PluginStatus::ready) return unprocessable("Plugin environment driver \"" + name + "\" is not ready.");
  const auto manifest = TRY(domain::stored_manifest(*row));
  if (declared(manifest, driver_key) == nullptr) return unprocessable("Plugin \"" + std::string(plugin_key) + "\" does not declare environment driver \"" + std::string(driver_key) + "\".");
  auto provider = find(row->id, driver_key);
  if (!provider || !provider->running()) return unprocessable("Plugin environment driver \"" + name + "\" has no running worker.");
  return provider;
}

std::vector<std::shared_ptr<SandboxProvider>> PluginHost::list() {
  std::vector<std::shared_ptr<SandboxProvider>> providers;
  for (const auto& plugin : all_active()) {
    if (!plugin->worker->running() || !plugin->manifest.environment_drivers) continue;
    for (const auto& driver : *plugin->manifest.environment_drivers)
      if (is_sandbox(driver)) providers.push_back(std::make_shared<PluginProvider>(*this, *plugin, driver));
  }
  return providers;
}

Result<std::shared_ptr<SandboxProvider>> PluginHost::wait_ready(std::string_view key, Deadline deadline) {
  const std::string name = "Sandbox provider \"" + std::string(key) + "\"";
  while (true) {
    if (auto provider = find(key)) return provider;
    const auto rows = options_.database.read([](store::Reader& reader) { return domain::list_plugins(reader, std::nullopt); });
    std::optional<domain::Plugin> owner;
    for (const auto& row : rows) {
      const auto manifest = domain::stored_manifest(row);
      const auto* driver = manifest ? declared(*manifest, key) : nullptr;
      if (driver == nullptr || !is_sandbox(*driver)) continue;
      if (!owner || (owner->status != domain::PluginStatus::ready && row.status == domain::PluginStatus::ready)) owner = row;
    }
    if (!owner) return unprocessable(name + " is not registered as a built-in provider and no matching plugin is available.");
    const std::string via = name + " is installed via plugin \"" + owner->plugin_key + "\", but ";
    if (owner->status != domain::PluginStatus::ready) return unprocessable(via + "that plugin is currently " + std::string(to_text(owner->status)) + ".");
    if (deadline.passed()) return unprocessable(via + "its worker is not running.");
    std::unique_lock lock(mutex_);
    if (stopping_) return unprocessable(via + "its worker is not running.");
    // Woken when a worker runs; looked at again now and then, because the row may change too.
    changed_.wait_for(lock, std::min(deadline.left(), milliseconds(500)));
  }
}

}  // namespace paperclip::plugins
