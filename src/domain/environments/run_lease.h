#pragma once

#include <optional>
#include <string>

#include "domain/environments/leases.h"
#include "store/transaction.h"

/// The lease a run holds on the place where it executes (spec/environments.md 1.2, 8): acquired with the claim, released
/// on every way out.
namespace paperclip::domain {

/// The company's environment of this machine; made when it is missing, returned as it is otherwise
/// (spec/environments.md 1.4).
EnvironmentId ensure_local_environment(store::Transaction& tx, CompanyId company);

/// The environment a run executes in, from what `select_environment` found: the named one, else this machine. Fails with the
/// run's error text when it is gone, foreign or archived.
Result<Environment> choose_environment(store::Transaction& tx, CompanyId company, const std::optional<EnvironmentId>& wanted);

/// 422 for an adapter that cannot work in such a place: a run is never silently done on this machine instead
/// (spec/environments.md 7.4). A `plugin` environment stays what it is in the contract: a lease beside a local run.
Result<> check_adapter_can_work_in(const Environment& environment, std::string_view adapter_type, bool adapter_runs_remotely);

/// Adds to the lease's metadata what was realised for it.
void describe_lease(store::Transaction& tx, LeaseId lease, const json::object& metadata);

/// The run is over. Its leases on this machine and over SSH end: `failed` after failed and timed-out runs, else `released`.
/// Those that a provider has to hear of stay active, marked, until `environments::Leases` has told it, or the sweep has.
/// The second call changes nothing. `error` is the run's, for the audit trail.
void release_run_leases(store::Transaction& tx, const RunIdentity& run, RunStatus run_status, const std::optional<std::string>& error);

}  // namespace paperclip::domain
