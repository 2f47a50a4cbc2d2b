#include <spdlog/spdlog.h>

#include "domain/budgets/enforcement.h"
#include "domain/issues/monitor_check.h"
#include "domain/plugins/state.h"
#include "domain/runs/graph_liveness.h"
#include "domain/runs/issue_release.h"
#include "domain/runs/productivity_review.h"
#include "domain/runs/retries.h"
#include "domain/runs/silent_runs.h"
#include "domain/runs/stranded.h"
#include "domain/waiting/note_waits.h"
#include "domain/wakeups/timers.h"
#include "environments/leases.h"
#include "heartbeat/execution.h"

/// What time brings: jobs that were put off, and the scheduler's turn (spec/execution.md 23).
namespace paperclip::heartbeat {

namespace {

constexpr std::chrono::minutes between_deletions{10};

}  // namespace

// By the wall's clock, as the rows were written; one that jumps ahead deletes too early what is old anyway, and events and
// logs are no state.
void Engine::State::delete_what_is_old() {
  const auto steady = options.clock.steady();
  if (deleted_at && steady - *deleted_at < between_deletions) return;
  deleted_at = steady;
  const auto& keep = options.retention;
  auto pruned = options.database.write([&](store::Transaction& tx) -> Result<> {
    if (keep.events.count() > 0) store::prune_events(tx, tx.now() - keep.events);
    if (keep.plugin_logs.count() > 0) domain::prune_plugin_logs(tx, tx.now() - keep.plugin_logs);
    return {};
  });
  if (!pruned) spdlog::error("retention.failed error=\"{}\"", pruned.error().message);
  if (keep.run_logs.count() == 0) return;
  // Files have the system's time.
  const int deleted = delete_old_run_logs(options.run_log_directory, std::chrono::system_clock::now() - keep.run_logs, [this](RunId run) { return find(run) != nullptr; });
  if (deleted > 0) spdlog::info("retention.run_logs_deleted count={}", deleted);
}

void Engine::State::keep_time() {
  auto next_tick = std::chrono::steady_clock::now() + options.scheduler_interval;
  std::unique_lock lock(mutex);
  while (!stopping) {
    auto until = next_tick;
    if (!timers.empty()) until = std::min(until, timers.begin()->first);
    changed.wait_until(lock, until, [&] { return stopping || (!timers.empty() && timers.begin()->first < until); });
    if (stopping) return;
    const auto now = std::chrono::steady_clock::now();
    std::vector<std::function<void()>> due;
    while (!timers.empty() && timers.begin()->first <= now) {
      due.push_back(std::move(timers.begin()->second));
      timers.erase(timers.begin());
    }
    const bool tick_now = now >= next_tick;
    if (tick_now) next_tick = now + options.scheduler_interval;
    lock.unlock();
    for (auto& job : due) run_job(std::move(job));
    if (tick_now) run_job([this] { tick(); });
    lock.lock();
  }
}

// Places that nobody gives back any more. It calls providers, so the rest of the tick does not wait for it.
void Engine::State::sweep_leases() {
  const std::unique_lock turn(sweeping, std::try_to_lock);
  if (!turn) return;
  std::set<RunId> here;
  {
    std::lock_guard lock(mutex);
    for (const auto& [run, execution] : live) here.insert(run);
  }
  try {
    options.leases->sweep(here);
  } catch (const std::exception& problem) {
    spdlog::error("leases.sweep_failed error=\"{}\"", problem.what());
  }
}

void Engine::State::tick() {
  const std::unique_lock turn(ticking, std::try_to_lock);
  if (!turn) return;  // the last one is still at it
  {
    std::lock_guard lock(mutex);
    if (!open || stopping) return;
  }
  settle_what_is_left();
  if (options.scheduler_enabled) {
    for (const auto& agent : options.database.read([](store::Reader& reader) { return domain::agents_due(reader); })) {
      // One agent's refusal is not the others' concern.
      auto woken = options.database.write([&](store::Transaction& tx) -> Result<> {
        domain::wake_by_timer(tx, agent);
        return {};
      });
      if (!woken) spdlog::error("heartbeat.timer_failed agent={} error=\"{}\"", agent.view(), woken.error().message);
    }
    const auto due = options.database.write([](store::Transaction& tx) -> Result<std::vector<IssueId>> { return domain::claim_due_monitors(tx); });
    for (const auto& issue : due ? *due : std::vector<IssueId>()) {
      auto fired = options.database.write([&](store::Transaction& tx) -> Result<> {
        domain::fire_monitor(tx, issue);
        return {};
      });
      if (!fired) spdlog::error("heartbeat.monitor_failed issue={} error=\"{}\"", issue.view(), fired.error().message);
    }
    auto swept = options.database.write([](store::Transaction& tx) -> Result<domain::StrandedReport> {
      domain::evaluate_limits_in_time(tx);
      domain::promote_due_retries(tx);
      return domain::reconcile_stranded_issues(tx);
    });
    if (!swept) spdlog::error("heartbeat.reconcile_failed error=\"{}\"", swept.error().message);
    const auto scanned = options.database.write([](store::Transaction& tx) -> Result<domain::SilentRunReport> { return domain::scan_silent_runs(tx); });
    if (!scanned) spdlog::error("heartbeat.silent_scan_failed error=\"{}\"", scanned.error().message);
    open_dead_ends();
    review_productivity();
  }
  note_waits();
  delete_what_is_old();
  if (options.leases != nullptr) run_job([this] { sweep_leases(); });
  for (const auto& agent : options.database.read([](store::Reader& reader) {
         return reader.column<AgentId>("select distinct agent_id from heartbeat_runs where status = 'queued'");
       }))
    poke(agent);
}

// Work that waits for what nobody will do. Looking takes no turn of the writer; asking only where the instance wants it.
void Engine::State::open_dead_ends() {
  const auto [report, obsolete] = options.database.read([](store::Reader& reader) {
    const auto settings = domain::graph_recovery_settings(reader);
    return std::pair(settings.enabled ? domain::preview_graph_recovery(reader, settings.lookback_hours) : domain::GraphRecoveryReport{}, domain::has_open_escalations(reader));
  });
  if (report.items.empty() && !obsolete) return;
  const auto done = options.database.write([&report = report](store::Transaction& tx) -> Result<> {
    domain::retire_obsolete_escalations(tx);
    auto doing = report;
    domain::recover_dead_ends(tx, doing);
    return {};
  });
  if (!done) spdlog::error("heartbeat.graph_recovery_failed error=\"{}\"", done.error().message);
}

void Engine::State::review_productivity() {
  for (const auto& [company, issue] : options.database.read([](store::Reader& reader) { return domain::find_unproductive_work(reader); })) {
    const auto reviewed =
        options.database.write([company = company, issue = issue](store::Transaction& tx) { return domain::review_productivity(tx, company, issue); });
    if (!reviewed) spdlog::error("heartbeat.productivity_review_failed issue={} error=\"{}\"", issue.view(), reviewed.error().message);
  }
}

// Each wake that waits has its reason on record; what was parked behind nobody goes on.
void Engine::State::note_waits() {
  domain::MachineSlots machine;
  machine.limit = static_cast<std::size_t>(options.max_live_runs);
  {
    std::lock_guard lock(mutex);
    machine.live = live.size();
  }
  const auto found = options.database.read([&](store::Reader& reader) { return domain::find_waits_to_note(reader, machine); });
  const auto write = [&](auto rule) {
    const auto written = options.database.write([&](store::Transaction& tx) -> Result<> {
      rule(tx);
      return {};
    });
    if (!written) spdlog::error("heartbeat.waits_not_noted error=\"{}\"", written.error().message);
  };
  for (const auto& [company, issue] : found.orphaned)
    write([company = company, issue = issue](store::Transaction& tx) { domain::promote_parked_wake(tx, company, issue); });
  for (const auto& [company, agent] : found.agents)
    write([&, company = company, agent = agent](store::Transaction& tx) { domain::note_waits(tx, company, agent, machine); });
  if (found.stale) write([](store::Transaction& tx) { domain::forget_stale_waits(tx); });
}

}  // namespace paperclip::heartbeat
