#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "paperclip/sdk/environment.h"

namespace paperclip::providers {

/// The deterministic provider `fake-plugin` (spec/environments.md 13): temporary directories of this machine, known in
/// memory only, no isolation.
class FakeDriver : public sdk::EnvironmentDriver {
 public:
  sdk::EnvironmentExtensions extensions() const override { return {true, true, true, false, true}; }
  sdk::ConfigCheck validate_config(const sdk::json::object& config) override;
  sdk::ProbeResult probe(const sdk::EnvironmentCall& call) override;
  sdk::Lease acquire_lease(const sdk::EnvironmentCall& call, const sdk::AcquireRequest& request) override;
  sdk::Lease resume_lease(const sdk::EnvironmentCall& call, const std::string& lease_id, const sdk::json::object& metadata) override;
  void release_lease(const sdk::EnvironmentCall& call, const std::optional<std::string>& lease_id, const sdk::json::object& metadata) override;
  void destroy_lease(const sdk::EnvironmentCall& call, const std::optional<std::string>& lease_id, const sdk::json::object& metadata) override;
  sdk::WorkspacePlace realize_workspace(const sdk::EnvironmentCall& call, const sdk::Lease& lease,
                                        const sdk::WorkspaceRequest& request) override;
  sdk::ExecuteResult execute(const sdk::EnvironmentCall& call, const sdk::Lease& lease, const sdk::ExecuteRequest& request,
                             sdk::Execution& execution) override;
  std::vector<sdk::LeaseItem> list_leases(const sdk::EnvironmentCall& call) override;

 private:
  struct Sandbox {
    std::string environment_id;
    std::string root;       // the temporary directory
    std::string directory;  // its workspace
  };
  /// The sandbox of that id, made if there is none; whether it existed.
  std::pair<Sandbox, bool> ensure(const std::string& lease_id, const std::string& environment_id);
  std::optional<Sandbox> find(const std::optional<std::string>& lease_id) const;

  mutable std::mutex mutex_;
  std::map<std::string, Sandbox> sandboxes_;
};

}  // namespace paperclip::providers
