#include <algorithm>
#include <map>

#include "api/all_routes.h"
#include "api/plugin_calls.h"
#include "api/services.h"
#include "base/text.h"
#include "domain/plugins/jobs.h"
#include "plugins/host.h"
#include "plugins/json_schema.h"
#include "store/database.h"

/// Configuration, jobs, webhooks and the dashboard of a plugin (spec/plugins.md 11, 16, 17, 25).
namespace paperclip::api {

namespace {

using domain::Plugin;
using domain::PluginStatus;

Result<Answer> get_config(Call& call) {
  TRY(require_board_with_company(call));
  const auto plugin = TRY(plugin_in_path(call));
  const auto config = call.services.database.read([&](store::Reader& reader) { return domain::plugin_config(reader, plugin.id); });
  return ok(config);
}

Result<json::object> config_in_body(Call& call) {
  const json::value body = call.body.value_or(json::object());
  const auto* config = member(body, "configJson");
  if (config == nullptr || !config->is_object()) return bad_request("\"configJson\" is required and must be an object");
  return config->get_object();
}

// 400 with every field that does not fit the manifest's schema.
Result<> check_schema(const Plugin& plugin, const json::object& config) {
  const auto manifest = domain::stored_manifest(plugin);
  if (!manifest || !manifest->instance_config_schema || manifest->instance_config_schema->value.empty()) return {};
  const auto failures = plugins::validate_schema(manifest->instance_config_schema->value, json::value(config));
  if (failures.empty()) return {};
  json::array fields;
  for (const auto& failure : failures) fields.push_back(json::object{{"field", failure.field}, {"message", failure.message}});
  Error error = bad_request("Configuration does not match the plugin's instanceConfigSchema");
  error.extra = json::object{{"fieldErrors", std::move(fields)}};
  return error;
}

Result<Answer> save_config(Call& call) {
  const auto plugin = TRY(plugin_in_path(call));
  auto config = TRY(config_in_body(call));
  if (!call.actor.is_instance_admin) config.erase("devUiUrl");
  TRY(check_schema(plugin, config));
  auto* host = TRY(plugin_host(call));
  return ok(TRY(host->save_config(plugin, config, domain::Author::of(call.actor))));
}

std::string joined(const json::value& answer, std::string_view key) {
  std::string text;
  if (const auto* list = member(answer, key); list != nullptr && list->is_array())
    for (const auto& item : list->get_array())
      if (item.is_string()) text += (text.empty() ? "" : "; ") + std::string(item.get_string());
  return text;
}

Result<Answer> test_config(Call& call) {
  TRY(require_board_with_company(call));
  const auto plugin = TRY(plugin_in_path(call));
  const auto config = TRY(config_in_body(call));
  if (plugin.status != PluginStatus::ready) return bad_request("Plugin is not ready (current status: " + std::string(to_text(plugin.status)) + ")");
  TRY(check_schema(plugin, config));
  auto* host = TRY(plugin_host(call));
  const auto answer = host->call(plugin.id, "validateConfig", json::object{{"config", config}});
  if (!answer.ok()) {
    // A worker without the hook says so in one of two ways.
    if (answer.failure->code == plugins::rpc_code::not_implemented || answer.failure->code == plugins::rpc_code::method_not_found)
      return ok(json::value{{"valid", false}, {"supported", false}, {"message", "This plugin does not support configuration testing."}});
    return bridge_failure(*answer.failure);
  }
  const auto* fine = member(answer.result, "ok");
  if (fine != nullptr && fine->is_bool() && fine->get_bool()) {
    json::object out{{"valid", true}};
    if (const auto warnings = joined(answer.result, "warnings"); !warnings.empty()) out["message"] = "Warnings: " + warnings;
    return ok(json::value(std::move(out)));
  }
  const auto errors = joined(answer.result, "errors");
  return ok(json::value{{"valid", false}, {"message", errors.empty() ? std::string("Configuration validation failed.") : errors}});
}

Result<Answer> list_jobs(Call& call) {
  TRY(require_board_with_company(call));
  const auto plugin = TRY(plugin_in_path(call));
  const auto wanted = call.query.text("status");
  if (wanted && !parse_enum<domain::PluginJobStatus>(*wanted)) return bad_request("Invalid status '" + *wanted + "'. Must be one of: active, paused, failed");
  return ok(call.services.database.read([&](store::Reader& reader) {
    return reader.all<domain::PluginJob>("select {} from plugin_jobs where plugin_id = :1 and (:2 = '' or status = :3) order by created_at, id limit 1000", plugin.id, wanted.value_or(""),
                                         wanted.value_or(""));
  }));
}

Result<PluginJobId> job_in_path(Call& call, const Plugin& plugin) {
  const auto id = PluginJobId::parse(call.param("jobId"));
  if (!id || !call.services.database.read([&](store::Reader& reader) { return reader.exists("select 1 from plugin_jobs where id = :1 and plugin_id = :2", *id, plugin.id); }))
    return not_found("Job not found");
  return *id;
}

Result<Answer> list_job_runs(Call& call) {
  TRY(require_board_with_company(call));
  const auto plugin = TRY(plugin_in_path(call));
  const auto job = TRY(job_in_path(call, plugin));
  std::int64_t limit = 25;
  if (call.query.text("limit")) {
    const auto given = whole_number(call, "limit");
    if (!given || *given < 1 || *given > 500) return bad_request("limit must be a number between 1 and 500");
    limit = *given;
  }
  return ok(call.services.database.read(
      [&](store::Reader& reader) { return reader.all<domain::PluginJobRun>("select {} from plugin_job_runs where job_id = :1 order by created_at desc, id desc limit :2", job, limit); }));
}

Result<Answer> trigger_job(Call& call) {
  const auto plugin = TRY(plugin_in_path(call));
  const auto job = TRY(job_in_path(call, plugin));
  auto* host = TRY(plugin_host(call));
  const auto run = TRY(host->trigger_job(plugin, job));
  return ok(json::value{{"runId", run.view()}, {"jobId", job.view()}});
}

Result<Answer> receive_webhook(Call& call) {
  const auto plugin = TRY(plugin_in_path(call));
  if (plugin.status != PluginStatus::ready) return bad_request("Plugin is not ready (current status: " + std::string(to_text(plugin.status)) + ")");
  const auto manifest = TRY(domain::stored_manifest(plugin));
  if (!manifest.has("webhooks.receive")) return bad_request("Plugin does not have the webhooks.receive capability");
  const std::string& key = call.param("endpointKey");
  bool declared = false;
  if (manifest.webhooks)
    for (const auto& webhook : *manifest.webhooks) declared = declared || webhook.endpoint_key == key;
  if (!declared) return not_found("Webhook endpoint '" + key + "' is not declared by this plugin");
  auto* host = TRY(plugin_host(call));

  std::map<std::string, std::vector<std::string>> fields;
  for (const auto& field : call.request.headers) fields[lower(field.name)].emplace_back(field.value);
  json::object told, stored;
  for (const auto& [name, values] : fields) {
    std::string all;
    for (const auto& value : values) all += (all.empty() ? "" : ", ") + value;
    stored[name] = all;
    if (values.size() == 1) told[name] = values.front();
    else told[name] = json::array(values.begin(), values.end());
  }
  // The exact bytes, whatever their type: signatures are made over them.
  json::object params{{"endpointKey", key}, {"headers", std::move(told)}, {"rawBody", call.request.body}, {"requestId", call.services.random.uuid()}};
  json::value payload = json::object();
  if (auto parsed = parse_json(call.request.body)) {
    payload = *parsed;
    params["parsedBody"] = *std::move(parsed);
  }
  const auto delivery = TRY(call.services.database.write([&](store::Transaction& tx) -> Result<domain::PluginWebhookDelivery> {
    return domain::record_delivery(tx, plugin.id, key, RawJson(payload), RawJson(json::value(stored)));
  }));
  const auto handled = host->call(plugin.id, "handleWebhook", params);
  const auto error = handled.ok() ? std::nullopt : std::optional(handled.failure->message);
  TRY(call.services.database.write([&](store::Transaction& tx) -> Result<> {
    domain::end_delivery(tx, delivery.id, error);
    return {};
  }));
  if (error) return answer(502, json::value{{"deliveryId", delivery.id.view()}, {"status", "failed"}, {"error", *error}});
  return ok(json::value{{"deliveryId", delivery.id.view()}, {"status", "success"}});
}

struct RecentRun {
  PluginJobRunId id;
  PluginJobId job_id;
  std::optional<std::string> job_key;
  domain::PluginJobTrigger trigger{};
  domain::PluginJobRunStatus status{};
  std::optional<int> duration_ms;
  std::optional<std::string> error;
  std::optional<Timestamp> started_at, finished_at;
  Timestamp created_at;
};
BOOST_DESCRIBE_STRUCT(RecentRun, (), (id, job_id, job_key, trigger, status, duration_ms, error, started_at, finished_at, created_at))

struct RecentDelivery {
  PluginDeliveryId id;
  std::string webhook_key;
  domain::PluginDeliveryStatus status{};
  std::optional<int> duration_ms;
  std::optional<std::string> error;
  std::optional<Timestamp> started_at, finished_at;
  Timestamp created_at;
};
BOOST_DESCRIBE_STRUCT(RecentDelivery, (), (id, webhook_key, status, duration_ms, error, started_at, finished_at, created_at))

json::value worker_json(const std::optional<plugins::WorkerDiagnostics>& worker) {
  if (!worker) return nullptr;
  const auto or_null = [](const auto& value) { return value ? json::value(*value) : json::value(nullptr); };
  return json::value{{"status", to_text(worker->status)}, {"pid", or_null(worker->pid)}, {"uptime", or_null(worker->uptime_ms)}, {"consecutiveCrashes", worker->consecutive_crashes},
                     {"totalCrashes", worker->total_crashes}, {"pendingRequests", worker->pending_requests}, {"lastCrashAt", or_null(worker->last_crash_at)},
                     {"nextRestartAt", or_null(worker->next_restart_at)}};
}

Result<Answer> get_dashboard(Call& call) {
  TRY(require_board_with_company(call));
  const auto plugin = TRY(plugin_in_path(call));
  auto* host = TRY(plugin_host(call));
  const auto [runs, deliveries] = call.services.database.read([&](store::Reader& reader) {
    return std::pair(reader.all<RecentRun>("select r.id, r.job_id, j.job_key, r.trigger, r.status, r.duration_ms, r.error, r.started_at, r.finished_at, r.created_at from plugin_job_runs r "
                                           "left join plugin_jobs j on j.id = r.job_id where r.plugin_id = :1 order by r.created_at desc, r.id desc limit 10",
                                           plugin.id),
                     reader.all<RecentDelivery>("select {} from plugin_webhook_deliveries where plugin_id = :1 order by created_at desc, id desc limit 10", plugin.id));
  });
  std::string body;
  JsonObjectWriter(body)
      .field("pluginId", plugin.id)
      .field("worker", worker_json(host->diagnostics(plugin.id)))
      .field("recentJobRuns", runs)
      .field("recentWebhookDeliveries", deliveries)
      .field("health", plugin_health(plugin))
      .field("checkedAt", call.services.clock.now())
      .end();
  return ok_json(std::move(body));
}

}  // namespace

void add_plugin_work_routes(Routes& routes) {
  const char* admin = "Instance admin access required";
  routes.get("/api/plugins/{pluginId}/config", get_config).callers(board);
  routes.post("/api/plugins/{pluginId}/config", save_config).callers(instance_admin, admin);
  routes.post("/api/plugins/{pluginId}/config/test", test_config).callers(board);
  routes.get("/api/plugins/{pluginId}/jobs", list_jobs).callers(board);
  routes.get("/api/plugins/{pluginId}/jobs/{jobId}/runs", list_job_runs).callers(board);
  routes.post("/api/plugins/{pluginId}/jobs/{jobId}/trigger", trigger_job).callers(instance_admin, admin);
  routes.post("/api/plugins/{pluginId}/webhooks/{endpointKey}", receive_webhook).callers(anyone).raw_body();
  routes.get("/api/plugins/{pluginId}/dashboard", get_dashboard).callers(board);
}

}  // namespace paperclip::api
