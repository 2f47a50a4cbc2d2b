#include "domain/environments/run_lease.h"

#include "domain/activity/activity.h"
#include "domain/runs/run_context.h"
#include "domain/wakeups/wake_context.h"
#include "os/crash_point.h"

namespace paperclip::domain {

EnvironmentId ensure_local_environment(store::Transaction& tx, CompanyId company) {
  const auto find = [&] {
    return tx.value<EnvironmentId>("select id from environments where company_id = :1 and driver = 'local'", company);
  };
  if (const auto found = find()) return *found;
  tx.execute("insert into environments (id, company_id, name, description, driver, status, config, metadata, created_at, updated_at) "
             "values (:1, :2, 'Local', 'Default execution environment for Paperclip runs on this machine.', 'local', 'active', :3, :4, :5, :5) "
             "on conflict do nothing",
             tx.new_id<EnvironmentId>(), company, RawJson("{}"),
             RawJson(R"({"managedByPaperclip":true,"defaultForCompany":true})"), tx.now());
  return *find();
}

Result<Environment> choose_environment(store::Transaction& tx, CompanyId company, const std::optional<EnvironmentId>& wanted) {
  const EnvironmentId id = wanted ? *wanted : ensure_local_environment(tx, company);
  auto found = tx.one<Environment>("select {} from environments where id = :1 and company_id = :2", id, company);
  if (!found) return unprocessable("Environment \"" + id.str() + "\" not found.");
  if (found->status != EnvironmentStatus::active)
    return unprocessable("Environment \"" + found->name + "\" is not active (status: " + std::string(to_text(found->status)) + ").");
  return *std::move(found);
}

Result<> check_adapter_can_work_in(const Environment& environment, std::string_view adapter_type, bool adapter_runs_remotely) {
  const bool remote = environment.driver == EnvironmentDriver::ssh || environment.driver == EnvironmentDriver::sandbox;
  if (!remote || adapter_runs_remotely) return {};
  return unprocessable("Adapter \"" + std::string(adapter_type) + "\" cannot run in environment \"" + environment.name + "\" (" +
                       std::string(to_text(environment.driver)) + "): it works on this machine only. Choose another environment or adapter.");
}

void describe_lease(store::Transaction& tx, LeaseId lease, const json::object& metadata) {
  const auto stored = tx.one<RawJson>("select metadata from environment_leases where id = :1", lease);
  if (!stored) return;
  json::object merged = context_of(*stored);
  for (const auto& item : metadata) merged[item.key()] = item.value();
  tx.execute("update environment_leases set metadata = :1, updated_at = :2 where id = :3", RawJson(json::value(merged)), tx.now(), lease);
}

void release_run_leases(store::Transaction& tx, const RunIdentity& run, RunStatus run_status, const std::optional<std::string>& error) {
  for (const auto& lease : tx.all<EnvironmentLease>("select {} from environment_leases where heartbeat_run_id = :1 and status = 'active'", run.id)) {
    crash_point("lease.release.before");
    const EnvironmentDriver driver = driver_of(lease, EnvironmentDriver::local);
    if (driver == EnvironmentDriver::local || driver == EnvironmentDriver::ssh) {
      end_lease(tx, lease.id, {lease_status_after(run_status, LeasePolicy::ephemeral), std::nullopt, std::nullopt, error});
    } else if (lease.cleanup_status != LeaseCleanupStatus::pending) {
      tx.execute("update environment_leases set cleanup_status = 'pending', updated_at = :1 where id = :2 and status = 'active'", tx.now(), lease.id);
    }
    crash_point("lease.release.after");
  }
}

}  // namespace paperclip::domain
