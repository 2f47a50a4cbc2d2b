#include "environments/leases.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/text.h"
#include "domain/environments/environment_config.h"
#include "domain/environments/held_directory.h"
#include "domain/environments/leases.h"
#include "store/database.h"

namespace paperclip::environments {

using domain::EnvironmentDriver;
using domain::EnvironmentLease;
using domain::LeaseStatus;
using domain::RunStatus;

namespace {

// Values of secrets, wherever a provider may have put them.
void scrub(json::value& value, const std::vector<std::string>& secrets) {
  if (value.is_object()) {
    for (auto& item : value.get_object()) scrub(item.value(), secrets);
  } else if (value.is_array()) {
    for (auto& item : value.get_array()) scrub(item, secrets);
  } else if (value.is_string()) {
    for (const auto& secret : secrets)
      if (std::string_view(value.get_string()).find(secret) != std::string_view::npos) {
        value = "***REDACTED***";
        return;
      }
  }
}

json::object safe_metadata(json::object metadata, const std::vector<domain::SecretField>& fields, const json::object& opened_config) {
  std::vector<std::string> secrets;
  const json::value opened(opened_config);
  for (const auto& field : fields)
    if (const auto* value = find_path(opened, field.path); value != nullptr && value->is_string() && value->get_string().size() >= 8)
      secrets.emplace_back(value->get_string());
  json::value safe(domain::without_secrets(std::move(metadata), fields));
  scrub(safe, secrets);
  return std::move(safe.get_object());
}

ReleaseOutcome outcome_of(std::optional<RunStatus> run) {
  if (run == RunStatus::succeeded) return ReleaseOutcome::succeeded;
  if (run == RunStatus::failed || run == RunStatus::timed_out) return ReleaseOutcome::failed;
  return ReleaseOutcome::cancelled;
}

// Nobody knows whether it happened all the same.
bool is_doubtful(const Error& error) { return error.kind == ErrorKind::timeout || error.kind == ErrorKind::unavailable; }

std::string failed_to(const domain::Environment& environment, const std::string& cause) {
  return "Failed to acquire lease for environment \"" + environment.name + "\" (" + std::string(to_text(environment.driver)) + "): " + cause;
}

domain::Environment environment_of(store::Reader& reader, const EnvironmentLease& lease) {
  return domain::find_environment(reader, lease.company_id, lease.environment_id).value_or(domain::Environment{});
}

}  // namespace

// All that one acquisition needs, put together once.
struct Leases::Order {
  EnvironmentLease lease;
  PlaceRequest request;
  std::vector<domain::SecretField> secrets;
  std::shared_ptr<plugins::SandboxProvider> provider;  // of sandbox and plugin environments
  Driver* driver = nullptr;                            // of all but plugin environments
};

Result<Leases::Order> Leases::prepare(const PlaceOrder& wanted, const EnvironmentLease& lease, Deadline deadline) {
  Order order;
  order.lease = lease;
  order.request.environment = wanted.environment;
  order.request.run_id = wanted.run_id;
  order.request.workspace_key = wanted.workspace_key;
  order.request.workspace_mode = wanted.workspace_mode;
  const EnvironmentDriver kind = wanted.environment.driver;
  const json::object stored = domain::config_of(wanted.environment);
  plugins::ProviderRegistry* providers = options_.configs.providers();
  if (kind == EnvironmentDriver::sandbox) {
    const std::string key = lease.provider.value_or(domain::provider_of(stored));
    if (key == domain::fake_provider) return unprocessable("The built-in fake sandbox provider is probe-only and cannot execute runs.");
    if (providers == nullptr) return unprocessable("Sandbox provider \"" + key + "\" is not registered as a built-in provider and no matching plugin is available.");
    order.provider = TRY(providers->wait_ready(key, Deadline::in(options_.worker_limit).or_sooner(deadline)));
    order.secrets = domain::secret_fields(order.provider->config_schema());
    order.request.config = TRY(options_.configs.resolve_lease(lease, wanted.environment));
    order.request.config["provider"] = key;
  } else if (kind == EnvironmentDriver::plugin) {
    if (providers == nullptr) return unprocessable("Plugin environments need a plugin host.");
    const json::value config(stored);
    order.provider = TRY(providers->find_driver(string_at(config, "pluginKey").value_or(""), string_at(config, "driverKey").value_or("")));
    const auto* own = member(config, "driverConfig");
    if (own != nullptr && own->is_object()) order.request.config = own->get_object();
  } else {
    order.secrets = options_.configs.secret_fields(kind, "");
    order.request.config = TRY(options_.configs.resolve(wanted.environment));
  }
  if (kind != EnvironmentDriver::plugin) {
    order.driver = options_.driver ? options_.driver(kind) : nullptr;
    if (order.driver == nullptr)
      return unprocessable("Environment driver \"" + std::string(to_text(kind)) + "\" is not registered in the environment runtime yet.");
  }
  return order;
}

Result<AcquiredPlace> Leases::get(const Order& order, const std::optional<EnvironmentLease>& earlier, Deadline deadline) {
  if (order.driver == nullptr) return get_beside(order, deadline);
  return earlier ? order.driver->resume(order.request, *earlier, deadline) : order.driver->acquire(order.request, deadline);
}

// A lease beside a run on this machine: the contract's `plugin` environments (spec/environments.md 8.2).
Result<AcquiredPlace> Leases::get_beside(const Order& order, Deadline deadline) {
  const plugins::ProviderContext context{order.lease.company_id, order.request.environment.id.str(), order.request.config};
  auto lease = TRY(order.provider->acquire_lease(context, {order.request.run_id, order.request.workspace_mode}, deadline));
  AcquiredPlace got;
  got.provider_lease_id = std::move(lease.provider_lease_id);
  got.metadata["providerMetadata"] = std::move(lease.metadata);
  got.metadata["driverKey"] = order.provider->key();
  if (lease.expires_at) got.expires_at = parse_iso(*lease.expires_at);
  return got;
}

Result<std::unique_ptr<Place>> Leases::acquire(const PlaceOrder& order_given, Deadline deadline) {
  PlaceOrder wanted = order_given;
  using Begun = std::pair<std::optional<EnvironmentLease>, std::optional<EnvironmentLease>>;  // own, earlier
  const auto fail = [&](const Error& error, const domain::LeaseFailure& failure) -> Error {
    auto noted = options_.database.write([&](store::Transaction& tx) -> Result<> {
      domain::fail_lease(tx, wanted.lease_id, failure);
      return {};
    });
    if (!noted) spdlog::error("lease.failure_not_recorded lease={} error=\"{}\"", wanted.lease_id.view(), noted.error().message);
    Error out(ErrorKind::unprocessable, failed_to(wanted.environment, error.message));
    return out;
  };
  auto begun = options_.database.write([&](store::Transaction& tx) -> Result<Begun> {
    auto earlier = domain::take_reusable_lease(tx, wanted.lease_id);
    if (!earlier) domain::throw_away_if_busy(tx, wanted.lease_id);
    if (wanted.environment.driver == EnvironmentDriver::ssh && !wanted.workspace_key.empty() && !domain::in_place_directory(wanted.environment))
      wanted.workspace_key = domain::take_mirror(tx, wanted.environment, order_given.workspace_key, wanted.run_id);
    return Begun(domain::find_lease(tx, wanted.lease_id), std::move(earlier));
  });
  if (!begun) return fail(begun.error(), {begun.error().message, false, std::nullopt, {}});
  auto& [own, earlier] = *begun;
  if (!own || own->status != LeaseStatus::active) return conflict("The lease has ended meanwhile");

  auto order = prepare(wanted, *own, deadline);
  const auto drop_earlier = [&](domain::NotReused why) {
    (void)options_.database.write([&](store::Transaction& tx) -> Result<> {
      domain::drop_reused_lease(tx, wanted.lease_id, earlier->id, why);
      return {};
    });
    earlier.reset();
  };
  if (!order) {
    if (earlier) drop_earlier(domain::NotReused::untouched);
    return fail(order.error(), {order.error().message, false, std::nullopt, {}});
  }
  if (earlier) {
    auto resumed = get(*order, earlier, deadline);
    if (resumed && resumed->provider_lease_id && !resumed->provider_lease_id->empty()) return take(*order, *std::move(resumed));
    const bool gone = resumed.ok() || resumed.error().kind == ErrorKind::gone;
    spdlog::info("lease.resume_failed lease={} earlier={} gone={}", wanted.lease_id.view(), earlier->id.view(), gone);
    drop_earlier(gone ? domain::NotReused::gone : domain::NotReused::doubtful);
  }
  auto got = get(*order, std::nullopt, deadline);
  if (!got) return fail(got.error(), {got.error().message, order->provider != nullptr && is_doubtful(got.error()), std::nullopt, {}});
  return take(*order, *std::move(got));
}

// What was got becomes the lease's, or goes back at once.
Result<std::unique_ptr<Place>> Leases::take(const Order& order, AcquiredPlace got) {
  domain::LeaseFacts facts;
  facts.policy = order.lease.lease_policy;
  facts.provider = got.provider;
  facts.provider_lease_id = got.provider_lease_id;
  facts.expires_at = got.expires_at;
  if (order.provider && order.driver != nullptr) {
    facts.provider = order.provider->key();
    facts.metadata = domain::acquired_config(order.lease, &order.request.environment);
  }
  for (auto& item : safe_metadata(std::move(got.metadata), order.secrets, order.request.config)) facts.metadata[item.key()] = std::move(item.value());
  if (order.provider) {
    facts.metadata["pluginId"] = order.provider->plugin_id().view();
    facts.metadata["pluginKey"] = order.provider->plugin_key();
    if (order.driver != nullptr) facts.metadata["sandboxProviderPlugin"] = true;
  }
  const LeaseId id = order.lease.id;
  auto confirmed = options_.database.write([&](store::Transaction& tx) { return domain::confirm_lease(tx, id, facts); });
  if (confirmed) return std::move(got.place);

  const Error refusal = confirmed.error();
  domain::LeaseFailure failure{refusal.message, false, std::nullopt, facts.metadata};
  // What another run holds is not ours to give back.
  if (member(refusal.details, "heldBy") == nullptr) {
    EnvironmentLease as_got = order.lease;
    as_got.provider_lease_id = facts.provider_lease_id;
    json::object metadata = domain::metadata_of(as_got);
    for (const auto& item : facts.metadata) metadata[item.key()] = item.value();
    as_got.metadata = RawJson(json::value(std::move(metadata)));
    const Deadline deadline = Deadline::in(options_.release_limit);
    auto back = got.place ? got.place->release(ReleaseOutcome::cancelled, deadline) : give_back(as_got, ReleaseOutcome::cancelled, true, deadline);
    if (!back) {
      failure.maybe_leaked = true;
      failure.provider_lease_id = facts.provider_lease_id;
    }
  }
  (void)options_.database.write([&](store::Transaction& tx) -> Result<> {
    domain::fail_lease(tx, id, failure);
    return {};
  });
  return Error(ErrorKind::conflict, failed_to(order.request.environment, refusal.message));
}

Result<std::unique_ptr<Place>> Leases::resume(const PlaceOrder& wanted, Deadline deadline) {
  const auto lease = options_.database.read([&](store::Reader& reader) { return domain::find_lease(reader, wanted.lease_id); });
  if (!lease || lease->status != LeaseStatus::active) return Error(ErrorKind::gone, "The lease has ended");
  auto order = TRY(prepare(wanted, *lease, deadline));
  if (order.driver == nullptr) return std::unique_ptr<Place>();
  auto got = TRY(get(order, lease, deadline));
  return std::move(got.place);
}

void Leases::release(RunId run, Place* place) {
  for (const auto& lease : options_.database.read([&](store::Reader& reader) {
         return reader.all<EnvironmentLease>("select {} from environment_leases where heartbeat_run_id = :1 and status = 'active'", run);
       }))
    end(lease, place);
}

Result<std::shared_ptr<plugins::SandboxProvider>> Leases::provider_of(const EnvironmentLease& lease) {
  const json::value metadata(domain::metadata_of(lease));
  plugins::ProviderRegistry* providers = options_.configs.providers();
  if (providers == nullptr) return Error(ErrorKind::unavailable, "there is no plugin host");
  const auto plugin = PluginId::parse(string_at(metadata, "pluginId").value_or(""));
  const bool generic = domain::driver_of(lease, EnvironmentDriver::sandbox) == EnvironmentDriver::plugin;
  const std::string key = generic ? string_at(metadata, "driverKey").value_or("") : lease.provider.value_or("");
  auto found = plugin ? providers->find(*plugin, key) : nullptr;
  if (!found && !generic) found = providers->find(key);
  if (!found || !found->running()) return Error(ErrorKind::unavailable, "the plugin of provider \"" + key + "\" is not running");
  return found;
}

// The provider's side of a lease whose Place is not at hand.
Result<> Leases::give_back(const EnvironmentLease& lease, ReleaseOutcome outcome, bool destroy, Deadline deadline) {
  const domain::Environment environment = options_.database.read([&](store::Reader& reader) { return environment_of(reader, lease); });
  const EnvironmentDriver kind = domain::driver_of(lease, environment.driver);
  if (kind == EnvironmentDriver::local) return {};
  if (kind == EnvironmentDriver::ssh) {
    Driver* driver = options_.driver ? options_.driver(kind) : nullptr;
    if (driver == nullptr || environment.driver != EnvironmentDriver::ssh) return {};
    PlaceRequest request;
    request.environment = environment;
    request.config = TRY(options_.configs.resolve(environment));
    if (lease.heartbeat_run_id) request.run_id = *lease.heartbeat_run_id;
    return driver->release(request, lease, outcome, deadline);
  }
  const auto provider = TRY(provider_of(lease));
  plugins::ProviderContext context{lease.company_id, lease.environment_id.str(), TRY(options_.configs.resolve_lease(lease, environment))};
  context.config.erase("provider");
  const json::object metadata = domain::metadata_of(lease);
  const auto* nested = kind == EnvironmentDriver::plugin ? metadata.if_contains("providerMetadata") : nullptr;
  const json::object& shown = nested != nullptr && nested->is_object() ? nested->get_object() : metadata;
  return destroy ? provider->destroy_lease(context, lease.provider_lease_id, shown, deadline)
                 : provider->release_lease(context, lease.provider_lease_id, shown, deadline);
}

void Leases::end(const EnvironmentLease& lease, Place* place) {
  const auto run = options_.database.read([&](store::Reader& reader) {
    return lease.heartbeat_run_id ? reader.one<std::pair<RunStatus, std::optional<std::string>>>("select status, error from heartbeat_runs where id = :1", *lease.heartbeat_run_id)
                                  : std::nullopt;
  });
  const RunStatus status = run ? run->first : RunStatus::failed;
  if (status == RunStatus::running) return;  // it has gone on, or another server has it
  const EnvironmentDriver kind = domain::driver_of(lease, EnvironmentDriver::local);
  domain::LeaseEnd end;
  end.status = domain::lease_status_after(status, lease.lease_policy);
  end.run_error = run ? run->second : std::optional<std::string>("its run is gone");
  const bool at_provider = kind == EnvironmentDriver::sandbox || kind == EnvironmentDriver::plugin;
  const bool unconfirmed = domain::metadata_of(lease).contains("acquiring");
  if (at_provider && unconfirmed) {
    // The server died while it was being acquired: what there is, is to be found.
    (void)options_.database.write([&](store::Transaction& tx) -> Result<> {
      domain::fail_lease(tx, lease.id, {end.run_error.value_or("interrupted while it was being acquired"), true, lease.provider_lease_id, {}});
      return {};
    });
    return;
  }
  if (end.status == LeaseStatus::retained) {
    end.cleanup = domain::LeaseCleanupStatus::pending;
  } else {
    const Deadline deadline = Deadline::in(options_.release_limit);
    auto back = place != nullptr ? place->release(outcome_of(status), deadline) : give_back(lease, outcome_of(status), false, deadline);
    if (!back) spdlog::warn("lease.not_given_back lease={} provider={} error=\"{}\"", lease.id.view(), lease.provider.value_or(""), back.error().message);
    if (at_provider) {
      end.cleanup = back ? domain::LeaseCleanupStatus::success : domain::LeaseCleanupStatus::failed;
      if (end.status == LeaseStatus::failed) end.failure_reason = "adapter_or_run_failure";
    }
  }
  auto ended = options_.database.write([&](store::Transaction& tx) -> Result<> {
    domain::end_lease(tx, lease.id, end);
    return {};
  });
  if (!ended) spdlog::error("lease.not_ended lease={} error=\"{}\"", lease.id.view(), ended.error().message);
}

}  // namespace paperclip::environments
