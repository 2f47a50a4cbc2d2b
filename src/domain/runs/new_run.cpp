#include "domain/runs/new_run.h"

#include <stdexcept>

#include "domain/runs/run_events.h"
#include "domain/wakeups/wake_context.h"
#include "os/crash_point.h"

namespace paperclip::domain {

namespace {

template <DescribedEnum E>
E word(std::string_view text) {
  if (const auto found = parse_enum<E>(text)) return *found;
  throw std::logic_error("no such word for a wakeup: " + std::string(text));
}

}  // namespace

AgentWakeupRequest wakeup_of(store::Transaction& tx, CompanyId company, AgentId agent, const WakeRequest& request, WakeupStatus status) {
  AgentWakeupRequest row;
  row.id = tx.new_id<WakeupId>();
  row.company_id = company;
  row.agent_id = agent;
  row.source = word<InvocationSource>(request.source);
  if (request.trigger_detail) row.trigger_detail = word<TriggerDetail>(*request.trigger_detail);
  row.reason = request.reason;
  if (request.payload) row.payload = RawJson(json::value(*request.payload));
  row.status = status;
  if (request.requested_by) {
    row.requested_by_actor_type = word<ActorType>(request.requested_by->type);
    row.requested_by_actor_id = request.requested_by->id;
  }
  row.idempotency_key = request.idempotency_key;
  row.requested_at = row.created_at = row.updated_at = tx.now();
  if (wakeup_transitions.is_final(status)) row.finished_at = tx.now();
  return row;
}

HeartbeatRun create_run(store::Transaction& tx, const NewRun& from, RunId id) {
  StoredRun run;
  run.id = id;
  run.company_id = from.company_id;
  run.agent_id = from.agent_id;
  run.invocation_source = from.invocation_source;
  run.trigger_detail = from.trigger_detail;
  run.status = from.status;
  run.wakeup_request_id = from.wakeup_id;
  run.session_id_before = from.session_id_before;
  run.retry_of_run_id = from.retry_of_run_id;
  run.process_loss_retry_count = from.process_loss_retry_count;
  run.scheduled_retry_at = from.scheduled_retry_at;
  run.scheduled_retry_attempt = from.scheduled_retry_attempt;
  run.scheduled_retry_reason = from.scheduled_retry_reason;
  run.continuation_attempt = from.continuation_attempt;
  run.context_snapshot = RawJson(json::value(from.context));
  if (const auto issue = context_text(from.context, "issueId")) run.context_issue_id = IssueId::parse(*issue);
  run.created_at = run.updated_at = tx.now();
  crash_point("run.insert.before");
  tx.insert(table_of<HeartbeatRun>, run);
  crash_point("run.insert.after");
  if (run.status == RunStatus::queued) emit_run_queued(tx, run);
  return run;
}

HeartbeatRun create_follow_up(store::Transaction& tx, FollowUp follow_up) {
  WakeRequest request;
  request.source = to_text(follow_up.run.invocation_source);
  if (follow_up.run.trigger_detail) request.trigger_detail = to_text(*follow_up.run.trigger_detail);
  request.reason = follow_up.reason;
  request.payload = std::move(follow_up.payload);
  request.idempotency_key = follow_up.idempotency_key;
  request.requested_by = Author{"system", "heartbeat", std::nullopt, std::nullopt};
  AgentWakeupRequest wakeup = wakeup_of(tx, follow_up.company_id, follow_up.agent_id, request, WakeupStatus::queued);
  const RunId id = tx.new_id<RunId>();
  wakeup.run_id = id;
  tx.insert(table_of<AgentWakeupRequest>, wakeup);
  follow_up.run.company_id = follow_up.company_id;
  follow_up.run.agent_id = follow_up.agent_id;
  follow_up.run.wakeup_id = wakeup.id;
  return create_run(tx, follow_up.run, id);
}

void move_wakeup(store::Transaction& tx, const std::optional<WakeupId>& wakeup, WakeupStatus to, std::optional<std::string> error) {
  if (!wakeup) return;
  const auto from = tx.value<WakeupStatus>("select status from agent_wakeup_requests where id = :1", *wakeup);
  if (!from || *from == to) return;
  if (!wakeup_transitions.allow(*from, to))
    throw std::logic_error("wakeup " + wakeup->str() + " cannot go from " + std::string(to_text(*from)) + " to " + std::string(to_text(to)));
  std::optional<Timestamp> claimed, finished;
  if (to == WakeupStatus::claimed) claimed = tx.now();
  if (wakeup_transitions.is_final(to)) finished = tx.now();
  tx.execute("update agent_wakeup_requests set status = :1, claimed_at = coalesce(:2, claimed_at), finished_at = :3, error = :4, updated_at = :5 where id = :6",
             to, claimed, finished, error, tx.now(), *wakeup);
}

}  // namespace paperclip::domain
