#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "config.h"
#include "lease_directory.h"
#include "sandbox.h"

namespace paperclip::providers {

/// The provider `bubblewrap`: a lease is a directory with workspace and home that lasts, and a sandbox around it while
/// somebody works there.
class BubblewrapDriver : public sdk::EnvironmentDriver {
 public:
  /// `root`: where sandboxes are kept; empty: the default. Nothing is touched before the first lease. False, and nothing
  /// changes, if sandboxes are kept elsewhere already.
  bool use(std::string root, std::string plugin_id);

  sdk::EnvironmentExtensions extensions() const override { return {true, true, true, true, true}; }
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
  void put_file(const sdk::EnvironmentCall& call, const sdk::Lease& lease, const sdk::PutFileRequest& request) override;
  sdk::FilePiece get_file(const sdk::EnvironmentCall& call, const sdk::Lease& lease, const std::string& path, std::uint64_t offset,
                          std::size_t length) override;
  std::vector<sdk::LeaseItem> list_leases(const sdk::EnvironmentCall& call) override;

 private:
  LeaseDirectories& directories();
  /// The lease's sandbox, started if none runs: after a restart of this worker, or when the former one died.
  std::shared_ptr<Sandbox> sandbox_of(const sdk::EnvironmentCall& call, const std::optional<std::string>& lease_id);
  /// Ends every process of the lease.
  void stop(const std::string& lease_id);

  std::mutex mutex_;
  std::string root_, plugin_id_;
  std::unique_ptr<LeaseDirectories> directories_;
  struct Slot {
    std::mutex mutex;
    std::shared_ptr<Sandbox> sandbox;
  };
  std::map<std::string, std::shared_ptr<Slot>> slots_;
};

}  // namespace paperclip::providers
