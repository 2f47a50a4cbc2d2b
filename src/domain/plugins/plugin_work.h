#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <optional>
#include <string>

#include "base/id.h"
#include "base/json.h"
#include "base/time.h"
#include "domain/schema/table_of.h"

/// What plugins do on time or on request (spec/plugins.md 4, 16, 17).
namespace paperclip::domain {

enum class PluginJobStatus { active, paused, failed };
BOOST_DESCRIBE_ENUM(PluginJobStatus, active, paused, failed)

/// A job that a plugin wants run on a schedule.
struct PluginJob {
  PluginJobId id;
  PluginId plugin_id;
  std::string job_key;
  std::string schedule;
  PluginJobStatus status = PluginJobStatus::active;
  std::optional<Timestamp> last_run_at;
  std::optional<Timestamp> next_run_at;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(PluginJob, (),
                      (id, plugin_id, job_key, schedule, status, last_run_at, next_run_at, created_at, updated_at))
template <>
inline constexpr std::string_view table_of<PluginJob> = "plugin_jobs";

enum class PluginJobTrigger { schedule, manual, retry };
BOOST_DESCRIBE_ENUM(PluginJobTrigger, schedule, manual, retry)

enum class PluginJobRunStatus { pending, queued, running, succeeded, failed, cancelled };
BOOST_DESCRIBE_ENUM(PluginJobRunStatus, pending, queued, running, succeeded, failed, cancelled)

/// One run of a job.
struct PluginJobRun {
  PluginJobRunId id;
  PluginJobId job_id;
  PluginId plugin_id;
  PluginJobTrigger trigger{};
  PluginJobRunStatus status = PluginJobRunStatus::pending;
  std::optional<int> duration_ms;
  std::optional<std::string> error;
  RawJson logs{std::string("[]")};
  std::optional<Timestamp> started_at;
  std::optional<Timestamp> finished_at;
  Timestamp created_at;
};
BOOST_DESCRIBE_STRUCT(PluginJobRun, (),
                      (id, job_id, plugin_id, trigger, status, duration_ms, error, logs, started_at, finished_at,
                       created_at))
template <>
inline constexpr std::string_view table_of<PluginJobRun> = "plugin_job_runs";

enum class PluginDeliveryStatus { pending, success, failed };
BOOST_DESCRIBE_ENUM(PluginDeliveryStatus, pending, success, failed)

/// A webhook that arrived for a plugin.
struct PluginWebhookDelivery {
  PluginDeliveryId id;
  PluginId plugin_id;
  std::string webhook_key;
  std::optional<std::string> external_id;
  PluginDeliveryStatus status = PluginDeliveryStatus::pending;
  std::optional<int> duration_ms;
  std::optional<std::string> error;
  RawJson payload;
  RawJson headers{std::string("{}")};
  std::optional<Timestamp> started_at;
  std::optional<Timestamp> finished_at;
  Timestamp created_at;
};
BOOST_DESCRIBE_STRUCT(PluginWebhookDelivery, (),
                      (id, plugin_id, webhook_key, external_id, status, duration_ms, error, payload, headers,
                       started_at, finished_at, created_at))
template <>
inline constexpr std::string_view table_of<PluginWebhookDelivery> = "plugin_webhook_deliveries";

}  // namespace paperclip::domain
