#include <charconv>

#include "api/all_routes.h"
#include "api/run_kind.h"
#include "api/services.h"
#include "domain/activity/activity.h"
#include "domain/runs/cancel.h"
#include "domain/runs/run_views.h"
#include "domain/runs/watchdog.h"
#include "heartbeat/engine.h"
#include "heartbeat/run_log.h"
#include "store/database.h"

/// Runs: lists, details, events, logs, cancelling (spec/execution.md 26.2).
namespace paperclip::api {

namespace {

struct LogPointer {
  std::optional<std::string> log_store, log_ref;
};
BOOST_DESCRIBE_STRUCT(LogPointer, (), (log_store, log_ref))

// A whole number as JavaScript would read it; nullopt for anything else.
std::optional<std::int64_t> whole_number(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size()) return std::nullopt;
  return value;
}

// 0 and what is no number count as not given.
std::int64_t count_between(const Call& call, std::string_view name, std::int64_t otherwise, std::int64_t least, std::int64_t most) {
  const auto value = whole_number(call.query.text(name));
  if (!value || *value == 0) return otherwise;
  return std::clamp(*value, least, most);
}

Result<Answer> list_runs(Call& call) {
  std::optional<AgentId> agent;
  if (const auto text = call.query.text("agentId")) {
    agent = AgentId::parse(*text);
    if (!agent) return ok_json("[]");
  }
  std::optional<std::int64_t> limit;
  if (call.query.find("limit")) limit = count_between(call, "limit", 200, 1, 1000);
  return ok_json(call.services.database.read([&](store::Reader& reader) {
    std::string body;
    domain::append_run_list(body, reader, call.company_id(), agent, limit);
    return body;
  }));
}

Result<Answer> list_live_runs(Call& call) {
  const auto at_least = count_between(call, "minCount", 0, 0, 50);
  const auto limit = count_between(call, "limit", 50, 1, 50);
  return ok_json(call.services.database.read([&](store::Reader& reader) {
    std::string body;
    domain::append_live_runs(body, reader, call.company_id(), at_least, limit);
    return body;
  }));
}

Result<Answer> get_run(Call& call) {
  return call.services.database.read([&](store::Reader& reader) -> Result<Answer> {
    std::string body;
    if (!domain::append_run_detail(body, reader, call.entity<RunId>())) return not_found("Heartbeat run not found");
    return ok_json(std::move(body));
  });
}

Result<Answer> cancel_run(Call& call) {
  const auto id = call.entity<RunId>();
  TRY(call.services.database.write([&](store::Transaction& tx) -> Result<> {
    const auto run = TRY(domain::cancel_run(tx, call.scope(), id));
    domain::log_activity(tx, call.company_id(), call.scope().author(),
                         {"heartbeat.cancelled", "heartbeat_run", id.str(), json::object{{"agentId", run.agent_id.view()}}});
    return {};
  }));
  settle_cancelled(call.services);
  return call.services.database.read([&](store::Reader& reader) -> Result<Answer> {
    const auto run = reader.one<domain::HeartbeatRun>("select {} from heartbeat_runs where id = :1", id);
    if (!run) return not_found("Heartbeat run not found");
    std::string body;
    domain::append_run_row(body, *run);
    return ok_json(std::move(body));
  });
}

Result<Answer> list_events(Call& call) {
  const auto after = std::max<std::int64_t>(0, whole_number(call.query.text("afterSeq")).value_or(0));
  const auto limit = count_between(call, "limit", 200, 1, 1000);
  return ok_json(call.services.database.read([&](store::Reader& reader) {
    std::string body;
    domain::append_run_events(body, reader, call.entity<RunId>(), after, limit);
    return body;
  }));
}

Result<Answer> read_log(Call& call) {
  const auto id = call.entity<RunId>();
  const auto pointer = call.services.database.read(
      [&](store::Reader& reader) { return reader.one<LogPointer>("select {} from heartbeat_runs where id = :1", id); });
  if (!pointer || !pointer->log_ref || call.services.engine == nullptr) return not_found("Run log not found");
  const auto offset = std::max<std::int64_t>(0, whole_number(call.query.text("offset")).value_or(0));
  const auto limit = count_between(call, "limitBytes", 256000, 1, 1048576);
  auto piece = TRY(heartbeat::read_run_log(call.services.engine->run_log_directory(), *pointer->log_ref, static_cast<std::uint64_t>(offset),
                                           static_cast<std::uint64_t>(limit)));
  std::string body;
  JsonObjectWriter writer(body);
  writer.field("runId", id).field("store", pointer->log_store).field("logRef", pointer->log_ref).field("content", piece.content);
  if (piece.next_offset) writer.field("nextOffset", *piece.next_offset);
  writer.end();
  Answer out = ok_json(std::move(body));
  out.headers.emplace_back("Cache-Control", "no-cache, no-store");
  return out;
}

Result<Answer> list_operations(Call& call) {
  return ok_json(call.services.database.read([&](store::Reader& reader) {
    std::string body;
    domain::append_run_operations(body, reader, call.entity<RunId>());
    return body;
  }));
}

// An unknown run has no issues; a foreign one is as unknown.
Result<Answer> list_issues(Call& call) {
  const auto id = RunId::parse(call.param("id"));
  if (!id) return ok_json("[]");
  return call.services.database.read([&](store::Reader& reader) -> Result<Answer> {
    const auto company = reader.value<CompanyId>("select company_id from heartbeat_runs where id = :1", *id);
    if (!company || !domain::authorise_company(call.actor, *company, false)) return ok_json("[]");
    std::string body;
    domain::append_run_issues(body, reader, *id);
    return ok_json(std::move(body));
  });
}

struct DecisionBody {
  std::string decision;
  std::optional<IssueId> evaluation_issue_id;
  std::optional<Text<0, 4000>> reason;
  std::optional<std::string> snoozed_until;
};
BOOST_DESCRIBE_STRUCT(DecisionBody, (), (decision, evaluation_issue_id, reason, snoozed_until))

Result<Answer> decide_on_silence(Call& call, const DecisionBody& body) {
  domain::SilenceDecision decision;
  const auto word = parse_enum<domain::WatchdogDecision>(body.decision);
  if (!word) return bad_request("Unsupported watchdog decision");
  decision.decision = *word;
  decision.evaluation_issue_id = body.evaluation_issue_id;
  if (body.reason) decision.reason = *body.reason;
  if (body.snoozed_until) decision.snoozed_until = parse_iso(*body.snoozed_until);
  return call.services.database.write([&](store::Transaction& tx) -> Result<Answer> {
    return ok(TRY(domain::decide_on_silent_run(tx, call.scope(), call.entity<RunId>(), decision)));
  });
}

Result<std::optional<Located>> locate_run(store::Reader& reader, const Call&, std::string_view reference) {
  const auto id = RunId::parse(reference);
  if (!id) return std::optional<Located>();
  const auto company = reader.value<CompanyId>("select company_id from heartbeat_runs where id = :1", *id);
  if (!company) return std::optional<Located>();
  return std::optional<Located>(Located{*company, id->str()});
}

}  // namespace

void settle_cancelled(Services& services) {
  if (services.engine != nullptr) services.engine->settle(Deadline::in(std::chrono::seconds(1)));
}

const EntityKind run_kind{"Heartbeat run not found", locate_run};

void add_run_routes(Routes& routes) {
  routes.get("/api/companies/{companyId}/heartbeat-runs", list_runs).company();
  routes.get("/api/companies/{companyId}/live-runs", list_live_runs).company();
  routes.get("/api/heartbeat-runs/{id}", get_run).entity(run_kind);
  routes.post("/api/heartbeat-runs/{id}/cancel", cancel_run).entity(run_kind).callers(board, "Board access required");
  routes.get("/api/heartbeat-runs/{id}/events", list_events).entity(run_kind);
  routes.get("/api/heartbeat-runs/{id}/log", read_log).entity(run_kind);
  routes.get("/api/heartbeat-runs/{id}/workspace-operations", list_operations).entity(run_kind);
  routes.get("/api/heartbeat-runs/{id}/issues", list_issues);
  routes.post("/api/heartbeat-runs/{id}/watchdog-decisions", decide_on_silence).entity(run_kind);
}

}  // namespace paperclip::api
