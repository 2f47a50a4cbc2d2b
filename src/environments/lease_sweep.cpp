#include <spdlog/spdlog.h>

#include "domain/environments/leases.h"
#include "environments/leases.h"
#include "store/database.h"

/// The sweep's calls: what the rows say is left over is given back, what providers' lists say is left over is destroyed.
namespace paperclip::environments {

using domain::EnvironmentDriver;
using domain::EnvironmentLease;
using domain::LeaseStatus;

bool Leases::clean(const EnvironmentLease& lease, Deadline deadline) {
  auto begun = options_.database.write([&](store::Transaction& tx) -> Result<bool> { return domain::begin_cleanup(tx, lease); });
  if (!begun || !*begun) return true;
  bool done = false;
  const bool doubtful = !lease.provider_lease_id && domain::metadata_of(lease).contains("maybeLeaked");
  if (doubtful) {
    // Without a list there is nobody to ask; with one, the look through it settles the matter.
    const auto provider = provider_of(lease);
    if (provider && !(*provider)->capabilities().inventory) {
      done = give_back(lease, ReleaseOutcome::failed, true, deadline).ok();
    } else if (provider) {
      const auto environment = options_.database.read([&](store::Reader& reader) { return domain::find_environment(reader, lease.company_id, lease.environment_id); });
      done = environment && destroy_unheld(*environment, **provider).has_value();
    }
  } else {
    auto back = give_back(lease, ReleaseOutcome::failed, true, deadline);
    if (!back) spdlog::warn("lease.cleanup_failed lease={} error=\"{}\"", lease.id.view(), back.error().message);
    done = back.ok();
  }
  auto noted = options_.database.write([&](store::Transaction& tx) -> Result<> {
    domain::finish_cleanup(tx, lease.id, done);
    if (done && lease.metadata) domain::collect_unused_secrets(tx, lease.company_id, domain::ids_in(lease.metadata->parse()));
    return {};
  });
  return done && noted.ok();
}

SweepReport Leases::sweep(const std::set<RunId>& here) {
  SweepReport report;
  for (const auto& lease : options_.database.read([&](store::Reader& reader) { return domain::abandoned_leases(reader, options_.patience, here); })) {
    end(lease, nullptr);
    ++report.ended;
  }
  for (const auto& lease : options_.database.read([&](store::Reader& reader) { return domain::leases_to_clean(reader, options_.patience); }))
    ++(clean(lease, Deadline::in(options_.release_limit)) ? report.cleaned : report.failed);
  report.destroyed = look_through_lists();
  if (report.ended + report.cleaned + report.failed + report.destroyed > 0)
    spdlog::info("leases.swept ended={} cleaned={} failed={} destroyed={}", report.ended, report.cleaned, report.failed, report.destroyed);
  return report;
}

int Leases::look_through_lists() {
  plugins::ProviderRegistry* providers = options_.configs.providers();
  if (providers == nullptr) return 0;
  int destroyed = 0;
  for (const auto& environment : options_.database.read([](store::Reader& reader) {
         return reader.all<domain::Environment>("select {} from environments where driver = 'sandbox' order by id limit 1000");
       })) {
    const json::object config = domain::config_of(environment);
    const auto* key = config.if_contains("provider");
    if (key == nullptr || !key->is_string()) continue;
    const auto provider = providers->find(std::string_view(key->get_string()));
    if (!provider || !provider->capabilities().inventory) continue;
    {
      std::lock_guard lock(mutex_);
      auto& last = listed_[environment.id];
      const auto now = std::chrono::steady_clock::now();
      if (last.time_since_epoch().count() != 0 && now - last < options_.between_lists) continue;
      last = now;
    }
    destroyed += destroy_unheld(environment, *provider).value_or(0);
  }
  return destroyed;
}

std::optional<int> Leases::destroy_unheld(const domain::Environment& environment, plugins::SandboxProvider& provider) {
  auto config = options_.configs.resolve(environment);
  if (!config) return std::nullopt;
  plugins::ProviderContext context{environment.company_id, environment.id.str(), *std::move(config)};
  context.config.erase("provider");
  const Deadline deadline = Deadline::in(options_.release_limit);
  const auto items = provider.list_leases(context, deadline);
  if (!items) {
    spdlog::warn("leases.list_failed environment={} error=\"{}\"", environment.id.view(), items.error().message);
    return std::nullopt;
  }
  int destroyed = 0;
  bool all = true;
  for (const auto& item : *items) {
    // Others may use the same account: only what says that it was made for this environment is ours.
    if (string_at(json::value(item.metadata), "environmentId") != environment.id.str()) continue;
    const bool accounted = options_.database.read([&](store::Reader& reader) { return domain::is_accounted_for(reader, environment.id, item.provider_lease_id); });
    if (accounted) continue;
    const auto gone = provider.destroy_lease(context, item.provider_lease_id, item.metadata, deadline);
    if (gone) ++destroyed;
    else all = false;
    spdlog::warn("leases.leak environment={} sandbox={} destroyed={}", environment.id.view(), item.provider_lease_id, gone.ok());
  }
  if (!all) return std::nullopt;
  return destroyed;
}

void Leases::give_back_kept(EnvironmentId environment, Deadline deadline) {
  for (const auto& lease : options_.database.read([&](store::Reader& reader) { return domain::leases_of(reader, environment, std::nullopt); }))
    if (lease.status != LeaseStatus::active && domain::holds_place(lease) && !deadline.passed()) clean(lease, deadline);
}

void Leases::give_back_kept(CompanyId company, Deadline deadline) {
  for (const auto& environment : options_.database.read([&](store::Reader& reader) {
         return reader.column<EnvironmentId>("select id from environments where company_id = :1 and driver in ('sandbox', 'plugin')", company);
       }))
    give_back_kept(environment, deadline);
}

}  // namespace paperclip::environments
