#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>

#include "environments/place.h"
#include "plugins/provider.h"

namespace paperclip::environments {

/// Stands for the death of the server in the middle of a call.
struct ServerDied {};

/// A sandbox provider whose sandboxes are rows in memory and whose calls fail as a seed says: before they do anything,
/// after they did it, or by taking the server with them.
class FailingProvider : public plugins::SandboxProvider {
 public:
  explicit FailingProvider(unsigned seed, int failures_in_hundred) : random_(seed), failures_in_hundred_(failures_in_hundred) {}

  struct Sandbox {
    std::string environment, run;  // run: who works in it; empty while it waits
  };
  /// From now on nothing fails.
  void heal() { failures_in_hundred_ = 0; }
  int failures() const { return failures_; }
  const std::map<std::string, Sandbox>& sandboxes() const { return sandboxes_; }
  /// How often a sandbox was handed to a run while another worked in it.
  int double_use() const { return double_use_; }
  /// Configs that calls after the acquisition came with, by what was wrong with them.
  int wrong_configs() const { return wrong_configs_; }
  bool is_down() { return roll() < failures_in_hundred_ / 2; }
  bool list_works = true;

  std::string key() const override { return "flaky"; }
  PluginId plugin_id() const override { return *PluginId::parse("00000000-0000-4000-8000-00000000f1a9"); }
  std::string plugin_key() const override { return "test.flaky"; }
  bool is_sandbox_provider() const override { return true; }
  std::string display_name() const override { return "Flaky"; }
  std::optional<std::string> description() const override { return std::nullopt; }
  json::object config_schema() const override {
    return {{"type", "object"},
            {"properties", json::object{{"apiKey", json::object{{"type", "string"}, {"format", "secret-ref"}}},
                                        {"image", json::object{{"type", "string"}}},
                                        {"nested", json::object{{"properties", json::object{{"token", json::object{{"format", "secret-ref"}}}}}}}}}};
  }
  plugins::ProviderCapabilities capabilities() const override { return {.inventory = list_works}; }
  bool running() const override { return true; }

