#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "plugins/provider.h"

namespace paperclip::environments {

/// A sandbox provider whose sandboxes are folders of this machine: real commands, real pipes, no worker. What it can do is
/// the test's choice.
class FolderProvider : public plugins::SandboxProvider, public std::enable_shared_from_this<FolderProvider> {
 public:
  explicit FolderProvider(std::filesystem::path folder) : folder_(std::move(folder)) {}

  plugins::ProviderCapabilities can;
  std::atomic<bool> up{true};
  std::atomic<int> executions{0}, live_leases{0};
  /// Called with the home of each new lease.
  std::function<void(const std::filesystem::path& home)> furnish;

  std::string key() const override { return "folder"; }
  PluginId plugin_id() const override { return *PluginId::parse("00000000-0000-4000-8000-000000000001"); }
  std::string plugin_key() const override { return "test.folder"; }
  bool is_sandbox_provider() const override { return true; }
  std::string display_name() const override { return "Folder"; }
  std::optional<std::string> description() const override { return std::nullopt; }
  json::object config_schema() const override { return {}; }
  plugins::ProviderCapabilities capabilities() const override { return can; }
  bool running() const override { return up; }

  Result<plugins::ConfigCheck> validate_config(const json::object&, Deadline) override { return plugins::ConfigCheck{true, {}, {}, {}}; }
  Result<plugins::ProbeResult> probe(const plugins::ProviderContext&, Deadline) override { return plugins::ProbeResult{true, {}, {}, {}}; }
  Result<plugins::ProviderLease> acquire_lease(const plugins::ProviderContext&, const plugins::AcquireRequest&, Deadline) override;
  Result<plugins::ProviderLease> resume_lease(const plugins::ProviderContext&, const std::string& id, const json::object&, Deadline) override;
  Result<> release_lease(const plugins::ProviderContext&, const std::optional<std::string>&, const json::object&, Deadline) override;
  Result<> destroy_lease(const plugins::ProviderContext&, const std::optional<std::string>&, const json::object&, Deadline) override;
  Result<plugins::WorkspacePlace> realize_workspace(const plugins::ProviderContext&, const plugins::ProviderLease&, const plugins::WorkspaceRequest&,
                                                    Deadline) override;
  Result<std::unique_ptr<plugins::Execution>> start(const plugins::ProviderContext&, const plugins::ProviderLease&, const plugins::ExecuteRequest&,
                                                    plugins::OnOutput) override;
  Result<> put_file(const plugins::ProviderContext&, const plugins::ProviderLease&, const std::string&, std::string_view, unsigned, Deadline) override;
  Result<std::string> get_file(const plugins::ProviderContext&, const plugins::ProviderLease&, const std::string&, std::size_t, Deadline) override;
  Result<std::vector<plugins::InventoryItem>> list_leases(const plugins::ProviderContext&, Deadline) override;

 private:
  std::filesystem::path folder_;
};

/// Makes `home` one of a machine for which there is no runner: `uname` lies. `without`: programs that are not there either.
void make_strange_machine(const std::filesystem::path& home, const std::vector<std::string>& without = {});

/// Knows that one provider.
class OneProvider : public plugins::ProviderRegistry {
 public:
  explicit OneProvider(std::shared_ptr<FolderProvider> provider) : provider_(std::move(provider)) {}
  std::shared_ptr<plugins::SandboxProvider> find(std::string_view) override { return provider_; }
  std::shared_ptr<plugins::SandboxProvider> find(const PluginId&, std::string_view) override { return provider_; }
  Result<std::shared_ptr<plugins::SandboxProvider>> find_driver(std::string_view, std::string_view) override { return std::shared_ptr<plugins::SandboxProvider>(provider_); }
  std::vector<std::shared_ptr<plugins::SandboxProvider>> list() override { return {provider_}; }
  Result<std::shared_ptr<plugins::SandboxProvider>> wait_ready(std::string_view, Deadline) override { return std::shared_ptr<plugins::SandboxProvider>(provider_); }

 private:
  std::shared_ptr<FolderProvider> provider_;
};

}  // namespace paperclip::environments
