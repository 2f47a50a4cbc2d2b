#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "api/all_routes.h"
#include "api/services.h"
#include "heartbeat/engine.h"
#include "store/database.h"

/// GET /metrics (OURS): the state of this server as Prometheus reads it. docs/operations.md explains the names.
namespace paperclip::api {

namespace {

struct CountByStatus {
  std::string status;
  std::int64_t count = 0;
};
BOOST_DESCRIBE_STRUCT(CountByStatus, (), (status, count))

/// Writes the text format 0.0.4.
class MetricsText {
 public:
  /// Announces a family; its samples follow.
  void family(std::string_view name, std::string_view type, std::string_view help) {
    out_.append("# HELP ").append(name).append(" ").append(help).append("\n# TYPE ").append(name).append(" ").append(type).append("\n");
  }
  void sample(std::string_view name, double value, std::string_view label = {}, std::string_view label_value = {}) {
    out_ += name;
    // Our labels are words of the code: nothing to escape.
    if (!label.empty()) out_.append("{").append(label).append("=\"").append(label_value).append("\"}");
    char text[40];
    std::snprintf(text, sizeof text, " %.15g\n", value);
    out_ += text;
  }
  void single(std::string_view name, std::string_view type, std::string_view help, double value) {
    family(name, type, help);
    sample(name, value);
  }
  void histogram(const std::string& name, std::string_view help, const heartbeat::Histogram& histogram) {
    family(name, "histogram", help);
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < heartbeat::Histogram::bounds.size(); ++i) {
      sum += histogram.counts[i];
      char bound[24];
      std::snprintf(bound, sizeof bound, "%g", heartbeat::Histogram::bounds[i]);
      sample(name + "_bucket", static_cast<double>(sum), "le", bound);
    }
    sample(name + "_bucket", static_cast<double>(histogram.total()), "le", "+Inf");
    sample(name + "_sum", histogram.sum);
    sample(name + "_count", static_cast<double>(histogram.total()));
  }
  std::string text() && { return std::move(out_); }

 private:
  std::string out_;
};

/// What is in the database: few rows, found by index.
struct Stored {
  std::vector<CountByStatus> runs, wakes;
  std::optional<Timestamp> oldest;
  std::int64_t newest_event = 0, bytes = 0;
};

Stored read_stored(store::Database& database) {
  const bool sqlite = database.engine() == store::Engine::sqlite;
  return database.read([&](store::Reader& reader) {
    Stored stored;
    stored.runs = reader.all<CountByStatus>("select status, count(*) as count from heartbeat_runs where status in ('queued', 'scheduled_retry', 'running') group by status");
    stored.wakes = reader.all<CountByStatus>(
        "select status, count(*) as count from agent_wakeup_requests where status in ('queued', 'claimed', 'deferred_issue_execution') group by status");
    stored.oldest = reader.value<Timestamp>("select created_at from heartbeat_runs where status = 'queued' order by created_at limit 1");
    stored.newest_event = store::last_event(reader);
    stored.bytes = reader
                       .value<std::int64_t>(sqlite ? "select (select page_count from pragma_page_count()) * (select page_size from pragma_page_size())"
                                                   : "select pg_database_size(current_database())")
                       .value_or(0);
    return stored;
  });
}

double resident_bytes() {
  long pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return static_cast<double>(resident) * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

void write_counts(MetricsText& out, std::string_view name, std::string_view help, std::initializer_list<std::string_view> statuses, const std::vector<CountByStatus>& counts) {
  out.family(name, "gauge", help);
  for (const auto status : statuses) {
    std::int64_t count = 0;
    for (const auto& found : counts)
      if (found.status == status) count = found.count;
    out.sample(name, static_cast<double>(count), "status", status);
  }
}

Result<Answer> metrics(Call& call) {
  store::Database& database = call.services.database;
  const Stored stored = read_stored(database);
  MetricsText out;
  write_counts(out, "paperclip_runs", "Runs that are not over, by status.", {"queued", "scheduled_retry", "running"}, stored.runs);
  write_counts(out, "paperclip_wakeups", "Accepted wakes that are not answered yet, by status.", {"queued", "claimed", "deferred_issue_execution"}, stored.wakes);
  out.single("paperclip_queue_oldest_seconds", "gauge", "How long the oldest queued run has waited.",
             stored.oldest ? std::max(std::chrono::duration<double>(call.services.clock.now() - *stored.oldest).count(), 0.0) : 0);
  if (const auto* engine = call.services.engine) {
    const auto figures = engine->figures();
    out.family("paperclip_runs_ended_total", "counter", "Runs that this server accounted for, by outcome.");
    for (const auto status : {domain::RunStatus::succeeded, domain::RunStatus::failed, domain::RunStatus::cancelled, domain::RunStatus::timed_out}) {
      const auto found = figures.ended.find(status);
      out.sample("paperclip_runs_ended_total", found == figures.ended.end() ? 0 : static_cast<double>(found->second), "status", to_text(status));
    }
    out.single("paperclip_live_runs", "gauge", "Runs that hold a slot of this machine.", figures.live);
    out.single("paperclip_live_runs_limit", "gauge", "Slots of this machine.", figures.live_limit);
    out.histogram("paperclip_claim_latency_seconds", "From the queue to the claim.", figures.claim_latency);
    out.single("paperclip_run_log_bytes_total", "counter", "Bytes written to run logs.", static_cast<double>(figures.log_bytes));
    out.single("paperclip_engine_jobs", "gauge", "Jobs of the engine that wait or run.", static_cast<double>(figures.jobs));
    out.single("paperclip_event_lag", "gauge", "Committed events that have not reached the engine.", static_cast<double>(std::max<std::int64_t>(stored.newest_event - figures.heard_event, 0)));
  }
  const auto statistics = database.statistics();
  out.single("paperclip_events_total", "counter", "Sequence number of the newest event.", static_cast<double>(stored.newest_event));
  out.single("paperclip_events_delivered_total", "counter", "Events delivered inside this server.", static_cast<double>(statistics.events_delivered));
  out.single("paperclip_database_up", "gauge", "Whether the database answered lately.", call.services.database_answers() ? 1 : 0);
  out.single("paperclip_database_bytes", "gauge", "Size of the database.", static_cast<double>(stored.bytes));
  out.single("paperclip_database_rules_total", "counter", "Rules run to an answer.", static_cast<double>(statistics.rules));
  out.single("paperclip_database_commits_total", "counter", "Commits; several rules may share one.", static_cast<double>(statistics.commits));
  out.single("paperclip_database_retries_total", "counter", "Rules run again after a serialisation failure.", static_cast<double>(statistics.retries));
  out.single("process_resident_memory_bytes", "gauge", "Resident memory of the server.", resident_bytes());
  Answer answer;
  answer.body = std::move(out).text();
  answer.content_type = "text/plain; version=0.0.4; charset=utf-8";
  return answer;
}

}  // namespace

void add_metrics_routes(Routes& routes) { routes.get("/metrics", metrics).callers(instance_admin); }

}  // namespace paperclip::api