  Result<plugins::ConfigCheck> validate_config(const json::object& config, Deadline) override {
    if (string_at(json::value(config), "image") == "refused") return plugins::ConfigCheck{false, {}, {"No such image."}, std::nullopt};
    return plugins::ConfigCheck{true, {}, {}, std::nullopt};
  }
  Result<plugins::ProbeResult> probe(const plugins::ProviderContext& context, Deadline) override {
    probed_with = context.config;
    return plugins::ProbeResult{true, std::nullopt, {}, {}};
  }
  Result<plugins::ProviderLease> acquire_lease(const plugins::ProviderContext& context, const plugins::AcquireRequest& request, Deadline) override {
    if (fails()) return before();
    const std::string id = "box-" + std::to_string(++made_);
    sandboxes_[id] = {context.environment_id, request.run_id.str()};
    acquired_with = context.config;
    if (fails()) return after("acquire");
    json::object metadata{{"environmentId", context.environment_id}, {"remoteCwd", "/work"}};
    // A provider that is careless with what it was given.
    for (const auto& item : context.config) metadata[item.key()] = item.value();
    metadata["note"] = "started with " + string_at(json::value(context.config), "apiKey").value_or("");
    metadata["driver"] = "local";
    return plugins::ProviderLease{id, std::move(metadata), std::nullopt};
  }
  Result<plugins::ProviderLease> resume_lease(const plugins::ProviderContext& context, const std::string& id, const json::object&, Deadline) override {
    check(context);
    if (fails()) return before();
    const auto found = sandboxes_.find(id);
    if (found == sandboxes_.end()) return plugins::ProviderLease{};
    if (!found->second.run.empty()) ++double_use_;
    found->second.run = "resumed";
    if (fails()) return after("resume");
    return plugins::ProviderLease{id, {{"environmentId", context.environment_id}, {"remoteCwd", "/work"}}, std::nullopt};
  }
  Result<> release_lease(const plugins::ProviderContext& context, const std::optional<std::string>& id, const json::object&, Deadline) override {
    check(context);
    if (fails()) return before();
    if (const auto* reuse = context.config.if_contains("reuseLease"); id && reuse != nullptr && *reuse == json::value(true)) {
      if (const auto found = sandboxes_.find(*id); found != sandboxes_.end()) found->second.run.clear();
    } else if (id) {
      sandboxes_.erase(*id);
    }
    if (fails()) return after("release");
    return {};
  }
  Result<> destroy_lease(const plugins::ProviderContext& context, const std::optional<std::string>& id, const json::object&, Deadline) override {
    check(context);
    if (fails()) return before();
    if (id) sandboxes_.erase(*id);
    if (fails()) return after("destroy");
    return {};
  }
  Result<plugins::WorkspacePlace> realize_workspace(const plugins::ProviderContext&, const plugins::ProviderLease&, const plugins::WorkspaceRequest&, Deadline) override {
    return plugins::WorkspacePlace{"/work", {}};
  }
  Result<std::unique_ptr<plugins::Execution>> start(const plugins::ProviderContext&, const plugins::ProviderLease&, const plugins::ExecuteRequest&, plugins::OnOutput) override {
    return unprocessable("this provider executes nothing");
  }
  Result<> put_file(const plugins::ProviderContext&, const plugins::ProviderLease&, const std::string&, std::string_view, unsigned, Deadline) override { return unprocessable("no files"); }
  Result<std::string> get_file(const plugins::ProviderContext&, const plugins::ProviderLease&, const std::string&, std::size_t, Deadline) override { return unprocessable("no files"); }
  Result<std::vector<plugins::InventoryItem>> list_leases(const plugins::ProviderContext&, Deadline) override {
    if (fails()) return before();
    std::vector<plugins::InventoryItem> items;
    for (const auto& [id, sandbox] : sandboxes_) items.push_back({id, {{"environmentId", sandbox.environment}}, std::nullopt});
    return items;
  }

  /// A sandbox of somebody else in the same account.
  void add_foreign(const std::string& id) { sandboxes_[id] = {"somebody-elses", "foreign"}; }
  void forget(const std::string& id) { sandboxes_.erase(id); }

  json::object acquired_with, probed_with;
  std::string expected_key;  // what `apiKey` must be in every call; empty: not looked at

 private:
  int roll() { return static_cast<int>(random_() % 100); }
  bool fails() {
    if (roll() >= failures_in_hundred_) return false;
    ++failures_;
    return true;
  }
  Error before() { return roll() < 50 ? Error(ErrorKind::bad_gateway, "the provider refuses") : Error(ErrorKind::unavailable, "the worker is down"); }
  Error after(const char* what) {
    if (roll() < 30) throw ServerDied{};
    return Error(roll() < 50 ? ErrorKind::timeout : ErrorKind::unavailable, std::string(what) + " got no answer");
  }
  void check(const plugins::ProviderContext& context) {
    if (!expected_key.empty() && string_at(json::value(context.config), "apiKey") != expected_key) ++wrong_configs_;
    for (const char* key : {"provider", "driver", "pluginId", "remoteCwd", "note", "environmentId"})
      if (context.config.contains(key)) ++wrong_configs_;
  }

