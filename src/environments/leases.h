#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <set>

#include "domain/environments/lease_sweep.h"
#include "environments/configs.h"
#include "environments/probes.h"

namespace paperclip::environments {

struct LeaseOptions {
  store::Database& database;
  Configs& configs;
  FindDriver driver;
  /// Of one call that gives a place back.
  std::chrono::milliseconds release_limit{std::chrono::seconds(60)};
  /// How long an acquisition waits for a provider's worker to be there.
  std::chrono::milliseconds worker_limit{5'000};
  /// Between two looks through a provider's list.
  std::chrono::milliseconds between_lists{std::chrono::minutes(10)};
  domain::SweepPatience patience;
};

/// What an acquisition is for. The lease's row is there, opened with the claim of the run.
struct PlaceOrder {
  LeaseId lease_id;
  RunId run_id;
  domain::Environment environment;
  std::string workspace_key;                  // see PlaceRequest
  std::optional<std::string> workspace_mode;
};

struct SweepReport {
  int ended = 0;      // active leases of runs that are over
  int cleaned = 0;    // leases whose place is given back now
  int failed = 0;     // attempts that failed; there will be another
  int destroyed = 0;  // sandboxes nobody held, found in a provider's list
};

/// Gets the places that lease rows stand for and gives them back, so that whatever fails, and whenever, something is on
/// record that leads to what must be cleaned up. Rows are decided in transactions; drivers and providers are called
/// between them. From any thread; everything blocks.
class Leases {
 public:
  explicit Leases(LeaseOptions options) : options_(std::move(options)) {}

  /// The place of an opened lease: one that an earlier run left, where the policy allows, else a new one. After an error the lease has
  /// ended and nothing is held; the message is the run's (spec/environments.md 9 step 3).
  Result<std::unique_ptr<Place>> acquire(const PlaceOrder& order, Deadline deadline);
  /// The place of a lease that was confirmed by an earlier server. An error leaves the lease as it is.
  Result<std::unique_ptr<Place>> resume(const PlaceOrder& order, Deadline deadline);

  /// The run is over and its row says how: gives its place back and ends its leases. `place` may be null (it was lost, or belonged to an
  /// earlier server). Never fails: what the provider does not take is tried again by the sweep. The second call changes nothing.
  void release(RunId run, Place* place);

  /// One turn of the sweep: leases of runs that are over, failed clean-ups, what was kept for too long, and sandboxes in providers'
  /// lists that no lease holds. `here` are the runs that this server is ending itself.
  SweepReport sweep(const std::set<RunId>& here = {});
  /// Gives back what idle leases of the environment still keep at its provider, before the environment goes. What fails stays on record.
  void give_back_kept(EnvironmentId environment, Deadline deadline);
  /// The same for all environments of a company.
  void give_back_kept(CompanyId company, Deadline deadline);

 private:
  struct Order;
  Result<Order> prepare(const PlaceOrder& order, const domain::EnvironmentLease& lease, Deadline deadline);
  Result<AcquiredPlace> get(const Order& order, const std::optional<domain::EnvironmentLease>& earlier, Deadline deadline);
  Result<AcquiredPlace> get_beside(const Order& order, Deadline deadline);
  Result<std::unique_ptr<Place>> take(const Order& order, AcquiredPlace got);
  void end(const domain::EnvironmentLease& lease, Place* place);
  bool clean(const domain::EnvironmentLease& lease, Deadline deadline);
  Result<> give_back(const domain::EnvironmentLease& lease, ReleaseOutcome outcome, bool destroy, Deadline deadline);
  Result<std::shared_ptr<plugins::SandboxProvider>> provider_of(const domain::EnvironmentLease& lease);
  /// Nothing when the provider has no list.
  std::optional<int> destroy_unheld(const domain::Environment& environment, plugins::SandboxProvider& provider);
  int look_through_lists();

  LeaseOptions options_;
  std::mutex mutex_;
  std::map<EnvironmentId, std::chrono::steady_clock::time_point> listed_;
};

}  // namespace paperclip::environments
