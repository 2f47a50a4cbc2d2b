#pragma once

#include <chrono>
#include <set>
#include <string>
#include <vector>

#include "domain/environments/leases.h"

/// What nobody is looking after any more (spec/environments.md 8.3; OURS): found from the rows alone, by time.
namespace paperclip::domain {

struct SweepPatience {
  /// How long a run that ended may take to give its place back before somebody else does.
  std::chrono::milliseconds after_run{std::chrono::minutes(2)};
  /// The same for a cancelled run whose process nobody here knows.
  std::chrono::milliseconds after_cancel{std::chrono::minutes(10)};
  /// Between attempts to clean up; doubles with each, up to an hour.
  std::chrono::milliseconds between_attempts{std::chrono::minutes(1)};
  /// How long what a failed run left is kept for a look.
  std::chrono::milliseconds retention{std::chrono::hours(24)};
  /// How long a sandbox waits for the next run.
  std::chrono::milliseconds idle{std::chrono::hours(24 * 7)};
};

/// Active leases whose run is over, or gone; runs in `here` are being ended by this server.
std::vector<EnvironmentLease> abandoned_leases(store::Reader& reader, const SweepPatience& patience, const std::set<RunId>& here);
/// Ended leases of which something may be left at a provider, and whose time for an attempt has come: failed clean-ups, what
/// was retained or idle for too long or is past its provider's time.
std::vector<EnvironmentLease> leases_to_clean(store::Reader& reader, const SweepPatience& patience);

/// Whether a sandbox in its provider's list is anybody's: a lease of this environment that may still hold it names it, or may be about
/// to (it is being acquired, or nobody knows what it got).
bool is_accounted_for(store::Reader& reader, EnvironmentId environment, const std::string& provider_lease_id);
/// A lease of which nobody knew whether the provider had made a sandbox: the provider's list has been gone through.
void settle_doubtful_leases(store::Transaction& tx, EnvironmentId environment);

}  // namespace paperclip::domain