  std::mt19937 random_;
  int failures_in_hundred_;
  int failures_ = 0, made_ = 0, double_use_ = 0, wrong_configs_ = 0;
  std::map<std::string, Sandbox> sandboxes_;
};

class OneProvider : public plugins::ProviderRegistry {
 public:
  explicit OneProvider(std::shared_ptr<FailingProvider> provider) : provider_(std::move(provider)) {}
  std::shared_ptr<plugins::SandboxProvider> find(std::string_view key) override { return key == provider_->key() && !provider_->is_down() ? provider_ : nullptr; }
  std::shared_ptr<plugins::SandboxProvider> find(const PluginId& plugin, std::string_view key) override { return plugin == provider_->plugin_id() ? find(key) : nullptr; }
  Result<std::shared_ptr<plugins::SandboxProvider>> find_driver(std::string_view plugin_key, std::string_view driver_key) override {
    if (plugin_key != provider_->plugin_key() || driver_key != provider_->key())
      return unprocessable("Plugin environment driver \"" + std::string(plugin_key) + ":" + std::string(driver_key) + "\" is not ready.");
    return std::shared_ptr<plugins::SandboxProvider>(provider_);
  }
  std::vector<std::shared_ptr<plugins::SandboxProvider>> list() override { return {provider_}; }
  Result<std::shared_ptr<plugins::SandboxProvider>> wait_ready(std::string_view key, Deadline) override {
    if (auto found = find(key)) return found;
    return unprocessable("Sandbox provider \"" + std::string(key) + "\" is not there.");
  }

 private:
  std::shared_ptr<FailingProvider> provider_;
};

/// Places in those sandboxes; nothing can run in them.
class SandboxPlace : public Place {
 public:
  SandboxPlace(std::shared_ptr<FailingProvider> provider, plugins::ProviderContext context, std::string id)
      : provider_(std::move(provider)), context_(std::move(context)), id_(std::move(id)) {
    description_.kind = PlaceKind::sandbox;
  }
  const PlaceDescription& description() const override { return description_; }
  Runner& runner() override { throw std::logic_error("nothing runs here"); }
  Result<os::CommandOutput> run_command(const PlaceCommand&, Deadline) override { return unprocessable("nothing runs here"); }
  Result<std::unique_ptr<PlaceStream>> open_stream(const PlaceCommand&, Deadline) override { return unprocessable("nothing runs here"); }
  Result<void> write_file(const std::string&, std::string_view, unsigned, Deadline) override { return unprocessable("nothing runs here"); }
  Result<void> release(ReleaseOutcome, Deadline deadline) override { return provider_->release_lease(context_, id_, {}, deadline); }

 private:
  std::shared_ptr<FailingProvider> provider_;
  plugins::ProviderContext context_;
  std::string id_;
  PlaceDescription description_;
};

class SandboxPlaces : public Driver {
 public:
  explicit SandboxPlaces(std::shared_ptr<FailingProvider> provider) : provider_(std::move(provider)) {}
  Result<AcquiredPlace> acquire(const PlaceRequest& request, Deadline deadline) override {
    const auto context = context_of(request);
    return as_place(context, TRY(provider_->acquire_lease(context, {request.run_id, request.workspace_mode}, deadline)));
  }
  Result<AcquiredPlace> resume(const PlaceRequest& request, const domain::EnvironmentLease& lease, Deadline deadline) override {
    const auto context = context_of(request);
    auto resumed = TRY(provider_->resume_lease(context, lease.provider_lease_id.value_or(""), {}, deadline));
    if (!resumed.provider_lease_id) return Error(ErrorKind::gone, "The sandbox is gone");
    return as_place(context, std::move(resumed));
  }
  Result<void> release(const PlaceRequest&, const domain::EnvironmentLease&, ReleaseOutcome, Deadline) override { return {}; }
  Result<PlaceProbe> probe(const PlaceRequest&, Deadline) override { return PlaceProbe{}; }

 private:
  static plugins::ProviderContext context_of(const PlaceRequest& request) {
    plugins::ProviderContext context{request.environment.company_id, request.environment.id.str(), request.config};
    context.config.erase("provider");
    return context;
  }
  AcquiredPlace as_place(const plugins::ProviderContext& context, plugins::ProviderLease lease) {
    AcquiredPlace got;
    got.place = std::make_unique<SandboxPlace>(provider_, context, *lease.provider_lease_id);
    got.provider_lease_id = lease.provider_lease_id;
    got.metadata = std::move(lease.metadata);
    return got;
  }
  std::shared_ptr<FailingProvider> provider_;
};

}  // namespace paperclip::environments
