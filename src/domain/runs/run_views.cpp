#include "domain/runs/run_views.h"

#include <algorithm>
#include <boost/describe/class.hpp>

#include "base/write_json.h"
#include "domain/redaction/redaction.h"
#include "domain/runs/output_silence.h"
#include "domain/runs/run_event.h"
#include "domain/runs/run_projections.h"
#include "domain/workspaces/execution_workspace.h"

namespace paperclip::domain {

namespace {

SilenceFacts silence_of(const HeartbeatRun& run) {
  return {run.id, run.company_id, run.status, run.last_output_at, run.last_output_seq, run.last_output_stream, run.process_started_at, run.started_at, run.created_at};
}

std::optional<std::string> exhausted_reason(store::Reader& reader, RunId run) {
  return reader.value<std::string>("select message from heartbeat_run_events where run_id = :1 and event_type = 'lifecycle' and message like 'Bounded retry exhausted%' "
                                   "order by seq desc limit 1",
                                   run);
}

/// A run in a company's list: all but its comment policy and its texts.
struct ListedRun {
  RunId id;
  CompanyId company_id;
  AgentId agent_id;
  InvocationSource invocation_source{};
  std::optional<TriggerDetail> trigger_detail;
  RunStatus status{};
  std::optional<Timestamp> started_at, finished_at;
  std::optional<std::string> error;
  std::optional<WakeupId> wakeup_request_id;
  std::optional<int> exit_code;
  std::optional<std::string> signal;
  std::optional<RawJson> usage_json;
  std::optional<std::string> session_id_before, session_id_after, log_store, log_ref;
  std::optional<std::int64_t> log_bytes;
  std::optional<std::string> log_sha256;
  bool log_compressed = false;
  std::optional<std::string> error_code, external_run_id;
  std::optional<int> process_pid, process_group_id;
  std::optional<Timestamp> process_started_at, last_output_at;
  int last_output_seq = 0;
  std::optional<OutputStream> last_output_stream;
  std::optional<std::int64_t> last_output_bytes;
  std::optional<RunId> retry_of_run_id;
  int process_loss_retry_count = 0;
  std::optional<Timestamp> scheduled_retry_at;
  int scheduled_retry_attempt = 0;
  std::optional<std::string> scheduled_retry_reason;
  std::optional<RunLivenessState> liveness_state;
  std::optional<std::string> liveness_reason;
  int continuation_attempt = 0;
  std::optional<Timestamp> last_useful_action_at;
  std::optional<std::string> next_action;
  Timestamp created_at, updated_at;
};
BOOST_DESCRIBE_STRUCT(ListedRun, (),
                      (id, company_id, agent_id, invocation_source, trigger_detail, status, started_at, finished_at, error, wakeup_request_id,
                       exit_code, signal, usage_json, session_id_before, session_id_after, log_store, log_ref, log_bytes, log_sha256,
                       log_compressed, error_code, external_run_id, process_pid, process_group_id, process_started_at, last_output_at,
                       last_output_seq, last_output_stream, last_output_bytes, retry_of_run_id, process_loss_retry_count, scheduled_retry_at,
                       scheduled_retry_attempt, scheduled_retry_reason, liveness_state, liveness_reason, continuation_attempt,
                       last_useful_action_at, next_action, created_at, updated_at))

/// The same with the columns that are shown shortened.
struct ListedRunRow : ListedRun {
  std::optional<RawJson> context_snapshot, result_json;
};
BOOST_DESCRIBE_STRUCT(ListedRunRow, (ListedRun), (context_snapshot, result_json))

/// A live run, as boards watch it.
struct LiveRunRow {
  RunId id;
  CompanyId company_id;
  RunStatus status{};
  InvocationSource invocation_source{};
  std::optional<TriggerDetail> trigger_detail;
  RawJson context_snapshot;
  std::optional<Timestamp> started_at, finished_at;
  Timestamp created_at;
  AgentId agent_id;
  std::optional<std::int64_t> log_bytes;
  std::optional<RunLivenessState> liveness_state;
  std::optional<std::string> liveness_reason;
  int continuation_attempt = 0;
  std::optional<Timestamp> last_useful_action_at;
  std::optional<std::string> next_action;
  std::optional<Timestamp> last_output_at;
  int last_output_seq = 0;
  std::optional<OutputStream> last_output_stream;
  std::optional<std::int64_t> last_output_bytes;
  std::optional<Timestamp> process_started_at;
};
BOOST_DESCRIBE_STRUCT(LiveRunRow, (),
                      (id, company_id, status, invocation_source, trigger_detail, context_snapshot, started_at, finished_at, created_at,
                       agent_id, log_bytes, liveness_state, liveness_reason, continuation_attempt, last_useful_action_at, next_action,
                       last_output_at, last_output_seq, last_output_stream, last_output_bytes, process_started_at))

struct AgentNote {
  std::string name, adapter_type;
};
BOOST_DESCRIBE_STRUCT(AgentNote, (), (name, adapter_type))

enum class LiveForm { company, issue, active };

void append_live_run(std::string& out, store::Reader& reader, const LiveRunRow& run, LiveForm form) {
  const auto agent = reader.one<AgentNote>("select {} from agents where id = :1", run.agent_id).value_or(AgentNote{});
  const auto context = run.context_snapshot.parse();
  JsonObjectWriter writer(out);
  writer.field("id", run.id);
  if (form == LiveForm::company) writer.field("companyId", run.company_id);
  writer.field("status", run.status)
      .field("invocationSource", run.invocation_source)
      .field("triggerDetail", run.trigger_detail)
      .field("contextCommentId", text_at(context, "commentId"))
      .field("contextWakeCommentId", text_at(context, "wakeCommentId"))
      .field("startedAt", run.started_at)
      .field("finishedAt", run.finished_at)
      .field("createdAt", run.created_at)
      .field("agentId", run.agent_id)
      .field("agentName", agent.name)
      .field("adapterType", agent.adapter_type)
      .field("logBytes", run.log_bytes)
      .field("livenessState", run.liveness_state)
      .field("livenessReason", run.liveness_reason)
      .field("continuationAttempt", run.continuation_attempt)
      .field("lastUsefulActionAt", run.last_useful_action_at)
      .field("nextAction", run.next_action)
      .field("lastOutputAt", run.last_output_at)
      .field("lastOutputSeq", run.last_output_seq)
      .field("lastOutputStream", run.last_output_stream)
      .field("lastOutputBytes", run.last_output_bytes)
      .field("processStartedAt", run.process_started_at);
  if (form != LiveForm::issue) writer.field("issueId", text_at(context, "issueId"));
  append_output_silence(writer.begin("outputSilence"), reader,
                        {run.id, run.company_id, run.status, run.last_output_at, run.last_output_seq, run.last_output_stream, run.process_started_at, run.started_at, run.created_at});
  writer.end();
}

void append_live_list(std::string& out, store::Reader& reader, const std::vector<LiveRunRow>& runs, LiveForm form) {
  out += '[';
  bool first = true;
  for (const auto& run : runs) {
    if (!first) out += ',';
    first = false;
    append_live_run(out, reader, run, form);
  }
  out += ']';
}

struct LedgerRow {
  RunId run_id;
  RunStatus status{};
  AgentId agent_id;
  std::string adapter_type;
  std::optional<Timestamp> started_at, finished_at;
  Timestamp created_at;
  InvocationSource invocation_source{};
  std::optional<RawJson> usage_json, result_json;
  std::optional<std::int64_t> log_bytes;
  std::optional<RunId> retry_of_run_id;
  std::optional<Timestamp> scheduled_retry_at;
  int scheduled_retry_attempt = 0;
  std::optional<std::string> scheduled_retry_reason;
  std::optional<RunLivenessState> liveness_state;
  std::optional<std::string> liveness_reason;
  int continuation_attempt = 0;
  std::optional<Timestamp> last_useful_action_at;
  std::optional<std::string> next_action;
  std::optional<RawJson> context_snapshot;
};
BOOST_DESCRIBE_STRUCT(LedgerRow, (),
                      (run_id, status, agent_id, adapter_type, started_at, finished_at, created_at, invocation_source, usage_json, result_json,
                       log_bytes, retry_of_run_id, scheduled_retry_at, scheduled_retry_attempt, scheduled_retry_reason, liveness_state,
                       liveness_reason, continuation_attempt, last_useful_action_at, next_action, context_snapshot))

struct LeaseNote {
  LeaseId id;
  std::string status, lease_policy;
  std::optional<std::string> provider, provider_lease_id;
  std::optional<ExecutionWorkspaceId> execution_workspace_id;
  std::optional<std::string> failure_reason, cleanup_status;
  Timestamp acquired_at;
  std::optional<Timestamp> released_at;
  std::optional<RawJson> metadata;
  EnvironmentId environment_id;
  std::string environment_name, environment_driver;
};
BOOST_DESCRIBE_STRUCT(LeaseNote, (),
                      (id, status, lease_policy, provider, provider_lease_id, execution_workspace_id, failure_reason, cleanup_status,
                       acquired_at, released_at, metadata, environment_id, environment_name, environment_driver))

void append_lease(JsonObjectWriter& writer, store::Reader& reader, RunId run) {
  const auto lease = reader.one<LeaseNote>(
      "select l.id, l.status, l.lease_policy, l.provider, l.provider_lease_id, l.execution_workspace_id, l.failure_reason, l.cleanup_status, "
      "l.acquired_at, l.released_at, l.metadata, e.id, e.name, e.driver from environment_leases l join environments e on e.id = l.environment_id "
      "where l.heartbeat_run_id = :1 order by l.last_used_at desc, l.created_at desc limit 1",
      run);
  if (!lease) {
    writer.field("environment", nullptr).field("environmentLease", nullptr);
    return;
  }
  JsonObjectWriter(writer.begin("environment")).field("id", lease->environment_id).field("name", lease->environment_name).field("driver", lease->environment_driver).end();
  const auto metadata = lease->metadata ? lease->metadata->parse() : json::value();
  auto path = text_at(metadata, "remoteCwd");
  if (!path) path = text_at(metadata, "remoteWorkspacePath");
  JsonObjectWriter(writer.begin("environmentLease"))
      .field("id", lease->id)
      .field("status", lease->status)
      .field("leasePolicy", lease->lease_policy)
      .field("provider", lease->provider)
      .field("providerLeaseId", lease->provider_lease_id)
      .field("executionWorkspaceId", lease->execution_workspace_id)
      .field("workspacePath", path)
      .field("failureReason", lease->failure_reason)
      .field("cleanupStatus", lease->cleanup_status)
      .field("acquiredAt", lease->acquired_at)
      .field("releasedAt", lease->released_at)
      .end();
}

struct RunIssue {
  IssueId issue_id;
  std::optional<std::string> identifier;
  std::string title, status, priority;
};
BOOST_DESCRIBE_STRUCT(RunIssue, (), (issue_id, identifier, title, status, priority))

}  // namespace

void append_run_row(std::string& out, const HeartbeatRun& run) { append_json(out, run); }

bool append_run_detail(std::string& out, store::Reader& reader, RunId id) {
  auto run = reader.one<HeartbeatRun>("select {} from heartbeat_runs where id = :1", id);
  if (!run) return false;
  if (run->result_json) run->result_json = RawJson(shown_result(*run->result_json));
  JsonObjectWriter writer(out);
  writer.members(*run).field("retryExhaustedReason", exhausted_reason(reader, id));
  append_output_silence(writer.begin("outputSilence"), reader, silence_of(*run));
  writer.end();
  return true;
}

void append_run_list(std::string& out, store::Reader& reader, CompanyId company, std::optional<AgentId> agent, std::optional<std::int64_t> limit) {
  out += '[';
  bool first = true;
  const auto row = [&](const ListedRunRow& run) {
    if (!first) out += ',';
    first = false;
    JsonObjectWriter writer(out);
    writer.members(static_cast<const ListedRun&>(run)).field("stdoutExcerpt", nullptr).field("stderrExcerpt", nullptr);
    writer.begin("contextSnapshot") += run.context_snapshot ? listed_context(run.context_snapshot->parse()) : "null";
    writer.begin("resultJson") += run.result_json ? listed_result(run.result_json->parse()) : "null";
    writer.end();
  };
  const std::int64_t most = limit.value_or(INT64_MAX);
  if (agent)
    reader.each<ListedRunRow>("select {} from heartbeat_runs where agent_id = :2 and company_id = :1 order by created_at desc, id desc limit :3", row, company, *agent, most);
  else
    reader.each<ListedRunRow>("select {} from heartbeat_runs where company_id = :1 order by created_at desc, id desc limit :2", row, company, most);
  out += ']';
}

void append_live_runs(std::string& out, store::Reader& reader, CompanyId company, std::int64_t at_least, std::int64_t limit) {
  auto runs = reader.all<LiveRunRow>(
      "select {} from heartbeat_runs where company_id = :1 and status in ('queued', 'running') order by created_at desc, id desc limit :2", company, limit);
  const std::int64_t wanted = std::min(at_least, limit) - static_cast<std::int64_t>(runs.size());
  if (wanted > 0)
    for (auto& run : reader.all<LiveRunRow>(
             "select {} from heartbeat_runs where company_id = :1 and status not in ('queued', 'running') order by created_at desc, id desc limit :2", company, wanted))
      runs.push_back(std::move(run));
  append_live_list(out, reader, runs, LiveForm::company);
}

void append_issue_live_runs(std::string& out, store::Reader& reader, CompanyId company, IssueId issue) {
  append_live_list(out, reader,
                   reader.all<LiveRunRow>("select {} from heartbeat_runs where context_issue_id = :1 and company_id = :2 and status in ('queued', 'running') "
                                          "order by created_at desc, id desc limit 200",
                                          issue, company),
                   LiveForm::issue);
}

void append_issue_active_run(std::string& out, store::Reader& reader, CompanyId company, IssueId issue) {
  auto run = reader.one<LiveRunRow>("select {r} from issues i join heartbeat_runs r on r.id = i.execution_run_id where i.id = :1 and i.company_id = :2 "
                                    "and r.status in ('queued', 'running') and r.context_issue_id = i.id",
                                    issue, company);
  if (!run)
    run = reader.one<LiveRunRow>("select {r} from issues i join heartbeat_runs r on r.agent_id = i.assignee_agent_id where i.id = :1 and i.company_id = :2 "
                                 "and i.status = 'in_progress' and r.status = 'running' and r.context_issue_id = i.id order by r.created_at desc, r.id desc limit 1",
                                 issue, company);
  if (run) append_live_run(out, reader, *run, LiveForm::active);
  else out += "null";
}

void append_issue_runs(std::string& out, store::Reader& reader, CompanyId company, IssueId issue) {
  const auto rows = reader.all<LedgerRow>(
      "select r.id, r.status, r.agent_id, a.adapter_type, r.started_at, r.finished_at, r.created_at, r.invocation_source, r.usage_json, r.result_json, "
      "r.log_bytes, r.retry_of_run_id, r.scheduled_retry_at, r.scheduled_retry_attempt, r.scheduled_retry_reason, r.liveness_state, r.liveness_reason, "
      "r.continuation_attempt, r.last_useful_action_at, r.next_action, r.context_snapshot "
      "from heartbeat_runs r join agents a on a.id = r.agent_id where r.company_id = :1 and (r.context_issue_id = :2 or r.id in "
      "(select run_id from activity_log where entity_type = 'issue' and entity_id = :3 and company_id = :1 and run_id is not null)) "
      "order by r.created_at desc, r.id desc limit 1000",
      company, issue, issue.view());
  out += '[';
  bool first = true;
  for (auto row : rows) {
    if (!first) out += ',';
    first = false;
    if (row.usage_json) row.usage_json = RawJson(ledger_usage(*row.usage_json));
    if (row.result_json) row.result_json = RawJson(ledger_result(*row.result_json));
    JsonObjectWriter writer(out);
    writer.members(row);
    append_lease(writer, reader, row.run_id);
    writer.field("retryExhaustedReason", exhausted_reason(reader, row.run_id)).end();
  }
  out += ']';
}

void append_run_issues(std::string& out, store::Reader& reader, RunId run) {
  std::vector<IssueId> ids;
  if (const auto about = reader.value<IssueId>("select context_issue_id from heartbeat_runs where id = :1", run)) ids.push_back(*about);
  for (const auto& text : reader.column<std::string>("select distinct entity_id from activity_log where run_id = :1 and entity_type = 'issue' limit 200", run))
    if (const auto id = IssueId::parse(text)) ids.push_back(*id);
  if (ids.empty()) {
    out += "[]";
    return;
  }
  append_json(out, reader.all<RunIssue>("select i.id, i.identifier, i.title, i.status, i.priority from issues i join heartbeat_runs r on r.company_id = i.company_id "
                                        "where r.id = :1 and i.id in {list :2} order by i.created_at, i.id", run, ids));
}

void append_run_operations(std::string& out, store::Reader& reader, RunId run) {
  const auto snapshot = reader.one<RawJson>("select context_snapshot from heartbeat_runs where id = :1", run);
  const auto named = snapshot ? text_at(snapshot->parse(), "executionWorkspaceId") : std::nullopt;
  const auto workspace = named ? ExecutionWorkspaceId::parse(*named) : std::nullopt;
  append_json(out, reader.all<WorkspaceOperation>("select {} from workspace_operations where heartbeat_run_id = :1 or (execution_workspace_id = :2 and heartbeat_run_id is null) "
                                                  "order by started_at, id limit 1000",
                                                  run, workspace.value_or(ExecutionWorkspaceId())));
}

void append_run_events(std::string& out, store::Reader& reader, RunId run, std::int64_t after, std::int64_t limit) {
  out += '[';
  bool first = true;
  reader.each<HeartbeatRunEvent>(
      "select {} from heartbeat_run_events where run_id = :1 and seq > :2 order by seq limit :3",
      [&](HeartbeatRunEvent event) {
        if (!first) out += ',';
        first = false;
        if (event.payload) event.payload = RawJson(redact(event.payload->parse()));
        append_json(out, event);
      },
      run, after, limit);
  out += ']';
}

}  // namespace paperclip::domain
