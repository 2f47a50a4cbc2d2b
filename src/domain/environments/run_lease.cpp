#include "domain/environments/run_lease.h"

#include "domain/activity/activity.h"
#include "domain/runs/run_context.h"
#include "domain/wakeups/wake_context.h"
#include "os/crash_point.h"

namespace paperclip::domain {

namespace {

template <class T>
json::value or_null(const std::optional<T>& value) {
  if (!value) return nullptr;
  if constexpr (std::is_same_v<T, std::string>) return json::value(*value);
  else return json::value(value->view());
}

Author author_of(const RunIdentity& run) { return {"agent", run.agent_id.str(), run.agent_id, run.id}; }

}  // namespace

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

LeaseId acquire_local_lease(store::Transaction& tx, const RunIdentity& run, const Environment& environment, const std::optional<IssueId>& issue) {
  EnvironmentLease lease;
  lease.id = tx.new_id<LeaseId>();
  lease.company_id = run.company_id;
  lease.environment_id = environment.id;
  lease.issue_id = issue;
  lease.heartbeat_run_id = run.id;
  lease.provider = "local";
  lease.acquired_at = lease.last_used_at = lease.created_at = lease.updated_at = tx.now();
  lease.metadata = RawJson(json::value(json::object{{"driver", to_text(environment.driver)}, {"executionWorkspaceMode", nullptr}}));
  tx.insert(table_of<EnvironmentLease>, lease);
  log_activity(tx, run.company_id, author_of(run),
               {"environment.lease_acquired", "environment_lease", lease.id.str(),
                json::object{{"environmentId", environment.id.view()},
                             {"driver", to_text(environment.driver)},
                             {"leasePolicy", to_text(lease.lease_policy)},
                             {"provider", "local"},
                             {"executionWorkspaceId", nullptr},
                             {"issueId", or_null(issue)}}});
  return lease.id;
}

void describe_lease(store::Transaction& tx, LeaseId lease, const json::object& metadata) {
  const auto stored = tx.one<RawJson>("select metadata from environment_leases where id = :1", lease);
  if (!stored) return;
  json::object merged = context_of(*stored);
  for (const auto& item : metadata) merged[item.key()] = item.value();
  tx.execute("update environment_leases set metadata = :1, updated_at = :2 where id = :3", RawJson(json::value(merged)), tx.now(), lease);
}

void release_run_leases(store::Transaction& tx, const RunIdentity& run, RunStatus run_status, const std::optional<std::string>& error) {
  const LeaseStatus status = run_status == RunStatus::failed || run_status == RunStatus::timed_out ? LeaseStatus::failed : LeaseStatus::released;
  static_assert(lease_transitions.allow(LeaseStatus::active, LeaseStatus::failed) && lease_transitions.allow(LeaseStatus::active, LeaseStatus::released));
  for (const auto& lease : tx.all<EnvironmentLease>("select {} from environment_leases where heartbeat_run_id = :1 and status = 'active'", run.id)) {
    crash_point("lease.release.before");
    tx.execute("update environment_leases set status = :1, released_at = :2, last_used_at = :2, updated_at = :2 where id = :3 and status = 'active'",
               status, tx.now(), lease.id);
    crash_point("lease.release.after");
    const auto driver = context_text(context_of(lease.metadata), "driver");
    log_activity(tx, run.company_id, author_of(run),
                 {"environment.lease_released", "environment_lease", lease.id.str(),
                  json::object{{"environmentId", lease.environment_id.view()},
                               {"driver", driver.value_or("local")},
                               {"leasePolicy", to_text(lease.lease_policy)},
                               {"provider", or_null(lease.provider)},
                               {"executionWorkspaceId", or_null(lease.execution_workspace_id)},
                               {"issueId", or_null(lease.issue_id)},
                               {"status", to_text(status)},
                               {"cleanupStatus", lease.cleanup_status ? json::value(to_text(*lease.cleanup_status)) : json::value()},
                               {"failureReason", error ? json::value(*error) : or_null(lease.failure_reason)}}});
  }
}

}  // namespace paperclip::domain
