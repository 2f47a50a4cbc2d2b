#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/transitions.h"
#include "domain/plugins/manifest.h"
#include "domain/plugins/plugin_work.h"
#include "store/transaction.h"

/// Jobs and webhook deliveries as rows (spec/plugins.md 16, 17).
namespace paperclip::domain {

inline constexpr auto job_run_transitions = transitions<PluginJobRunStatus>({
    {PluginJobRunStatus::queued, PluginJobRunStatus::running, "handed to the worker"},
    {PluginJobRunStatus::queued, PluginJobRunStatus::cancelled, "the plugin went, or the server"},
    {PluginJobRunStatus::running, PluginJobRunStatus::succeeded, "the worker answered"},
    {PluginJobRunStatus::running, PluginJobRunStatus::failed, "the worker refused, or died, or was too slow"},
    {PluginJobRunStatus::running, PluginJobRunStatus::cancelled, "the plugin went, or the server"},
});

/// Makes the rows match the manifest: new ones active, paused ones active again, those no longer declared paused; next
/// times computed where none is set or it is past (missed runs are not made up for).
void sync_jobs(store::Transaction& tx, const PluginId& plugin, const PluginManifest& manifest);

/// Active jobs whose time has come and that no run holds, earliest first.
std::vector<PluginJob> due_jobs(store::Reader& reader, int limit);

/// A run in `running`. For a scheduled job the next time is set too.
PluginJobRun begin_job_run(store::Transaction& tx, const PluginJob& job, PluginJobTrigger trigger);
/// What a manual start needs (400 with the texts of spec/plugins.md 16).
Result<PluginJob> check_manual_start(store::Reader& reader, const PluginId& plugin, const PluginJobId& job);
/// Of no effect if the run has ended already.
void end_job_run(store::Transaction& tx, const PluginJobRunId& run, PluginJobRunStatus status, const std::optional<std::string>& error);
/// Cancels what is queued or running: of one plugin, or at boot of all.
void cancel_job_runs(store::Transaction& tx, const std::optional<PluginId>& plugin, std::string_view reason);

PluginWebhookDelivery record_delivery(store::Transaction& tx, const PluginId& plugin, const std::string& webhook_key, const RawJson& payload, const RawJson& headers);
void end_delivery(store::Transaction& tx, const PluginDeliveryId& delivery, const std::optional<std::string>& error);

}  // namespace paperclip::domain
