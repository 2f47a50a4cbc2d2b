#include "domain/environments/run_lease.h"

#include "domain/activity/activity.h"

namespace paperclip::domain {

namespace {

struct LeaseRow {
  LeaseId id;
  EnvironmentId environment_id;
  std::optional<IssueId> issue_id;
  std::optional<AnyId> execution_workspace_id;
  std::string lease_policy;
  std::optional<std::string> provider, failure_reason, cleanup_status;
  RawJson metadata;
};
BOOST_DESCRIBE_STRUCT(LeaseRow, (),
                      (id, environment_id, issue_id, execution_workspace_id, lease_policy, provider, failure_reason,
                       cleanup_status, metadata))

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

Result<RunEnvironment> choose_environment(store::Transaction& tx, CompanyId company, const std::optional<EnvironmentId>& wanted) {
  const EnvironmentId id = wanted ? *wanted : ensure_local_environment(tx, company);
  auto found = tx.one<RunEnvironment>("select {} from environments where id = :1 and company_id = :2", id, company);
  if (!found) return unprocessable("Environment \"" + id.str() + "\" not found.");
  if (found->status != "active")
    return unprocessable("Environment \"" + found->name + "\" is not active (status: " + found->status + ").");
  return *std::move(found);
}

LeaseId acquire_local_lease(store::Transaction& tx, const RunIdentity& run, const RunEnvironment& environment,
                            const std::optional<IssueId>& issue) {
  const LeaseId id = tx.new_id<LeaseId>();
  tx.execute("insert into environment_leases (id, company_id, environment_id, issue_id, heartbeat_run_id, status, lease_policy, provider, "
             "acquired_at, last_used_at, metadata, created_at, updated_at) values (:1, :2, :3, :4, :5, 'active', 'ephemeral', :6, :7, :7, :8, :7, :7)",
             id, run.company_id, environment.id, issue, run.id, "local", tx.now(),
             RawJson(json::value(json::object{{"driver", environment.driver}, {"executionWorkspaceMode", nullptr}})));
  log_activity(tx, run.company_id, author_of(run),
               {"environment.lease_acquired", "environment_lease", id.str(),
                json::object{{"environmentId", environment.id.view()},
                             {"driver", environment.driver},
                             {"leasePolicy", "ephemeral"},
                             {"provider", "local"},
                             {"executionWorkspaceId", nullptr},
                             {"issueId", or_null(issue)}}});
  return id;
}

void describe_lease(store::Transaction& tx, LeaseId lease, const json::object& metadata) {
  const auto stored = tx.one<RawJson>("select metadata from environment_leases where id = :1", lease);
  if (!stored) return;
  auto value = stored->parse();
  json::object merged = value.is_object() ? std::move(value.get_object()) : json::object();
  for (const auto& item : metadata) merged[item.key()] = item.value();
  tx.execute("update environment_leases set metadata = :1, updated_at = :2 where id = :3", RawJson(json::value(merged)), tx.now(), lease);
}

void release_run_leases(store::Transaction& tx, const RunIdentity& run, RunStatus run_status, const std::optional<std::string>& error) {
  const LeaseStatus status = run_status == RunStatus::failed || run_status == RunStatus::timed_out ? LeaseStatus::failed : LeaseStatus::released;
  static_assert(lease_transitions.allow(LeaseStatus::active, LeaseStatus::failed) && lease_transitions.allow(LeaseStatus::active, LeaseStatus::released));
  for (const auto& lease : tx.all<LeaseRow>("select {} from environment_leases where heartbeat_run_id = :1 and status = 'active'", run.id)) {
    tx.execute("update environment_leases set status = :1, released_at = :2, last_used_at = :2, updated_at = :2 where id = :3 and status = 'active'",
               status, tx.now(), lease.id);
    const auto driver = text_at(lease.metadata.parse(), "driver");
    log_activity(tx, run.company_id, author_of(run),
                 {"environment.lease_released", "environment_lease", lease.id.str(),
                  json::object{{"environmentId", lease.environment_id.view()},
                               {"driver", driver.value_or("local")},
                               {"leasePolicy", lease.lease_policy},
                               {"provider", or_null(lease.provider)},
                               {"executionWorkspaceId", or_null(lease.execution_workspace_id)},
                               {"issueId", or_null(lease.issue_id)},
                               {"status", to_text(status)},
                               {"cleanupStatus", or_null(lease.cleanup_status)},
                               {"failureReason", error ? json::value(*error) : or_null(lease.failure_reason)}}});
  }
}

}  // namespace paperclip::domain
