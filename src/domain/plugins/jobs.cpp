#include "domain/plugins/jobs.h"

#include <algorithm>

#include "base/cron.h"

namespace paperclip::domain {

namespace {

std::optional<Timestamp> next_time(const std::string& schedule, Timestamp after) {
  const auto cron = CronSchedule::parse(schedule);
  return cron ? cron->next_after(after) : std::nullopt;
}

}  // namespace

void sync_jobs(store::Transaction& tx, const PluginId& plugin, const PluginManifest& manifest) {
  auto rows = tx.all<PluginJob>("select {} from plugin_jobs where plugin_id = :1", plugin);
  static const std::vector<JobDeclaration> none;
  const auto& declared = manifest.jobs ? *manifest.jobs : none;
  for (const auto& job : declared) {
    const auto at = std::find_if(rows.begin(), rows.end(), [&](const auto& row) { return row.job_key == job.job_key; });
    PluginJob row;
    if (at != rows.end()) {
      row = *at;
      rows.erase(at);
    } else {
      row.id = tx.new_id<PluginJobId>();
      row.plugin_id = plugin;
      row.job_key = job.job_key;
      row.created_at = tx.now();
    }
    const bool is_new = row.updated_at.ms == 0;
    const std::string schedule = job.schedule ? *job.schedule : std::string();
    if (row.schedule != schedule) row.next_run_at.reset();
    row.schedule = schedule;
    if (row.status == PluginJobStatus::paused) row.status = PluginJobStatus::active;
    if (row.status == PluginJobStatus::active && (!row.next_run_at || *row.next_run_at <= tx.now())) row.next_run_at = next_time(schedule, tx.now());
    row.updated_at = tx.now();
    if (is_new) tx.insert("plugin_jobs", row);
    else tx.update("plugin_jobs", row);
  }
  for (auto& gone : rows) {
    gone.status = PluginJobStatus::paused;
    gone.updated_at = tx.now();
    tx.update("plugin_jobs", gone);
  }
}

std::vector<PluginJob> due_jobs(store::Reader& reader, int limit) {
  return reader.all<PluginJob>(
      "select {} from plugin_jobs where status = 'active' and schedule <> '' and next_run_at <= :1 and not exists (select 1 from plugin_job_runs r "
      "where r.job_id = plugin_jobs.id and r.status in ('queued', 'running')) order by next_run_at, id limit :2",
      reader.now(), limit);
}

PluginJobRun begin_job_run(store::Transaction& tx, const PluginJob& job, PluginJobTrigger trigger) {
  PluginJobRun run;
  run.id = tx.new_id<PluginJobRunId>();
  run.job_id = job.id;
  run.plugin_id = job.plugin_id;
  run.trigger = trigger;
  run.status = PluginJobRunStatus::running;
  run.started_at = tx.now();
  run.created_at = tx.now();
  tx.insert("plugin_job_runs", run);
  if (trigger == PluginJobTrigger::schedule)
    tx.execute("update plugin_jobs set last_run_at = :1, next_run_at = :2, updated_at = :3 where id = :4", tx.now(), next_time(job.schedule, tx.now()), tx.now(), job.id);
  return run;
}

Result<PluginJob> check_manual_start(store::Reader& reader, const PluginId& plugin, const PluginJobId& id) {
  auto job = reader.one<PluginJob>("select {} from plugin_jobs where id = :1 and plugin_id = :2", id, plugin);
  if (!job) return not_found("Job not found");
  if (job->status != PluginJobStatus::active) return bad_request("Job \"" + job->job_key + "\" is not active (status: " + std::string(to_text(job->status)) + ")");
  if (reader.exists("select 1 from plugin_job_runs where job_id = :1 and status in ('queued', 'running')", id))
    return bad_request("Job \"" + job->job_key + "\" already has a running execution — cannot trigger while in progress");
  return *std::move(job);
}

void end_job_run(store::Transaction& tx, const PluginJobRunId& id, PluginJobRunStatus status, const std::optional<std::string>& error) {
  auto run = tx.one<PluginJobRun>("select {} from plugin_job_runs where id = :1", id);
  if (!run || !job_run_transitions.allow(run->status, status)) return;
  run->status = status;
  run->error = error;
  run->finished_at = tx.now();
  if (run->started_at) run->duration_ms = static_cast<int>((tx.now() - *run->started_at).count());
  tx.update("plugin_job_runs", *run);
}

void cancel_job_runs(store::Transaction& tx, const std::optional<PluginId>& plugin, std::string_view reason) {
  const auto runs = plugin ? tx.column<PluginJobRunId>("select id from plugin_job_runs where status in ('queued', 'running') and plugin_id = :1", *plugin)
                           : tx.column<PluginJobRunId>("select id from plugin_job_runs where status in ('queued', 'running')");
  for (const auto& run : runs) end_job_run(tx, run, PluginJobRunStatus::cancelled, std::string(reason));
}

PluginWebhookDelivery record_delivery(store::Transaction& tx, const PluginId& plugin, const std::string& webhook_key, const RawJson& payload, const RawJson& headers) {
  PluginWebhookDelivery delivery;
  delivery.id = tx.new_id<PluginDeliveryId>();
  delivery.plugin_id = plugin;
  delivery.webhook_key = webhook_key;
  delivery.payload = payload;
  delivery.headers = headers;
  delivery.started_at = tx.now();
  delivery.created_at = tx.now();
  tx.insert("plugin_webhook_deliveries", delivery);
  return delivery;
}

void end_delivery(store::Transaction& tx, const PluginDeliveryId& id, const std::optional<std::string>& error) {
  auto delivery = tx.one<PluginWebhookDelivery>("select {} from plugin_webhook_deliveries where id = :1", id);
  if (!delivery) return;
  delivery->status = error ? PluginDeliveryStatus::failed : PluginDeliveryStatus::success;
  delivery->error = error;
  delivery->finished_at = tx.now();
  if (delivery->started_at) delivery->duration_ms = static_cast<int>((tx.now() - *delivery->started_at).count());
  tx.update("plugin_webhook_deliveries", *delivery);
}

}  // namespace paperclip::domain
