#include <spdlog/spdlog.h>

#include "environments/leases.h"
#include "heartbeat/execution.h"
#include "heartbeat/run_place.h"

/// A run and the place where it works: got before it is prepared, given back on every way out.
namespace paperclip::heartbeat {

using namespace std::chrono_literals;

namespace {
constexpr auto acquire_patience = 3min, provision_patience = 5min;
constexpr auto upload_patience = 30min, back_patience = 30min;
}  // namespace

Result<> Execution::go_to_place() {
  if (place_ || !has_lease_elsewhere(setup_)) return {};
  auto* leases = engine_.options.leases;
  if (leases == nullptr) return unprocessable("Environment driver \"" + setup_.environment_driver + "\" is not registered in the environment runtime yet.");
  const auto order = place_order(setup_, *workspace_);
  const Deadline deadline = Deadline::in(acquire_patience);
  auto place = TRY(took_over_ ? leases->resume(order, deadline) : leases->acquire(order, deadline));
  // A cancel from another thread asks for the runner.
  std::lock_guard lock(cancel_mutex_);
  place_ = std::move(place);
  return {};
}

Result<> Execution::furnish_place(const adapters::PreparedRun& prepared) {
  const Deadline deadline = Deadline::in(upload_patience);
  const auto& where = place_->description();
  if (!where.in_place) say("[paperclip] Syncing workspace to " + where.label + ".\n");
  const SyncHome home{engine_.options.instance_root / "workspace-sync", engine_.options.host};
  auto synced = bring_workspace(*place_, *workspace_, home, setup_.run.id, deadline);
  if (!synced) return unprocessable("Failed to bring the workspace to " + where.label + ": " + synced.error().message);
  uploaded_ = true;
  for (const auto& line : *synced) say("[paperclip] " + line + "\n");
  if (const auto command = provision_command(setup_)) TRY(provision_place(*place_, setup_, *command, Deadline::in(provision_patience)));
  if (auto brought = bring_assets(*place_, prepared.assets, engine_.options.host, deadline); !brought)
    return unprocessable("Failed to bring the agent's files to " + place_->description().label + ": " + brought.error().message);
  return {};
}

void Execution::bring_work_back() {
  if (!place_ || !(uploaded_ || took_over_) || place_->description().in_place) return;
  uploaded_ = false;
  const std::string& where = place_->description().label;
  say("[paperclip] Restoring workspace changes from " + where + ".\n");
  const SyncHome home{engine_.options.instance_root / "workspace-sync", engine_.options.host};
  const auto lines = bring_workspace_back(*place_, *workspace_, home, setup_.run.id, Deadline::in(back_patience));
  if (lines) {
    for (const auto& line : *lines) say("[paperclip] " + line + "\n");
    return;
  }
  // Beside the agent's result, not instead of it.
  sync_error_ = lines.error().message;
  say("[paperclip] The workspace changes could not be brought back from " + where + ": " + lines.error().message + "\n");
  spdlog::warn("workspace.not_brought_back run={} error=\"{}\"", setup_.run.id.view(), lines.error().message);
}

void Execution::leave_place() {
  if (!has_lease_elsewhere(setup_) || engine_.options.leases == nullptr) return;
  try {
    engine_.options.leases->release(setup_.run.id, place_.get());
  } catch (const std::exception& problem) {
    // The sweep finds it.
    spdlog::error("lease.release_failed run={} error=\"{}\"", setup_.run.id.view(), problem.what());
  }
}

}  // namespace paperclip::heartbeat
