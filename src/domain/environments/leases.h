#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/transitions.h"
#include "domain/environments/environment.h"
#include "domain/runs/run_events.h"
#include "store/transaction.h"

/// Leases: rows that say which run holds which place, from before the place exists until nothing of it is left
/// (spec/environments.md 8; README.md of this folder draws their life).
namespace paperclip::domain {

inline constexpr auto lease_transitions = transitions<LeaseStatus>({
    {LeaseStatus::active, LeaseStatus::released, "its run succeeded or was cancelled, or never started"},
    {LeaseStatus::active, LeaseStatus::failed, "its run failed, timed out or was lost, or the place could not be had"},
    {LeaseStatus::active, LeaseStatus::expired, "its provider gave it up, and its run is over"},
    {LeaseStatus::active, LeaseStatus::retained, "kept after a failure, for a look"},
    {LeaseStatus::retained, LeaseStatus::released, "looked at long enough: given back"},
    {LeaseStatus::retained, LeaseStatus::expired, "gone before it was given back"},
    {LeaseStatus::released, LeaseStatus::expired, "kept for the next run, and gone, or idle for too long"},
    {LeaseStatus::failed, LeaseStatus::expired, "the same after a failed run"},
});

/// What a run asks for.
struct LeaseRequest {
  RunIdentity run;
  Environment environment;
  std::optional<IssueId> issue_id;
  std::optional<ExecutionWorkspaceId> execution_workspace_id;
  std::optional<std::string> workspace_mode;  // execution workspace mode
};

/// `reuseLease` in the config makes a lease reusable, by all of the environment's runs or, where its metadata says
/// `leasePolicy: reuse_by_execution_workspace`, by those of one workspace; `leasePolicy: retain_on_failure` keeps what failed.
LeasePolicy lease_policy_of(const Environment& environment);

/// The row, active, before anybody has called the provider: so a crash in between leaves something to be found. A lease
/// on this machine is complete with that.
LeaseId open_lease(store::Transaction& tx, const LeaseRequest& request);

/// A sandbox that an earlier lease of the same environment and config left for the next run, now held by `own` alone;
/// newest first, never one that an active lease holds or that is being cleaned up.
std::optional<EnvironmentLease> take_reusable_lease(store::Transaction& tx, LeaseId own);
/// Why a sandbox that was taken is not used: nobody asked for it yet, so the next run may; it is gone; or nobody knows how it is now, so
/// the sweep destroys it.
enum class NotReused { untouched, gone, doubtful };
void drop_reused_lease(store::Transaction& tx, LeaseId own, LeaseId earlier, NotReused why);
/// While an earlier active lease keeps the environment's reusable sandbox busy, a further run gets one of its own and throws it
/// away afterwards: makes the lease ephemeral, and its config say so.
void throw_away_if_busy(store::Transaction& tx, LeaseId own);

/// What the place's driver answered.
struct LeaseFacts {
  LeasePolicy policy = LeasePolicy::ephemeral;
  std::optional<std::string> provider, provider_lease_id;
  json::object metadata;  // no secrets
  std::optional<Timestamp> expires_at;
};
/// The place is there: completes the row and says so in the audit trail. 409 when the lease is not active any more, its
/// run is over, or the provider handed out what another active lease holds: then it must be given back, or left alone
/// in the last case (`details.heldBy`).
Result<EnvironmentLease> confirm_lease(store::Transaction& tx, LeaseId id, const LeaseFacts& facts);
/// Why a place could not be had, and what is left of the attempt.
struct LeaseFailure {
  std::string reason;
  bool maybe_leaked = false;                      // nobody knows whether the provider made one: the sweep looks
  std::optional<std::string> provider_lease_id;  // it did, and could not take it back: the sweep tries again
  json::object metadata;                         // no secrets; what the provider wants to see again
};
void fail_lease(store::Transaction& tx, LeaseId id, const LeaseFailure& failure);

/// How the provider's side of a lease ended.
struct LeaseEnd {
  LeaseStatus status = LeaseStatus::released;
  std::optional<LeaseCleanupStatus> cleanup;
  std::optional<std::string> failure_reason;  // kept as it is when empty
  std::optional<std::string> run_error;       // for the audit trail
};
/// Ends an active lease; nothing and false when it has ended already.
bool end_lease(store::Transaction& tx, LeaseId id, const LeaseEnd& end);
/// The status with which a lease of such a run ends.
LeaseStatus lease_status_after(RunStatus run, LeasePolicy policy);

/// Takes a lease that has ended for a further attempt to clean up; false when somebody else has it, or there is nothing to do.
bool begin_cleanup(store::Transaction& tx, const EnvironmentLease& seen);
/// The attempt's outcome; a lease that held its place for later ends as `expired`, or `released` if it was retained.
void finish_cleanup(store::Transaction& tx, LeaseId id, bool done);

/// True while something at a provider may belong to this lease.
bool holds_place(const EnvironmentLease& lease);
/// `driver` as it was when the lease was made.
EnvironmentDriver driver_of(const EnvironmentLease& lease, EnvironmentDriver otherwise);
json::object metadata_of(const EnvironmentLease& lease);

/// The config a lease was acquired with, secrets as references: exactly it, or for a lease that does not have it the
/// metadata's own keys (spec/environments.md 8.2). Without `provider`.
json::object acquired_config(const EnvironmentLease& lease, const Environment* environment);
/// The shell a provider declared in the lease's metadata; `sh` unless it says `bash` (spec/environments.md 10).
std::string shell_of(const json::object& lease_metadata);

std::optional<EnvironmentLease> find_lease(store::Reader& reader, LeaseId id);
/// Latest use first; `status` is compared as text.
std::vector<EnvironmentLease> leases_of(store::Reader& reader, EnvironmentId environment, const std::optional<std::string>& status);

}  // namespace paperclip::domain
