#include "domain/runs/sessions.h"

#include "base/text.h"
#include "domain/wakeups/wake_context.h"

namespace paperclip::domain {

namespace {

constexpr std::size_t longest_display_id = 128;

std::optional<std::string> display_id_of(std::optional<std::string> id) {
  if (!id || trim(*id).empty()) return std::nullopt;
  return std::string(utf16_prefix(trim(*id), longest_display_id));
}

std::optional<json::object> object_of(const RawJson& raw) {
  auto value = raw.parse();
  if (!value.is_object()) return std::nullopt;
  return std::move(value.get_object());
}

std::optional<json::object> object_of(const std::optional<RawJson>& raw) { return raw ? object_of(*raw) : std::nullopt; }

std::optional<std::string> id_in(const std::optional<json::object>& params) {
  return params ? context_text(*params, "sessionId") : std::nullopt;
}

std::optional<std::string> legacy_session(store::Reader& reader, AgentId agent) {
  return reader.value<std::string>("select session_id from agent_runtime_state where agent_id = :1", agent);
}

struct EarlierRun {
  AgentId agent_id;
  std::optional<std::string> session_id_before, session_id_after;
  RawJson context_snapshot;
};
BOOST_DESCRIBE_STRUCT(EarlierRun, (), (agent_id, session_id_before, session_id_after, context_snapshot))

struct SessionRun {
  Timestamp created_at;
  RawJson usage_json;
};
BOOST_DESCRIBE_STRUCT(SessionRun, (), (created_at, usage_json))

std::string reset_reason(const json::object& context) {
  if (context_flag(context, "forceFreshSession")) return "a fresh session was asked for";
  const auto reason = context_text(context, "wakeReason");
  for (std::string_view fresh : {"issue_assigned", "execution_review_requested", "execution_approval_requested", "execution_changes_requested"})
    if (reason == fresh) return "wake reason is " + *reason;
  return {};
}

std::string rotation_reason(store::Reader& reader, AgentId agent, const std::string& session, const SessionCompaction& policy) {
  if (!policy.enabled || (policy.max_runs == 0 && policy.max_raw_input_tokens == 0 && policy.max_age_hours == 0)) return {};
  std::int64_t count = 0;
  double latest_tokens = 0;
  Timestamp latest{}, oldest{};
  reader.each<SessionRun>(
      "select {} from heartbeat_runs where agent_id = :1 and session_id_after = :2 order by created_at desc",
      [&](const SessionRun& run) {
        if (count++ == 0) {
          latest = run.created_at;
          const auto usage = run.usage_json.parse();
          if (const auto* tokens = member(usage, "rawInputTokens"); tokens != nullptr && tokens->is_number())
            latest_tokens = tokens->to_number<double>();
        }
        oldest = run.created_at;
      },
      agent, session);
  if (policy.max_runs > 0 && count > policy.max_runs)
    return "session exceeded " + std::to_string(policy.max_runs) + " runs";
  if (policy.max_raw_input_tokens > 0 && latest_tokens >= static_cast<double>(policy.max_raw_input_tokens))
    return "session raw input reached " + std::to_string(static_cast<std::int64_t>(latest_tokens)) + " tokens";
  const double hours = static_cast<double>((latest - oldest).count()) / 3'600'000.0;
  if (policy.max_age_hours > 0 && count > 0 && hours >= policy.max_age_hours)
    return "session age reached " + std::to_string(static_cast<std::int64_t>(hours)) + " hours";
  return {};
}

}  // namespace

std::optional<AgentTaskSession> find_task_session(store::Reader& reader, const WakeAgent& agent, const std::string& task_key) {
  return reader.one<AgentTaskSession>(
      "select {} from agent_task_sessions where company_id = :1 and agent_id = :2 and adapter_type = :3 and task_key = :4",
      agent.company_id, agent.id, agent.adapter_type, task_key);
}

std::optional<std::string> session_before(store::Reader& reader, const WakeAgent& agent, const json::object& context,
                                          const std::optional<std::string>& task_key) {
  if (auto wanted = context_text(context, "resumeSessionDisplayId")) return display_id_of(wanted);
  if (!task_key) return display_id_of(legacy_session(reader, agent.id));
  const auto session = find_task_session(reader, agent, *task_key);
  if (!session) return std::nullopt;
  return display_id_of(session->session_display_id ? session->session_display_id : id_in(object_of(session->session_params_json)));
}

std::optional<ResumedRun> session_to_resume(store::Reader& reader, const WakeAgent& agent, RunId id) {
  const auto run = reader.one<EarlierRun>("select {} from heartbeat_runs where id = :1 and company_id = :2", id, agent.company_id);
  if (!run || run->agent_id != agent.id) return std::nullopt;
  ResumedRun resumed;
  resumed.context = object_of(run->context_snapshot).value_or(json::object());
  resumed.display_id = run->session_id_after ? run->session_id_after : run->session_id_before;
  if (const auto key = derive_task_key(resumed.context))
    if (const auto session = find_task_session(reader, agent, *key))
      if (session->last_run_id == id || (resumed.display_id && session->session_display_id == resumed.display_id))
        resumed.params = object_of(session->session_params_json);
  if (!resumed.params && resumed.display_id) resumed.params = json::object{{"sessionId", *resumed.display_id}};
  return resumed;
}

SessionChoice choose_session(store::Reader& reader, const WakeAgent& agent, const json::object& context, const json::value& runtime_config) {
  SessionChoice choice;
  choice.task_key = derive_task_key(context);
  if (!choice.task_key && context_text(context, "wakeSource") == "timer") choice.task_key = "__heartbeat__";
  const auto* given = context.if_contains("resumeSessionParams");
  const auto wanted = context_text(context, "resumeSessionDisplayId");
  if (given != nullptr && given->is_object()) {
    choice.params = given->get_object();
    choice.display_id = wanted ? wanted : id_in(choice.params);
  } else if (wanted) {
    choice.params = json::object{{"sessionId", *wanted}};
    choice.display_id = wanted;
  } else {
    choice.reset_reason = reset_reason(context);
    if (choice.reset_reason.empty()) {
      if (choice.task_key) {
        if (const auto session = find_task_session(reader, agent, *choice.task_key)) {
          choice.params = object_of(session->session_params_json);
          choice.display_id = session->session_display_id ? session->session_display_id : id_in(choice.params);
          choice.from_task_session = choice.params || choice.display_id;
        }
      } else {
        choice.session_id = legacy_session(reader, agent.id);
        choice.display_id = choice.session_id;
      }
    }
  }
  choice.display_id = display_id_of(choice.display_id);
  if (!choice.session_id) choice.session_id = id_in(choice.params) ? id_in(choice.params) : choice.display_id;
  if (choice.display_id) {
    choice.rotation_reason = rotation_reason(reader, agent.id, *choice.display_id, session_compaction(agent.adapter_type, runtime_config));
    if (!choice.rotation_reason.empty()) {
      choice.previous_session_id = choice.display_id;
      choice.session_id.reset();
      choice.display_id.reset();
      choice.params.reset();
      choice.from_task_session = false;
    }
  }
  return choice;
}

SessionAfter session_after(const SessionChoice& before, const SessionReport& report) {
  SessionAfter after;
  if (report.clear) return after;
  const bool nothing_said = !report.params.present() && !report.session_id.present() && !report.display_id.present();
  if (nothing_said) {
    after = {before.session_id, before.display_id, before.params};
    return after;
  }
  if (report.params.present())
    after.params = report.params.optional();
  else if (report.session_id.has_value())
    after.params = json::object{{"sessionId", *report.session_id}};
  after.session_id = report.session_id.optional();
  after.display_id = report.display_id.optional();
  if (!after.display_id) after.display_id = id_in(after.params);
  if (!after.display_id) after.display_id = after.session_id;
  after.display_id = display_id_of(after.display_id);
  if (!after.session_id) after.session_id = id_in(after.params) ? id_in(after.params) : after.display_id;
  return after;
}

void store_session(store::Transaction& tx, const WakeAgent& agent, RunId run, const std::optional<std::string>& task_key,
                   const SessionAfter& after, const std::optional<std::string>& error) {
  if (!task_key) return;
  if (!after.params && !after.display_id) {
    tx.execute("delete from agent_task_sessions where company_id = :1 and agent_id = :2 and adapter_type = :3 and task_key = :4",
               agent.company_id, agent.id, agent.adapter_type, *task_key);
    return;
  }
  AgentTaskSession session;
  session.id = tx.new_id<TaskSessionId>();
  session.company_id = agent.company_id;
  session.agent_id = agent.id;
  session.adapter_type = agent.adapter_type;
  session.task_key = *task_key;
  if (after.params) session.session_params_json = RawJson(json::value(*after.params));
  session.session_display_id = after.display_id;
  session.last_run_id = run;
  session.last_error = error;
  session.created_at = session.updated_at = tx.now();
  tx.upsert(table_of<AgentTaskSession>, session, {"company_id", "agent_id", "adapter_type", "task_key"});
}

}  // namespace paperclip::domain
