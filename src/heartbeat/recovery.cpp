#include <spdlog/spdlog.h>

#include <set>

#include "adapters/registry.h"
#include "domain/environments/run_lease.h"
#include "domain/runs/retries.h"
#include "heartbeat/execution.h"

/// What an earlier server left: runs that live on, runs that ended meanwhile, runs that never started
/// (spec/execution.md 22).
namespace paperclip::heartbeat {

using domain::RunStatus;
using domain::StoredRun;

namespace {

// Claimed, or cancelled and not accounted for yet: those still hold their lease.
std::vector<StoredRun> unfinished_runs(store::Database& database) {
  return database.read([](store::Reader& reader) {
    return reader.all<StoredRun>("select {} from heartbeat_runs r where r.status = 'running' or (r.status not in ('queued', 'scheduled_retry') "
                                 "and exists (select 1 from environment_leases l where l.heartbeat_run_id = r.id and l.status = 'active' and l.cleanup_status is null)) "
                                 "order by r.created_at, r.id");
  });
}

std::vector<AgentId> agents_with_queue(store::Database& database) {
  return database.read([](store::Reader& reader) {
    return reader.column<AgentId>("select distinct agent_id from heartbeat_runs where status = 'queued'");
  });
}

}  // namespace

// The run's place is another one, and was there: what became of its process is to be found out over there.
static bool may_live_elsewhere(store::Database& database, RunId run) {
  return database.read([&](store::Reader& reader) {
    const auto lease = reader.one<domain::EnvironmentLease>("select {} from environment_leases where heartbeat_run_id = :1 and status = 'active'", run);
    if (!lease) return false;
    const auto driver = domain::driver_of(*lease, domain::EnvironmentDriver::local);
    return (driver == domain::EnvironmentDriver::ssh || driver == domain::EnvironmentDriver::sandbox) && !domain::metadata_of(*lease).contains("acquiring");
  });
}

// A run whose directory is there goes on, or its end is accounted for.
void Engine::State::take_over(const StoredRun& run) {
  auto setup = options.database.read([&](store::Reader& reader) -> Result<domain::RunSetup> {
    domain::RunSetup read = TRY(domain::read_run_setup(reader, run, profiles));
    read.lease_id = reader.value<LeaseId>("select id from environment_leases where heartbeat_run_id = :1 and status = 'active'", run.id);
    read.checked_out = read.issue && read.issue->checkout_run_id == run.id;
    if (read.lease_id) read.environment = reader.one<domain::Environment>("select {} from environments where id = (select environment_id from environment_leases where id = :1)", *read.lease_id);
    if (read.environment) {
      read.environment_id = read.environment->id;
      read.environment_name = read.environment->name;
      read.environment_driver = to_text(read.environment->driver);
    }
    return read;
  });
  if (!setup) {
    // The agent's secret or row went away meanwhile. The process is still followed to its end.
    spdlog::warn("run.setup_changed run={} error=\"{}\"", run.id.view(), setup.error().message);
    domain::RunSetup bare;
    bare.run = run;
    if (auto agent = options.database.read([&](store::Reader& reader) { return domain::agent_view(reader, run.agent_id); })) bare.agent = *std::move(agent);
    setup = std::move(bare);
  }
  auto execution = std::make_shared<Execution>(*this, *std::move(setup));
  add(execution);
  if (!run_job([execution] { execution->take_over(); })) execution->take_over();
}

bool Engine::State::settle_without_process(RunId id) {
  try {
    auto settled = options.database.write([&](store::Transaction& tx) -> Result<> {
      const auto run = tx.one<StoredRun>("select {} from heartbeat_runs where id = :1", id);
      if (!run) return {};
      const auto type = tx.value<std::string>("select adapter_type from agents where id = :1", run->agent_id);
      const bool is_call = type && adapters::adapter_for_run(*type).form() == adapters::RunForm::http_call;
      if (run->status == RunStatus::running && !is_call) {
        domain::requeue_unstarted(tx, id);
        return {};
      }
      domain::RunReport report;
      report.error_message = "The server restarted while the call was under way";
      report.error_code = "process_lost";
      TRY(domain::finalise_run(tx, id, run->fence, report));
      return {};
    });
    if (settled || settled.error().kind != ErrorKind::unavailable) {
      if (!settled) spdlog::error("run.recovery_failed run={} error=\"{}\"", id.view(), settled.error().message);
      return true;
    }
    spdlog::error("run.recovery_delayed run={} error=\"{}\"", id.view(), settled.error().message);
  } catch (const std::exception& problem) {
    spdlog::error("run.recovery_failed run={} error=\"{}\"", id.view(), problem.what());
    return true;
  }
  return false;
}

void Engine::State::settle_what_is_left() {
  std::vector<RunId> runs;
  {
    std::lock_guard lock(mutex);
    runs.swap(unsettled);
  }
  for (const auto& run : runs) {
    if (settle_without_process(run)) continue;
    std::lock_guard lock(mutex);
    unsettled.push_back(run);
  }
}

void Engine::State::recover() {
  std::set<RunId> known;
  for (const auto& run : options.runner.known_runs()) known.insert(run);
  int taken_over = 0, without_process = 0;
  std::vector<StoredRun> unfinished;
  try {
    unfinished = unfinished_runs(options.database);
  } catch (const std::exception& problem) {
    spdlog::error("heartbeat.recovery_delayed error=\"{}\"", problem.what());
    return run_later(std::chrono::seconds(2), [this] { recover(); });
  }
  for (const auto& run : unfinished) {
    if (known.erase(run.id) > 0 || may_live_elsewhere(options.database, run.id)) {
      take_over(run);
      ++taken_over;
    } else {
      ++without_process;
      if (!settle_without_process(run.id)) {
        std::lock_guard lock(mutex);
        unsettled.push_back(run.id);
      }
    }
  }
  // Accounted for before the server went away, but not cleaned up.
  for (const auto& run : known)
    if (auto forgotten = options.runner.forget(run); !forgotten)
      spdlog::warn("run.directory_stays run={} error=\"{}\"", run.view(), forgotten.error().message);
  {
    std::lock_guard lock(mutex);
    open = !stopping;
  }
  if (taken_over + without_process > 0) spdlog::info("heartbeat.recovered taken_over={} without_process={}", taken_over, without_process);
  (void)options.database.write([](store::Transaction& tx) -> Result<> {
    domain::promote_due_retries(tx);
    return {};
  });
  for (const auto& agent : agents_with_queue(options.database)) poke(agent);
}

}  // namespace paperclip::heartbeat
