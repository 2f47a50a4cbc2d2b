#include "domain/runs/output_silence.h"

#include <boost/describe/class.hpp>
#include <chrono>

#include "base/write_json.h"
#include "domain/runs/silent_runs.h"

namespace paperclip::domain {

namespace {

constexpr std::chrono::milliseconds suspicious_after = suspicious_silence, critical_after = critical_silence, rearmed_after = silence_rearmed_after;

struct Evaluation {
  IssueId id;
  std::optional<std::string> identifier;
  std::optional<AgentId> assignee_agent_id;
};
BOOST_DESCRIBE_STRUCT(Evaluation, (), (id, identifier, assignee_agent_id))

struct Decision {
  std::string decision;
  std::optional<Timestamp> snoozed_until;
  Timestamp created_at;
};
BOOST_DESCRIBE_STRUCT(Decision, (), (decision, snoozed_until, created_at))

}  // namespace

void append_output_silence(std::string& out, store::Reader& reader, const SilenceFacts& run) {
  Timestamp since = run.created_at;
  for (const auto& at : {run.last_output_at, run.process_started_at, run.started_at})
    if (at) {
      since = *at;
      break;
    }
  const bool running = run.status == RunStatus::running;
  const auto age = reader.now() - since;
  std::string_view level = "not_applicable";
  std::optional<Timestamp> snoozed_until;
  std::optional<Evaluation> evaluation;
  if (running) {
    level = age >= critical_after ? "critical" : age >= suspicious_after ? "suspicious" : "ok";
    if (age >= suspicious_after) {
      evaluation = reader.one<Evaluation>(
          "select {} from issues where company_id = :1 and origin_kind = 'stale_active_run_evaluation' and origin_id = :2 and hidden_at is null "
          "and status not in ('done', 'cancelled') order by created_at desc limit 1",
          run.company_id, run.id.view());
      const auto decision = reader.one<Decision>(
          "select {} from heartbeat_run_watchdog_decisions where run_id = :1 order by created_at desc, id desc limit 1", run.id);
      if (decision) {
        if (decision->decision == "snooze") snoozed_until = decision->snoozed_until;
        else if (decision->decision == "continue") snoozed_until = decision->created_at + rearmed_after;
        if (snoozed_until && *snoozed_until > reader.now()) level = "snoozed";
      }
    }
  }
  JsonObjectWriter(out)
      .field("lastOutputAt", run.last_output_at)
      .field("lastOutputSeq", run.last_output_seq)
      .field("lastOutputStream", run.last_output_stream)
      .field("silenceStartedAt", since)
      .field("silenceAgeMs", running ? std::optional<std::int64_t>(age.count()) : std::nullopt)
      .field("level", level)
      .field("suspicionThresholdMs", suspicious_after.count())
      .field("criticalThresholdMs", critical_after.count())
      .field("snoozedUntil", snoozed_until)
      .field("evaluationIssueId", evaluation ? std::optional(evaluation->id) : std::nullopt)
      .field("evaluationIssueIdentifier", evaluation ? evaluation->identifier : std::nullopt)
      .field("evaluationIssueAssigneeAgentId", evaluation ? evaluation->assignee_agent_id : std::nullopt)
      .end();
}

}  // namespace paperclip::domain
