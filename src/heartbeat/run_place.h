#pragma once

#include <memory>
#include <string>
#include <vector>

#include "adapters/run.h"
#include "base/deadline.h"
#include "domain/runs/run_setup.h"
#include "environments/leases.h"
#include "environments/place.h"
#include "heartbeat/start_context.h"

/// Where a run works when that is not this machine: what is asked for, what its adapter sees of it, and what has to stand
/// there before the command starts (spec/environments.md 9, remote-runtimes.md 6).
namespace paperclip::heartbeat {

/// The run's lease is one that a driver or a plugin has to hear of. (`plugin` environments are a lease beside a local run.)
bool has_lease_elsewhere(const domain::RunSetup& setup);

/// Where sync keeps its state here, and the environment of its git.
struct SyncHome {
  std::filesystem::path state;
  const os::Environment& host;
};

/// What the run's lease asks its driver for.
environments::PlaceOrder place_order(const domain::RunSetup& setup, const Workspace& workspace);

/// The place as adapters know it.
adapters::ExecutionPlace execution_place(const environments::Place& place, const domain::RunSetup& setup);

/// Says in the run's context and in the lease's metadata where it works (spec/environments.md 9.1).
void describe_place(StartContext& start, const environments::Place& place, const domain::RunSetup& setup);

/// Brings the adapter's assets. The error says which.
Result<> bring_assets(environments::Place& place, const std::vector<adapters::PlaceAsset>& assets, const os::Environment& host,
                      Deadline deadline);

/// The workspace there becomes equal to the one here; nothing where the remote directory is the workspace. Returns lines
/// for the run's log.
Result<std::vector<std::string>> bring_workspace(environments::Place& place, const Workspace& workspace, const SyncHome& home, RunId run,
                                                 Deadline deadline);
/// What the run changed there comes back; nothing is lost that changed here meanwhile. Lines for the log.
Result<std::vector<std::string>> bring_workspace_back(environments::Place& place, const Workspace& workspace, const SyncHome& home, RunId run,
                                                      Deadline deadline);

/// The configured provision command, after the workspace is there and with nothing of the run in its environment. The
/// error is `Failed to provision workspace …` (spec/environments.md 9 step 5).
Result<> provision_place(environments::Place& place, const domain::RunSetup& setup, const domain::HostCommand& command, Deadline deadline);

}  // namespace paperclip::heartbeat
