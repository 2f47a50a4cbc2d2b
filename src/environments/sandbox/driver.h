#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <vector>

#include "environments/place.h"
#include "environments/run_loop.h"
#include "environments/runner_binary.h"
#include "environments/sandbox/gate.h"
#include "environments/sandbox/sandbox.h"
#include "plugins/provider.h"

namespace paperclip::environments::sandbox {

struct DriverOptions {
  plugins::ProviderRegistry& providers;
  std::filesystem::path runner;  // the paperclip-runner binary; others beside it, see runner_binary.h
  /// How long a run may be out of reach before it is given up as lost.
  std::chrono::milliseconds patience = std::chrono::minutes(10);
};

/// Places in sandboxes of any provider. Where the provider streams, the runner in the sandbox is reached by one open
/// command; where it has one-shot commands only, by short ones that wait; where no runner of ours can be executed, a run
/// is one command of the provider and ends with the server.
class SandboxDriver : public Driver {
 public:
  static Result<std::unique_ptr<SandboxDriver>> create(DriverOptions options);
  /// Waits for what its workers still do.
  ~SandboxDriver() override;

  Result<AcquiredPlace> acquire(const PlaceRequest& request, Deadline deadline) override;
  Result<AcquiredPlace> resume(const PlaceRequest& request, const domain::EnvironmentLease& lease, Deadline deadline) override;
  Result<void> release(const PlaceRequest& request, const domain::EnvironmentLease& lease, ReleaseOutcome outcome, Deadline deadline) override;
  Result<PlaceProbe> probe(const PlaceRequest& request, Deadline deadline) override;

 private:
  SandboxDriver(DriverOptions options, std::vector<RunnerBinary> runners, std::shared_ptr<RunLoop> loop);
  /// The provider and what every call to it says.
  Result<Sandbox> sandbox_of(const PlaceRequest& request, Deadline deadline);
  Result<AcquiredPlace> open(const PlaceRequest& request, Sandbox sandbox, Deadline deadline);

  DriverOptions options_;
  std::vector<RunnerBinary> runners_;
  std::shared_ptr<RunLoop> loop_;
  Gate gate_;
};

}  // namespace paperclip::environments::sandbox
