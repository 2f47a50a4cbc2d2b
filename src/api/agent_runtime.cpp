#include "api/agent_kind.h"
#include "api/all_routes.h"
#include "api/services.h"
#include "domain/access/permissions.h"
#include "domain/activity/activity.h"
#include "domain/agents/agents.h"
#include "domain/redaction/redaction.h"
#include "domain/runs/agent_state.h"
#include "domain/runs/usage.h"
#include "domain/wakeups/heartbeat_policy.h"
#include "store/database.h"

/// What agents remember between runs, and the list of their timers (spec/execution.md 26.3).
namespace paperclip::api {

namespace {

using domain::AgentRuntimeState;
using domain::AgentTaskSession;

RawJson redacted(const std::optional<RawJson>& params) { return params ? RawJson(domain::redact(params->parse())) : RawJson(); }

Result<> may_manage(Call& call) {
  return call.services.database.read([&](store::Reader& reader) { return domain::require_manage_agents(reader, call.scope()); });
}

// Made at the first look (spec/execution.md 27.1).
AgentRuntimeState state_of(store::Transaction& tx, const domain::Agent& agent) {
  domain::ensure_runtime_state(tx, agent.id, agent.company_id, agent.adapter_type);
  return *tx.one<AgentRuntimeState>("select {} from agent_runtime_state where agent_id = :1", agent.id);
}

Result<Answer> get_state(Call& call) {
  TRY(may_manage(call));
  return call.services.database.write([&](store::Transaction& tx) -> Result<Answer> {
    const auto agent = domain::agent_view(tx, call.entity<AgentId>());
    if (!agent) return not_found("Agent not found");
    const auto state = state_of(tx, *agent);
    const auto latest = tx.one<AgentTaskSession>(
        "select {} from agent_task_sessions where agent_id = :1 and adapter_type = :2 order by updated_at desc, id desc limit 1", agent->id, agent->adapter_type);
    std::string body;
    JsonObjectWriter(body)
        .members(state)
        .field("sessionDisplayId", latest ? latest->session_display_id : state.session_id)
        .field("sessionParamsJson", latest ? redacted(latest->session_params_json) : RawJson())
        .end();
    return ok_json(std::move(body));
  });
}

Result<Answer> list_sessions(Call& call) {
  TRY(may_manage(call));
  return ok_json(call.services.database.read([&](store::Reader& reader) {
    std::string body = "[";
    reader.each<AgentTaskSession>(
        "select {} from agent_task_sessions where agent_id = :1 order by updated_at desc, id desc limit 1000",
        [&](AgentTaskSession session) {
          if (body.size() > 1) body += ',';
          session.session_params_json = redacted(session.session_params_json);
          append_json(body, session);
        },
        call.entity<AgentId>());
    return body + "]";
  }));
}

struct ResetBody {
  std::optional<std::string> task_key;
};
BOOST_DESCRIBE_STRUCT(ResetBody, (), (task_key))

Result<Answer> reset_session(Call& call, const ResetBody& body) {
  TRY(may_manage(call));
  std::optional<std::string> task_key;
  if (body.task_key && !trim(*body.task_key).empty()) task_key = std::string(trim(*body.task_key));
  return call.services.database.write([&](store::Transaction& tx) -> Result<Answer> {
    const auto agent = domain::agent_view(tx, call.entity<AgentId>());
    if (!agent) return not_found("Agent not found");
    state_of(tx, *agent);
    const auto cleared = task_key ? tx.execute("delete from agent_task_sessions where agent_id = :1 and adapter_type = :2 and task_key = :3", agent->id, agent->adapter_type, *task_key)
                                  : tx.execute("delete from agent_task_sessions where agent_id = :1", agent->id);
    tx.execute("update agent_runtime_state set session_id = null, last_error = null, updated_at = :1 where agent_id = :2", tx.now(), agent->id);
    if (!task_key) tx.execute("update agent_runtime_state set state_json = :1 where agent_id = :2", RawJson("{}"), agent->id);
    domain::log_activity(tx, call.company_id(), call.scope().author(),
                         {"agent.runtime_session_reset", "agent", agent->id.str(), json::object{{"taskKey", task_key ? json::value(*task_key) : json::value()}}});
    std::string out;
    JsonObjectWriter(out)
        .members(state_of(tx, *agent))
        .field("sessionDisplayId", nullptr)
        .field("sessionParamsJson", nullptr)
        .field("clearedTaskSessions", cleared)
        .end();
    return ok_json(std::move(out));
  });
}

struct TimerRow {
  AgentId id;
  CompanyId company_id;
  std::string company_name, company_issue_prefix, agent_name, role;
  std::optional<std::string> title;
  std::string status, adapter_type;
  RawJson runtime_config;
  std::optional<Timestamp> last_heartbeat_at;
};
BOOST_DESCRIBE_STRUCT(TimerRow, (),
                      (id, company_id, company_name, company_issue_prefix, agent_name, role, title, status, adapter_type, runtime_config, last_heartbeat_at))

Result<Answer> list_timers(Call& call) {
  return ok_json(call.services.database.read([&](store::Reader& reader) {
    std::vector<std::pair<bool, std::string>> rows;
    reader.each<TimerRow>(
        "select a.id, a.company_id, c.name, c.issue_prefix, a.name, a.role, a.title, a.status, a.adapter_type, a.runtime_config, a.last_heartbeat_at "
        "from agents a join companies c on c.id = a.company_id where a.status not in ('paused', 'terminated', 'pending_approval') "
        "and c.status <> 'archived' order by c.name, a.name, a.id",
        [&](const TimerRow& row) {
          const auto config = row.runtime_config.parse();
          const auto policy = domain::heartbeat_policy(config);
          const bool enabled = domain::heartbeat_enabled_leniently(config);
          const bool active = enabled && policy.interval.count() > 0;
          std::string text;
          JsonObjectWriter(text)
              .field("id", row.id)
              .field("companyId", row.company_id)
              .field("companyName", row.company_name)
              .field("companyIssuePrefix", row.company_issue_prefix)
              .field("agentName", row.agent_name)
              .field("agentUrlKey", domain::url_key(row.agent_name, row.id.view()))
              .field("role", row.role)
              .field("title", row.title)
              .field("status", row.status)
              .field("adapterType", row.adapter_type)
              .field("intervalSec", policy.interval.count())
              .field("heartbeatEnabled", enabled)
              .field("schedulerActive", active)
              .field("lastHeartbeatAt", row.last_heartbeat_at)
              .end();
          rows.emplace_back(active, std::move(text));
        });
    std::string body = "[";
    for (const bool active : {true, false})
      for (const auto& [is_active, text] : rows)
        if (is_active == active) (body += body.size() > 1 ? "," : "") += text;
    return body + "]";
  }));
}

}  // namespace

void add_agent_runtime_routes(Routes& routes) {
  routes.get("/api/agents/{id}/runtime-state", get_state).entity(agent_kind).callers(board);
  routes.get("/api/agents/{id}/task-sessions", list_sessions).entity(agent_kind).callers(board);
  routes.post("/api/agents/{id}/runtime-state/reset-session", reset_session).entity(agent_kind).callers(board);
  routes.get("/api/instance/scheduler-heartbeats", list_timers).callers(instance_admin);
}

}  // namespace paperclip::api
