#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <vector>

#include "environments/place.h"
#include "environments/run_loop.h"
#include "environments/runner_binary.h"

namespace paperclip::environments::ssh {

struct DriverOptions {
  std::filesystem::path runner;  // the paperclip-runner binary; others beside it, see runner_binary.h
  /// How long a run may be out of reach before it is given up as lost.
  std::chrono::milliseconds patience = std::chrono::minutes(10);
};

/// Places on SSH hosts. Each has one connection of its own. Removes what a killed server left behind when it is made.
class SshDriver : public Driver {
 public:
  static Result<std::unique_ptr<SshDriver>> create(DriverOptions options);
  /// No run of its places is followed any more.
  ~SshDriver() override { loop_->end(); }

  Result<AcquiredPlace> acquire(const PlaceRequest& request, Deadline deadline) override;
  Result<AcquiredPlace> resume(const PlaceRequest& request, const domain::EnvironmentLease& lease, Deadline deadline) override;
  /// Nothing is held at the host: connections go with their place.
  Result<void> release(const PlaceRequest& request, const domain::EnvironmentLease& lease, ReleaseOutcome outcome, Deadline deadline) override;
  Result<PlaceProbe> probe(const PlaceRequest& request, Deadline deadline) override;

 private:
  SshDriver(DriverOptions options, std::vector<RunnerBinary> runners, std::shared_ptr<RunLoop> loop);
  Result<AcquiredPlace> open(const PlaceRequest& request, const std::string& workspace, Deadline deadline);

  DriverOptions options_;
  std::vector<RunnerBinary> runners_;
  std::shared_ptr<RunLoop> loop_;
};

}  // namespace paperclip::environments::ssh
