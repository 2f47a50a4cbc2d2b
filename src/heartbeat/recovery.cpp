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
                                 "and exists (select 1 from environment_leases l where l.heartbeat_run_id = r.id and l.status = 'active')) "
                                 "order by r.created_at, r.id");
  });
}

std::vector<AgentId> agents_with_queue(store::Database& database) {
  return database.read([](store::Reader& reader) {
    return reader.column<AgentId>("select distinct agent_id from heartbeat_runs where status = 'queued'");
  });
}

}  // namespace

// A run whose directory is there goes on, or its end is accounted for.
void Engine::State::take_over(const StoredRun& run) {
  auto setup = options.database.read([&](store::Reader& reader) -> Result<domain::RunSetup> {
    domain::RunSetup read = TRY(domain::read_run_setup(reader, run, profiles));
    read.lease_id = reader.value<LeaseId>("select id from environment_leases where heartbeat_run_id = :1 and status = 'active'", run.id);
    read.checked_out = read.issue && read.issue->checkout_run_id == run.id;
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

void Engine::State::recover() {
  std::set<RunId> known;
  for (const auto& run : options.runner.known_runs()) known.insert(run);
  int taken_over = 0, requeued = 0, ended = 0;
  for (const auto& run : unfinished_runs(options.database)) {
    if (known.erase(run.id) > 0) {
      take_over(run);
      ++taken_over;
      continue;
    }
    const bool is_call = [&] {
      const auto type = options.database.read([&](store::Reader& reader) { return reader.value<std::string>("select adapter_type from agents where id = :1", run.agent_id); });
      return type && adapters::adapter_for_run(*type).form() == adapters::RunForm::http_call;
    }();
    auto settled = options.database.write([&](store::Transaction& tx) -> Result<> {
      if (run.status == RunStatus::running && !is_call) {
        domain::requeue_unstarted(tx, run.id);
        return {};
      }
      domain::RunReport report;
      report.error_message = "The server restarted while the call was under way";
      report.error_code = "process_lost";
      TRY(domain::finalise_run(tx, run.id, run.fence, report));
      return {};
    });
    if (!settled) spdlog::error("run.recovery_failed run={} error=\"{}\"", run.id.view(), settled.error().message);
    ++(run.status == RunStatus::running && !is_call ? requeued : ended);
  }
  // Accounted for before the server went away, but not cleaned up.
  for (const auto& run : known)
    if (auto forgotten = options.runner.forget(run); !forgotten)
      spdlog::warn("run.directory_stays run={} error=\"{}\"", run.view(), forgotten.error().message);
  {
    std::lock_guard lock(mutex);
    open = !stopping;
  }
  if (taken_over + requeued + ended > 0)
    spdlog::info("heartbeat.recovered taken_over={} requeued={} ended={}", taken_over, requeued, ended);
  (void)options.database.write([](store::Transaction& tx) -> Result<> {
    domain::promote_due_retries(tx);
    return {};
  });
  for (const auto& agent : agents_with_queue(options.database)) poke(agent);
}

}  // namespace paperclip::heartbeat
