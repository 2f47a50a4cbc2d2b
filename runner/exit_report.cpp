#include "runner/exit_report.h"

#include "runner/frames.h"
#include "runner/json.h"

namespace paperclip::runner {

std::string to_json(const ExitReport& report) {
  JsonObject json;
  json.number("version", protocol_version).text_or_null("runId", report.run_id).text_or_null("bootId", boot_id());
  if (report.exit_code < 0) {
    json.null("exitCode");
  } else {
    json.number("exitCode", report.exit_code);
  }
  json.text_or_null("signal", report.signal ? signal_name(report.signal) : std::string());
  json.boolean("timedOut", report.timed_out).boolean("cancelled", report.cancelled);
  json.text_or_null("lostReason", report.lost_reason).text_or_null("lostDetail", report.lost_detail);
  json.text_or_null("startError", report.start_error);
  json.text("boundary", report.boundary).number("processesLeft", report.processes_left);
  json.number("outputBytes", report.output_bytes).number("droppedBytes", report.dropped_bytes);
  json.number("startedMs", report.started_ms).number("endedMs", report.ended_ms);
  json.number("userMs", report.user_ms).number("systemMs", report.system_ms).number("maxRssKib", report.max_rss_kib);
  return std::move(json).done();
}

}  // namespace paperclip::runner
