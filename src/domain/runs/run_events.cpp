#include "domain/runs/run_events.h"

#include "base/text.h"
#include "base/write_json.h"
#include "domain/redaction/redaction.h"

namespace paperclip::domain {

namespace {

constexpr std::size_t longest_string = 16384;
constexpr std::size_t longest_array = 50;
constexpr std::size_t widest_object = 100;
constexpr int deepest = 6;

json::value bounded_at(const json::value& value, int depth) {
  if (value.is_string()) {
    const std::string_view text = value.get_string();
    const std::size_t length = text.size() <= longest_string ? 0 : utf16_length(text);
    if (length <= longest_string) return value;
    std::string cut(utf16_prefix(text, longest_string));
    cut += "\n[truncated " + std::to_string(length - longest_string) + " chars]";
    return json::value(cut);
  }
  if (value.is_array()) {
    const auto& items = value.get_array();
    if (depth >= deepest) return json::value("[truncated array]");
    json::array out;
    for (std::size_t i = 0; i < items.size() && i < longest_array; ++i) out.push_back(bounded_at(items[i], depth + 1));
    if (items.size() > longest_array)
      out.push_back(json::object{{"_truncated", true}, {"omittedItems", items.size() - longest_array}});
    return out;
  }
  if (value.is_object()) {
    const auto& members = value.get_object();
    if (depth >= deepest) return json::value("[truncated object]");
    json::object out;
    std::size_t kept = 0;
    for (const auto& item : members) {
      if (kept++ == widest_object) break;
      out[item.key()] = bounded_at(item.value(), depth + 1);
    }
    if (members.size() > widest_object) {
      out["_truncated"] = true;
      out["_omittedKeys"] = members.size() - widest_object;
    }
    return out;
  }
  return value;
}

// What an engine could not store: neither holds U+0000.
std::string without_nul(std::string text) {
  return text.find('\0') == std::string::npos ? text : replace_all(std::move(text), std::string_view("\0", 1), "\xEF\xBF\xBD");
}

struct StatusRow {
  CompanyId company_id;
  AgentId agent_id;
  RunStatus status;
  std::string invocation_source;
  std::optional<std::string> trigger_detail, error, error_code;
  std::optional<Timestamp> started_at, finished_at;
  std::optional<IssueId> context_issue_id;
};
BOOST_DESCRIBE_STRUCT(StatusRow, (),
                      (company_id, agent_id, status, invocation_source, trigger_detail, error, error_code, started_at,
                       finished_at, context_issue_id))

void emit(store::Transaction& tx, CompanyId company, std::string type, std::string payload) {
  store::Event event;
  event.company_id = company;
  event.type = std::move(type);
  event.payload = RawJson(std::move(payload));
  tx.emit(std::move(event));
}

}  // namespace

json::value bounded(const json::value& payload) { return bounded_at(payload, 0); }

void append_run_event(store::Transaction& tx, const RunIdentity& run, RunEventEntry entry) {
  const int seq = tx.value<int>("select max(seq) from heartbeat_run_events where run_id = :1", run.id).value_or(0) + 1;
  RawJson payload;
  if (!entry.payload.is_null()) payload = RawJson(redact(bounded(entry.payload)));
  const std::string message = without_nul(std::move(entry.message));
  tx.execute("insert into heartbeat_run_events (company_id, run_id, agent_id, seq, event_type, stream, level, message, payload, created_at) "
             "values (:1, :2, :3, :4, :5, 'system', :6, :7, :8, :9)",
             run.company_id, run.id, run.agent_id, seq, entry.event_type, entry.level, message, payload, tx.now());
  std::string frame;
  JsonObjectWriter(frame)
      .field("runId", run.id)
      .field("agentId", run.agent_id)
      .field("seq", seq)
      .field("eventType", entry.event_type)
      .field("stream", "system")
      .field("level", entry.level)
      .field("color", nullptr)
      .field("message", message)
      .field("payload", payload)
      .end();
  emit(tx, run.company_id, "heartbeat.run.event", std::move(frame));
}

void emit_run_status(store::Transaction& tx, RunId run) {
  const auto row = tx.one<StatusRow>("select {} from heartbeat_runs where id = :1", run);
  if (!row) return;
  std::string frame;
  JsonObjectWriter(frame)
      .field("runId", run)
      .field("agentId", row->agent_id)
      .field("status", row->status)
      .field("invocationSource", row->invocation_source)
      .field("triggerDetail", row->trigger_detail)
      .field("error", row->error)
      .field("errorCode", row->error_code)
      .field("startedAt", row->started_at)
      .field("finishedAt", row->finished_at)
      .end();
  emit(tx, row->company_id, "heartbeat.run.status", std::move(frame));
}

void emit_run_queued(store::Transaction& tx, const HeartbeatRun& run) {
  std::string frame;
  JsonObjectWriter(frame)
      .field("runId", run.id)
      .field("agentId", run.agent_id)
      .field("invocationSource", run.invocation_source)
      .field("triggerDetail", run.trigger_detail)
      .field("wakeupRequestId", run.wakeup_request_id)
      .end();
  emit(tx, run.company_id, "heartbeat.run.queued", std::move(frame));
}

void emit_agent_status(store::Transaction& tx, CompanyId company, AgentId agent, std::string_view status,
                       std::string_view outcome, std::optional<Timestamp> last_heartbeat_at) {
  std::string frame;
  JsonObjectWriter writer(frame);
  writer.field("agentId", agent).field("status", status);
  if (last_heartbeat_at) writer.field("lastHeartbeatAt", *last_heartbeat_at);
  writer.field("outcome", outcome).end();
  emit(tx, company, "agent.status", std::move(frame));
}

}  // namespace paperclip::domain
