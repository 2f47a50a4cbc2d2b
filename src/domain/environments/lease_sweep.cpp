#include "domain/environments/lease_sweep.h"

#include <algorithm>

namespace paperclip::domain {

namespace {

constexpr int most_at_once = 200;

std::int64_t attempts_of(const EnvironmentLease& lease) {
  const json::object metadata = metadata_of(lease);
  const auto* attempts = metadata.if_contains("cleanupAttempts");
  return attempts != nullptr && attempts->is_int64() ? attempts->get_int64() : 0;
}

bool is_due(const EnvironmentLease& lease, const SweepPatience& patience, Timestamp now) {
  if (!holds_place(lease)) return false;
  if (lease.expires_at && *lease.expires_at <= now && lease.cleanup_status != LeaseCleanupStatus::pending) return true;
  if (lease.cleanup_status == LeaseCleanupStatus::failed || lease.cleanup_status == LeaseCleanupStatus::pending) {
    // What somebody is at is left alone for as long as calls to a provider may take.
    const auto wait = std::min<std::chrono::milliseconds>(patience.between_attempts * (std::int64_t{1} << std::min<std::int64_t>(attempts_of(lease), 6)),
                                                          std::max<std::chrono::milliseconds>(patience.between_attempts, std::chrono::hours(1)));
    const auto busy = lease.cleanup_status == LeaseCleanupStatus::pending && lease.status != LeaseStatus::retained ? patience.after_cancel : wait;
    if (lease.status != LeaseStatus::retained) return lease.updated_at + busy <= now;
  }
  if (lease.status == LeaseStatus::retained) return lease.last_used_at + patience.retention <= now && lease.updated_at + patience.between_attempts <= now;
  return lease.last_used_at + patience.idle <= now;
}

}  // namespace

std::vector<EnvironmentLease> abandoned_leases(store::Reader& reader, const SweepPatience& patience, const std::set<RunId>& here) {
  std::vector<EnvironmentLease> out;
  const Timestamp now = reader.now();
  for (auto& lease : reader.all<EnvironmentLease>("select {l} from environment_leases l left join heartbeat_runs r on r.id = l.heartbeat_run_id "
                                                  "where l.status = 'active' and (r.id is null or r.status not in ('running')) "
                                                  "order by l.updated_at limit " + std::to_string(most_at_once))) {
    if (lease.heartbeat_run_id && here.contains(*lease.heartbeat_run_id)) continue;
    const auto wait = lease.cleanup_status == LeaseCleanupStatus::pending ? patience.after_run : patience.after_cancel;
    if (lease.updated_at + wait <= now) out.push_back(std::move(lease));
  }
  return out;
}

std::vector<EnvironmentLease> leases_to_clean(store::Reader& reader, const SweepPatience& patience) {
  std::vector<EnvironmentLease> out;
  for (auto& lease : reader.all<EnvironmentLease>("select {} from environment_leases where status = 'retained' or (status in ('released', 'failed') and "
                                                  "(cleanup_status in ('pending', 'failed') or (lease_policy like 'reuse_%' and provider_lease_id is not null))) "
                                                  "order by updated_at limit 2000"))
    if (is_due(lease, patience, reader.now()) && out.size() < most_at_once) out.push_back(std::move(lease));
  return out;
}

bool is_accounted_for(store::Reader& reader, EnvironmentId environment, const std::string& provider_lease_id) {
  for (const auto& lease : reader.all<EnvironmentLease>("select {} from environment_leases where environment_id = :1 and provider_lease_id = :2", environment, provider_lease_id))
    if (holds_place(lease)) return true;
  return reader.exists("select 1 from environment_leases where environment_id = :1 and status = 'active' and provider_lease_id is null", environment);
}

void settle_doubtful_leases(store::Transaction& tx, EnvironmentId environment) {
  for (const auto& lease : tx.all<EnvironmentLease>("select {} from environment_leases where environment_id = :1 and status = 'failed' and provider_lease_id is null "
                                                    "and cleanup_status = 'failed' {for update}", environment))
    if (metadata_of(lease).contains("maybeLeaked")) finish_cleanup(tx, lease.id, true);
}

}  // namespace paperclip::domain
