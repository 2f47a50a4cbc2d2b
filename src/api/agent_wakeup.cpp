#include "api/agent_kind.h"
#include "api/all_routes.h"
#include "api/services.h"
#include "domain/access/permissions.h"
#include "domain/activity/activity.h"
#include "domain/runs/run_views.h"
#include "domain/wakeups/wake.h"
#include "domain/wakeups/wakeup_request.h"
#include "store/database.h"

/// Waking an agent by hand (spec/execution.md 26.1).
namespace paperclip::api {

namespace {

struct WakeupBody {
  Default<domain::InvocationSource> source{domain::InvocationSource::on_demand};
  Default<domain::TriggerDetail> trigger_detail{domain::TriggerDetail::manual};
  std::optional<std::string> reason;
  std::optional<JsonObject> payload;
  std::optional<std::string> idempotency_key;
  std::optional<bool> force_fresh_session;
};
BOOST_DESCRIBE_STRUCT(WakeupBody, (), (source, trigger_detail, reason, payload, idempotency_key, force_fresh_session))

struct Executor {
  std::optional<RunId> execution_run_id;
  std::optional<std::string> status;
  std::optional<AgentId> agent_id;
  std::optional<std::string> agent_name;
};
BOOST_DESCRIBE_STRUCT(Executor, (), (execution_run_id, status, agent_id, agent_name))

// What a caller hears who gets no run: who has the issue, if that is why.
std::string skip_answer(store::Reader& reader, CompanyId company, const std::optional<json::object>& payload) {
  std::optional<std::string> issue;
  if (payload) issue = text_at(json::value(*payload), "issueId");
  std::optional<Executor> executor;
  if (issue)
    if (const auto id = IssueId::parse(*issue))
      executor = reader.one<Executor>("select i.execution_run_id, r.status, r.agent_id, a.name from issues i left join heartbeat_runs r on r.id = i.execution_run_id "
                                      "left join agents a on a.id = r.agent_id where i.id = :1 and i.company_id = :2",
                                      *id, company);
  const bool executing = executor && (executor->status == "queued" || executor->status == "running");
  std::string body;
  JsonObjectWriter(body)
      .field("status", "skipped")
      .field("reason", executing ? "issue_execution_deferred" : "wakeup_skipped")
      .field("message", executing ? "Wakeup was deferred because this issue is already being executed by " + executor->agent_name.value_or("another agent") + "."
                                  : std::string("Wakeup was skipped."))
      .field("issueId", issue)
      .field("executionRunId", executor ? executor->execution_run_id : std::nullopt)
      .field("executionAgentId", executing ? executor->agent_id : std::nullopt)
      .field("executionAgentName", executing ? executor->agent_name : std::nullopt)
      .end();
  return body;
}

Result<> may_wake(Call& call) {
  if (call.actor.is_agent()) {
    if (call.actor.agent_id != call.entity<AgentId>()) return forbidden("Agent can only invoke itself");
    return {};
  }
  return call.services.database.read([&](store::Reader& reader) { return domain::require_manage_agents(reader, call.scope()); });
}

json::object caller_context(const Call& call) {
  return {{"triggeredBy", call.actor.is_agent() ? "agent" : "board"}, {"actorId", call.scope().author().id}};
}

struct Woken {
  std::string body;
  std::optional<Error> refusal;
};

Result<Answer> wake(Call& call, const domain::WakeRequest& request, bool explain_skip) {
  const AgentId agent = call.entity<AgentId>();
  auto woken = TRY(call.services.database.write([&](store::Transaction& tx) -> Result<Woken> {
    auto attempt = domain::attempt_wakeup(tx, agent, request);
    // The recorded refusal is committed; the caller hears it afterwards.
    if (attempt.refusal) return Woken{{}, std::move(attempt.refusal)};
    if (!attempt.outcome.run_id)
      return Woken{explain_skip ? skip_answer(tx, call.company_id(), request.payload) : std::string(R"({"status":"skipped"})"), std::nullopt};
    const RunId run = *attempt.outcome.run_id;
    domain::log_activity(tx, call.company_id(), call.scope().author(),
                         {"heartbeat.invoked", "heartbeat_run", run.str(), json::object{{"agentId", agent.view()}}});
    Woken answered;
    domain::append_run_row(answered.body, *tx.one<domain::HeartbeatRun>("select {} from heartbeat_runs where id = :1", run));
    return answered;
  }));
  if (woken.refusal) return *std::move(woken.refusal);
  return ok_json(std::move(woken.body), 202);
}

Result<Answer> wake_agent(Call& call, const WakeupBody& body) {
  TRY(may_wake(call));
  domain::WakeRequest request;
  request.source = to_text(*body.source);
  request.trigger_detail = to_text(*body.trigger_detail);
  request.reason = body.reason;
  if (body.payload) request.payload = body.payload->value;
  request.idempotency_key = body.idempotency_key;
  request.requested_by = call.scope().author();
  request.context = caller_context(call);
  request.context["forceFreshSession"] = body.force_fresh_session.value_or(false);
  return wake(call, request, true);
}

Result<Answer> invoke_agent(Call& call) {
  TRY(may_wake(call));
  domain::WakeRequest request;
  request.trigger_detail = "manual";
  request.requested_by = call.scope().author();
  request.context = caller_context(call);
  return wake(call, request, false);
}

}  // namespace

void add_agent_wakeup_routes(Routes& routes) {
  routes.post("/api/agents/{id}/wakeup", wake_agent).entity(agent_kind);
  routes.post("/api/agents/{id}/heartbeat/invoke", invoke_agent).entity(agent_kind);
}

}  // namespace paperclip::api
