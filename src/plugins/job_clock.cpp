#include <spdlog/spdlog.h>

#include "domain/plugins/jobs.h"
#include "plugins/host.h"
#include "store/database.h"

/// Jobs on time, and log lines to the database (spec/plugins.md 16, 21). Old lines go with the engine's ticks.
namespace paperclip::plugins {

namespace {

constexpr int most_jobs = 10;
constexpr std::chrono::seconds flush_every{5};

}  // namespace

void PluginHost::keep_time() {
  Deadline next_tick = Deadline::in(options_.job_tick);
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    // Without plugins there is nothing to flush: an idle server sleeps until the next tick.
    const Deadline until = active_.empty() ? next_tick : next_tick.or_sooner(Deadline::in(flush_every));
    changed_.wait_until(lock, until.at());
    if (stopping_) return;
    lock.unlock();
    flush_logs();
    if (next_tick.passed()) {
      run_due_jobs();
      next_tick = Deadline::in(options_.job_tick);
    }
    lock.lock();
  }
}

void PluginHost::run_due_jobs() {
  try {
    const auto due = options_.database.read([](store::Reader& reader) { return domain::due_jobs(reader, 50); });
    for (const auto& job : due) {
      if (running_jobs_ >= most_jobs) return;
      const auto plugin = active(job.plugin_id);
      if (!plugin || !plugin->worker->running()) continue;
      if (auto started = start_job(job, domain::PluginJobTrigger::schedule); !started) spdlog::error("plugin.job_not_started job={} error={}", job.job_key, started.error().message);
    }
  } catch (const std::exception& problem) {
    spdlog::error("plugin.jobs_not_looked_at error={}", problem.what());
  }
}

Result<PluginJobRunId> PluginHost::start_job(const domain::PluginJob& job, domain::PluginJobTrigger trigger) {
  const auto run = TRY(options_.database.write([&](store::Transaction& tx) -> Result<domain::PluginJobRun> {
    if (trigger == domain::PluginJobTrigger::manual) TRY(domain::check_manual_start(tx, job.plugin_id, job.id));
    return domain::begin_job_run(tx, job, trigger);
  }));
  const Timestamp scheduled = trigger == domain::PluginJobTrigger::schedule && job.next_run_at ? *job.next_run_at : *run.started_at;
  json::object params{{"job", {{"jobKey", job.job_key}, {"runId", run.id.view()}, {"trigger", to_text(trigger)}, {"scheduledAt", to_iso(scheduled)}}}};
  ++running_jobs_;
  const bool posted = job_pool_ != nullptr && job_pool_->post([this, run, params = std::move(params)] {
    const auto answer = call(run.plugin_id, "runJob", params, options_.job_timeout);
    auto ended = options_.database.write([&](store::Transaction& tx) -> Result<> {
      domain::end_job_run(tx, run.id, answer.ok() ? domain::PluginJobRunStatus::succeeded : domain::PluginJobRunStatus::failed,
                          answer.ok() ? std::nullopt : std::optional(answer.failure->message));
      return {};
    });
    if (!ended) spdlog::error("plugin.job_run_not_ended run={} error={}", run.id.view(), ended.error().message);
    --running_jobs_;
  });
  if (!posted) {
    --running_jobs_;
    return Error(ErrorKind::unavailable, "The server is stopping");
  }
  return run.id;
}

Result<PluginJobRunId> PluginHost::trigger_job(const domain::Plugin& plugin, const PluginJobId& id) {
  const auto job = TRY(options_.database.read([&](store::Reader& reader) { return domain::check_manual_start(reader, plugin.id, id); }));
  const auto running = active(plugin.id);
  if (!running || !running->worker->running()) return bad_request("Worker for plugin \"" + plugin.id.str() + "\" is not running — cannot trigger job");
  return start_job(job, domain::PluginJobTrigger::manual);
}

}  // namespace paperclip::plugins
