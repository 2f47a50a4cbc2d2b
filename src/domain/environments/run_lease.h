#pragma once

#include <optional>
#include <string>

#include "base/transitions.h"
#include "domain/environments/environment.h"
#include "domain/runs/run_events.h"
#include "store/transaction.h"

/// The lease a run holds on the place where it executes (spec/environments.md 1.2, 8): acquired with the claim, released
/// on every way out.
namespace paperclip::domain {

inline constexpr auto lease_transitions = transitions<LeaseStatus>({
    {LeaseStatus::active, LeaseStatus::released, "its run succeeded or was cancelled"},
    {LeaseStatus::active, LeaseStatus::failed, "its run failed, timed out or was lost"},
    {LeaseStatus::active, LeaseStatus::expired, "the provider gave it up"},
    {LeaseStatus::active, LeaseStatus::retained, "kept after a failure, for a look"},
});

/// The company's environment of this machine; made when it is missing, returned as it is otherwise
/// (spec/environments.md 1.4).
EnvironmentId ensure_local_environment(store::Transaction& tx, CompanyId company);

/// The environment a run of the agent executes in (spec/environments.md 7.1): the agent's own, else this machine.
/// Fails with the run's error text when it is gone, foreign or archived.
Result<Environment> choose_environment(store::Transaction& tx, CompanyId company, const std::optional<EnvironmentId>& wanted);

/// The run's lease on this machine, with `environment.lease_acquired` in the audit trail.
LeaseId acquire_local_lease(store::Transaction& tx, const RunIdentity& run, const Environment& environment,
                            const std::optional<IssueId>& issue);
/// Adds to the lease's metadata what was realised for it.
void describe_lease(store::Transaction& tx, LeaseId lease, const json::object& metadata);

/// Ends all leases the run still holds: `failed` after failed and timed-out runs, else `released`. The second call finds
/// none. `error` is the run's, for the audit trail.
void release_run_leases(store::Transaction& tx, const RunIdentity& run, RunStatus run_status, const std::optional<std::string>& error);

}  // namespace paperclip::domain
