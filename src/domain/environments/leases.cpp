#include "domain/environments/leases.h"

#include <algorithm>
#include <array>

#include "domain/activity/activity.h"
#include "domain/environments/environment_config.h"
#include "domain/environments/environments.h"

namespace paperclip::domain {

namespace {

template <class T>
json::value or_null(const std::optional<T>& value) {
  if (!value) return nullptr;
  if constexpr (std::is_same_v<T, std::string>) return json::value(*value);
  else return json::value(value->view());
}

// The host's own keys in lease metadata: never a provider's to set, never part of a config.
constexpr std::array host_keys = {"driver", "executionWorkspaceMode", "pluginId", "pluginKey", "providerMetadata", "shellCommand", "sandboxProviderPlugin"};

bool is_reusable(LeasePolicy policy) { return policy == LeasePolicy::reuse_by_environment || policy == LeasePolicy::reuse_by_execution_workspace; }

bool is_remote(EnvironmentDriver driver) { return driver == EnvironmentDriver::sandbox || driver == EnvironmentDriver::plugin; }

void store(store::Transaction& tx, EnvironmentLease& lease) {
  lease.updated_at = tx.now();
  tx.update(table_of<EnvironmentLease>, lease);
}

std::optional<EnvironmentLease> lock_lease(store::Transaction& tx, LeaseId id) {
  return tx.one<EnvironmentLease>("select {} from environment_leases where id = :1 {for update}", id);
}

void set_metadata(EnvironmentLease& lease, json::object metadata) { lease.metadata = RawJson(json::value(std::move(metadata))); }

void move(EnvironmentLease& lease, LeaseStatus to) {
  if (lease.status == to) return;
  if (!lease_transitions.allow(lease.status, to))
    throw std::logic_error("lease " + lease.id.str() + " cannot go from " + std::string(to_text(lease.status)) + " to " + std::string(to_text(to)));
  lease.status = to;
}

// The run's agent acted; a lease without a run is the server's business.
Author author_of(store::Reader& reader, const EnvironmentLease& lease) {
  if (lease.heartbeat_run_id)
    if (const auto agent = reader.value<AgentId>("select agent_id from heartbeat_runs where id = :1", *lease.heartbeat_run_id))
      return {"agent", agent->str(), *agent, *lease.heartbeat_run_id};
  return Author::system("environments");
}

json::object details_of(const EnvironmentLease& lease) {
  return {{"environmentId", lease.environment_id.view()},
          {"driver", to_text(driver_of(lease, EnvironmentDriver::local))},
          {"leasePolicy", to_text(lease.lease_policy)},
          {"provider", or_null(lease.provider)},
          {"executionWorkspaceId", or_null(lease.execution_workspace_id)},
          {"issueId", or_null(lease.issue_id)}};
}

void log_acquired(store::Transaction& tx, const EnvironmentLease& lease) {
  log_activity(tx, lease.company_id, author_of(tx, lease), {"environment.lease_acquired", "environment_lease", lease.id.str(), details_of(lease)});
}

void log_released(store::Transaction& tx, const EnvironmentLease& lease, const std::optional<std::string>& run_error) {
  json::object details = details_of(lease);
  details["status"] = to_text(lease.status);
  details["cleanupStatus"] = lease.cleanup_status ? json::value(to_text(*lease.cleanup_status)) : json::value();
  details["failureReason"] = run_error ? json::value(*run_error) : or_null(lease.failure_reason);
  log_activity(tx, lease.company_id, author_of(tx, lease), {"environment.lease_released", "environment_lease", lease.id.str(), std::move(details)});
}

// Was made with the config that the environment has now.
bool matches(const EnvironmentLease& candidate, const EnvironmentLease& own, const json::object& config) {
  const json::object metadata = metadata_of(candidate);
  if (!candidate.provider_lease_id || candidate.provider_lease_id->empty() || metadata.contains("continuedAs")) return false;
  if (candidate.provider != own.provider || string_at(metadata, "provider") != own.provider) return false;
  const auto* reuse = metadata.if_contains("reuseLease");
  if (reuse == nullptr || *reuse != json::value(true)) return false;
  if (own.lease_policy == LeasePolicy::reuse_by_execution_workspace && candidate.execution_workspace_id != own.execution_workspace_id) return false;
  const auto* kept = metadata.if_contains("providerConfig");
  const json::object& seen = kept != nullptr && kept->is_object() ? kept->get_object() : metadata;
  for (const auto& item : config) {
    if (item.key() == "provider" || item.key() == "reuseLease") continue;
    const auto* value = seen.if_contains(item.key());
    if (value == nullptr ? !item.value().is_null() : *value != item.value()) return false;
  }
  return true;
}

bool is_held(store::Reader& reader, const EnvironmentLease& lease, const std::string& provider_lease_id) {
  return reader.exists("select 1 from environment_leases where environment_id = :1 and provider_lease_id = :2 and status = 'active' and id <> :3",
                       lease.environment_id, provider_lease_id, lease.id);
}

}  // namespace

json::object metadata_of(const EnvironmentLease& lease) {
  if (!lease.metadata) return {};
  json::value metadata = lease.metadata->parse();
  return metadata.is_object() ? std::move(metadata.get_object()) : json::object();
}

EnvironmentDriver driver_of(const EnvironmentLease& lease, EnvironmentDriver otherwise) {
  return parse_enum<EnvironmentDriver>(string_at(json::value(metadata_of(lease)), "driver").value_or("")).value_or(otherwise);
}

LeasePolicy lease_policy_of(const Environment& environment) {
  const json::object config = config_of(environment);
  const json::value metadata = environment.metadata ? environment.metadata->parse() : json::value();
  const auto wanted = string_at(metadata, "leasePolicy");
  const auto* reuse = config.if_contains("reuseLease");
  if (environment.driver == EnvironmentDriver::sandbox && reuse != nullptr && *reuse == json::value(true))
    return wanted == "reuse_by_execution_workspace" ? LeasePolicy::reuse_by_execution_workspace : LeasePolicy::reuse_by_environment;
  return wanted == "retain_on_failure" && is_remote(environment.driver) ? LeasePolicy::retain_on_failure : LeasePolicy::ephemeral;
}

LeaseId open_lease(store::Transaction& tx, const LeaseRequest& request) {
  const Environment& environment = request.environment;
  EnvironmentLease lease;
  lease.id = tx.new_id<LeaseId>();
  lease.company_id = request.run.company_id;
  lease.environment_id = environment.id;
  lease.execution_workspace_id = request.execution_workspace_id;
  lease.issue_id = request.issue_id;
  lease.heartbeat_run_id = request.run.id;
  lease.lease_policy = lease_policy_of(environment);
  lease.acquired_at = lease.last_used_at = lease.created_at = lease.updated_at = tx.now();
  json::object metadata{{"driver", to_text(environment.driver)}, {"executionWorkspaceMode", or_null(request.workspace_mode)}};
  const json::object config = config_of(environment);
  switch (environment.driver) {
    case EnvironmentDriver::local: lease.provider = "local"; break;
    case EnvironmentDriver::ssh: lease.provider = "ssh"; break;
    case EnvironmentDriver::sandbox: {
      lease.provider = provider_of(config);
      json::object own = config;
      own.erase("provider");
      metadata["providerConfig"] = std::move(own);
      break;
    }
    case EnvironmentDriver::plugin:
      lease.provider = "plugin:" + string_at(json::value(config), "pluginKey").value_or("") + ":" + string_at(json::value(config), "driverKey").value_or("");
      break;
  }
  if (environment.driver != EnvironmentDriver::local) metadata["acquiring"] = true;
  set_metadata(lease, std::move(metadata));
  tx.insert(table_of<EnvironmentLease>, lease);
  if (environment.driver == EnvironmentDriver::local) log_acquired(tx, lease);
  return lease.id;
}

std::optional<EnvironmentLease> take_reusable_lease(store::Transaction& tx, LeaseId id) {
  auto own = lock_lease(tx, id);
  if (!own || own->status != LeaseStatus::active) return std::nullopt;
  if (!is_reusable(own->lease_policy)) return std::nullopt;
  const auto environment = find_environment(tx, own->company_id, own->environment_id);
  if (!environment) return std::nullopt;
  const json::object config = config_of(*environment);
  for (auto& candidate : tx.all<EnvironmentLease>("select {} from environment_leases where environment_id = :1 and status in ('released', 'failed') "
                                                  "and provider_lease_id is not null and (cleanup_status is null or cleanup_status = 'success') "
                                                  "and (expires_at is null or expires_at > :2) order by last_used_at desc, created_at desc limit 200 {for update}",
                                                  own->environment_id, tx.now())) {
    if (!matches(candidate, *own, config) || is_held(tx, *own, *candidate.provider_lease_id)) continue;
    own->provider_lease_id = candidate.provider_lease_id;
    store(tx, *own);
    json::object metadata = metadata_of(candidate);
    metadata["continuedAs"] = own->id.view();
    set_metadata(candidate, std::move(metadata));
    store(tx, candidate);
    return candidate;
  }
  return std::nullopt;
}

void drop_reused_lease(store::Transaction& tx, LeaseId own_id, LeaseId earlier_id, NotReused why) {
  if (auto own = lock_lease(tx, own_id)) {
    own->provider_lease_id.reset();
    store(tx, *own);
  }
  auto earlier = lock_lease(tx, earlier_id);
  if (!earlier) return;
  json::object metadata = metadata_of(*earlier);
  metadata.erase("continuedAs");
  set_metadata(*earlier, std::move(metadata));
  if (why == NotReused::gone) move(*earlier, LeaseStatus::expired);
  else if (why == NotReused::doubtful) earlier->cleanup_status = LeaseCleanupStatus::failed;
  store(tx, *earlier);
}

void throw_away_if_busy(store::Transaction& tx, LeaseId id) {
  auto own = lock_lease(tx, id);
  if (!own || !is_reusable(own->lease_policy)) return;
  if (!tx.exists("select 1 from environment_leases where environment_id = :1 and status = 'active' and id <> :2 and lease_policy like 'reuse_%' and "
                 "(acquired_at < :3 or (acquired_at = :3 and id < :2))",
                 own->environment_id, own->id, own->acquired_at))
    return;
  own->lease_policy = LeasePolicy::ephemeral;
  json::object metadata = metadata_of(*own);
  if (auto* config = metadata.if_contains("providerConfig"); config != nullptr && config->is_object()) config->get_object()["reuseLease"] = false;
  set_metadata(*own, std::move(metadata));
  store(tx, *own);
}

Result<EnvironmentLease> confirm_lease(store::Transaction& tx, LeaseId id, const LeaseFacts& facts) {
  auto lease = lock_lease(tx, id);
  if (!lease || lease->status != LeaseStatus::active) return conflict("The lease has ended meanwhile");
  const auto run = lease->heartbeat_run_id ? tx.value<RunStatus>("select status from heartbeat_runs where id = :1", *lease->heartbeat_run_id) : std::nullopt;
  if (!run || *run != RunStatus::running) return conflict("The lease's run is over");
  const EnvironmentDriver driver = driver_of(*lease, EnvironmentDriver::local);
  if (is_remote(driver) && facts.provider_lease_id && is_held(tx, *lease, *facts.provider_lease_id))
    return conflict("The provider handed out a sandbox that another run holds", json::object{{"heldBy", *facts.provider_lease_id}});
  json::object metadata = metadata_of(*lease);
  metadata.erase("acquiring");
  for (const auto& item : facts.metadata)
    if (item.key() != "driver" && item.key() != "executionWorkspaceMode" && item.key() != "providerConfig") metadata[item.key()] = item.value();
  if (driver == EnvironmentDriver::sandbox && lease->provider) metadata["provider"] = *lease->provider;
  set_metadata(*lease, std::move(metadata));
  lease->lease_policy = facts.policy;
  if (facts.provider) lease->provider = facts.provider;
  lease->provider_lease_id = facts.provider_lease_id;
  lease->expires_at = facts.expires_at;
  lease->last_used_at = tx.now();
  store(tx, *lease);
  log_acquired(tx, *lease);
  return *std::move(lease);
}

void fail_lease(store::Transaction& tx, LeaseId id, const LeaseFailure& failure) {
  auto lease = lock_lease(tx, id);
  if (!lease) return;
  json::object metadata = metadata_of(*lease);
  metadata.erase("acquiring");
  const bool left = failure.maybe_leaked || failure.provider_lease_id;
  if (failure.maybe_leaked && !failure.provider_lease_id) metadata["maybeLeaked"] = true;
  for (const auto& item : failure.metadata)
    if (!metadata.contains(item.key())) metadata[item.key()] = item.value();
  set_metadata(*lease, std::move(metadata));
  lease->provider_lease_id = failure.provider_lease_id;
  const bool was_active = lease->status == LeaseStatus::active;
  if (was_active) {
    move(*lease, LeaseStatus::failed);
    lease->released_at = lease->last_used_at = tx.now();
    lease->failure_reason = failure.reason.substr(0, 2000);
    lease->cleanup_status.reset();
  }
  if (left) lease->cleanup_status = LeaseCleanupStatus::failed;
  if (was_active || left) store(tx, *lease);
}

LeaseStatus lease_status_after(RunStatus run, LeasePolicy policy) {
  if (run != RunStatus::failed && run != RunStatus::timed_out) return LeaseStatus::released;
  return policy == LeasePolicy::retain_on_failure ? LeaseStatus::retained : LeaseStatus::failed;
}

bool end_lease(store::Transaction& tx, LeaseId id, const LeaseEnd& end) {
  auto lease = lock_lease(tx, id);
  if (!lease || lease->status != LeaseStatus::active) return false;
  move(*lease, end.status);
  if (end.status != LeaseStatus::retained) lease->released_at = tx.now();
  lease->last_used_at = tx.now();
  lease->cleanup_status = end.cleanup;
  if (end.failure_reason) lease->failure_reason = end.failure_reason;
  store(tx, *lease);
  log_released(tx, *lease, end.run_error);
  return true;
}

bool begin_cleanup(store::Transaction& tx, const EnvironmentLease& seen) {
  auto lease = lock_lease(tx, seen.id);
  if (!lease || lease->status == LeaseStatus::active || lease->status != seen.status || lease->updated_at != seen.updated_at || !holds_place(*lease)) return false;
  // A kept sandbox may have become another run's in the meantime.
  if (lease->provider_lease_id && is_held(tx, *lease, *lease->provider_lease_id)) return false;
  lease->cleanup_status = LeaseCleanupStatus::pending;
  store(tx, *lease);
  return true;
}

void finish_cleanup(store::Transaction& tx, LeaseId id, bool done) {
  auto lease = lock_lease(tx, id);
  if (!lease || lease->status == LeaseStatus::active) return;
  json::object metadata = metadata_of(*lease);
  if (done) {
    metadata.erase("cleanupAttempts");
    metadata.erase("maybeLeaked");
    if (lease->status == LeaseStatus::retained) move(*lease, LeaseStatus::released);
    else if (is_reusable(lease->lease_policy)) move(*lease, LeaseStatus::expired);
    if (!lease->released_at) lease->released_at = tx.now();
  } else {
    const auto* attempts = metadata.if_contains("cleanupAttempts");
    metadata["cleanupAttempts"] = (attempts != nullptr && attempts->is_int64() ? attempts->get_int64() : 0) + 1;
  }
  set_metadata(*lease, std::move(metadata));
  lease->cleanup_status = done ? LeaseCleanupStatus::success : LeaseCleanupStatus::failed;
  store(tx, *lease);
}

bool holds_place(const EnvironmentLease& lease) {
  if (!is_remote(driver_of(lease, EnvironmentDriver::local)) || lease.status == LeaseStatus::expired) return false;
  if (lease.status == LeaseStatus::active || lease.status == LeaseStatus::retained) return true;
  const json::object metadata = metadata_of(lease);
  if (metadata.contains("continuedAs")) return false;
  if (lease.cleanup_status == LeaseCleanupStatus::pending || lease.cleanup_status == LeaseCleanupStatus::failed) return true;
  return is_reusable(lease.lease_policy) && lease.provider_lease_id.has_value();
}

json::object acquired_config(const EnvironmentLease& lease, const Environment* environment) {
  json::object metadata = metadata_of(lease);
  if (const auto* kept = metadata.if_contains("providerConfig"); kept != nullptr && kept->is_object()) return kept->get_object();
  if (environment != nullptr) {
    json::object config = config_of(*environment);
    if (environment->driver == EnvironmentDriver::sandbox && provider_of(config) == lease.provider) {
      config.erase("provider");
      return config;
    }
  }
  for (const char* key : host_keys) metadata.erase(key);
  for (const char* key : {"provider", "acquiring", "continuedAs", "cleanupAttempts", "maybeLeaked", "workspaceRealization", "remoteCwd"}) metadata.erase(key);
  return metadata;
}

std::string shell_of(const json::object& lease_metadata) {
  return string_at(json::value(lease_metadata), "shellCommand") == "bash" ? "bash" : "sh";
}

std::optional<EnvironmentLease> find_lease(store::Reader& reader, LeaseId id) {
  return reader.one<EnvironmentLease>("select {} from environment_leases where id = :1", id);
}

std::vector<EnvironmentLease> leases_of(store::Reader& reader, EnvironmentId environment, const std::optional<std::string>& status) {
  return reader.all<EnvironmentLease>("select {} from environment_leases where environment_id = :1 and (:2 = '' or status = :2) "
                                      "order by last_used_at desc, created_at desc, id desc limit 1000",
                                      environment, status.value_or(""));
}

}  // namespace paperclip::domain
