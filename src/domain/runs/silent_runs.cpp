#include "domain/runs/silent_runs.h"

#include "domain/activity/activity.h"
#include "domain/issues/blockers.h"
#include "domain/issues/create_issue.h"
#include "domain/issues/issue_rows.h"
#include "domain/issues/issue_wakes.h"
#include "domain/runs/recovery_owner.h"

namespace paperclip::domain {

namespace {

constexpr std::string_view evaluation_kind = "stale_active_run_evaluation";
/// What counts as the last sign of life.
constexpr std::string_view silence_clock = "coalesce(last_output_at, process_started_at, started_at, created_at)";

struct SilentRun {
  RunId id;
  CompanyId company_id;
  AgentId agent_id;
  std::optional<IssueId> context_issue_id;
  int last_output_seq = 0;
  Timestamp silent_since;
};
BOOST_DESCRIBE_STRUCT(SilentRun, (), (id, company_id, agent_id, context_issue_id, last_output_seq, silent_since))

struct Evaluation {
  IssueId id;
  std::string priority;
};
BOOST_DESCRIBE_STRUCT(Evaluation, (), (id, priority))

struct Decision {
  std::string decision;
  std::optional<Timestamp> snoozed_until;
  Timestamp created_at;
};
BOOST_DESCRIBE_STRUCT(Decision, (), (decision, snoozed_until, created_at))

Author watchdog() { return Author::system("heartbeat"); }

// Somebody has said that it is well, for now or for good.
bool is_answered(store::Reader& reader, RunId run) {
  const auto last = reader.one<Decision>("select {} from heartbeat_run_watchdog_decisions where run_id = :1 order by created_at desc, id desc limit 1", run);
  if (!last) return false;
  if (last->decision == "snooze") return last->snoozed_until && *last->snoozed_until > reader.now();
  if (last->decision == "continue") return last->created_at + silence_rearmed_after > reader.now();
  return true;
}

std::string describe(const SilentRun& run, const std::string& agent, const std::optional<Issue>& source) {
  std::string text = "Run `" + run.id.str() + "` of " + agent + " is under way and has said nothing since " + to_iso(run.silent_since) + " (" +
                     std::to_string(run.last_output_seq) + " pieces of output before).";
  if (source) text += "\n\nIt works on `" + source->identifier.value_or(source->id.str()) + "`.";
  return text + "\n\nLook at its log and its process. If it is well, record a watchdog decision (`snooze`, `continue` or `dismissed_false_positive`) on the run; "
                "if it is stuck, cancel the run. Nothing was ended automatically. Close this issue when that is done.";
}

void block_source(store::Transaction& tx, const Issue& source, IssueId evaluation) {
  auto blockers = tx.column<IssueId>("select issue_id from issue_relations where related_issue_id = :1 and company_id = :2 and type = 'blocks'", source.id, source.company_id);
  for (const auto& blocker : blockers)
    if (blocker == evaluation) return;
  blockers.push_back(evaluation);
  (void)tx.nested([&] { return set_blockers(tx, source.company_id, source.id, blockers, watchdog()); });
}

std::optional<IssueId> ask(store::Transaction& tx, const SilentRun& run, const std::optional<Issue>& source, bool critical) {
  const auto agent = tx.value<std::string>("select name from agents where id = :1", run.agent_id).value_or("an agent");
  NewIssue question;
  question.title = "Review silent active run for " + agent;
  question.description = describe(run, agent, source);
  question.status = IssueStatus::todo;
  question.priority = critical ? IssuePriority::high : IssuePriority::medium;
  question.assignee_agent_id = first_able(tx, run.company_id, source ? source->project_id : std::nullopt,
                                          {manager_of(tx, source ? source->assignee_agent_id : std::nullopt), manager_of(tx, run.agent_id),
                                           agent_with_role(tx, run.company_id, "cto"), agent_with_role(tx, run.company_id, "ceo")});
  // Whoever is silent does not judge itself.
  if (question.assignee_agent_id == run.agent_id) question.assignee_agent_id.reset();
  question.origin_kind = evaluation_kind;
  question.origin_id = run.id.str();
  question.origin_run_id = run.id.str();
  auto made = tx.nested([&] { return source ? insert_child(tx, *source, question, watchdog()) : insert_issue(tx, run.company_id, question, watchdog()); });
  if (!made && source) made = tx.nested([&] { return insert_issue(tx, run.company_id, question, watchdog()); });  // its parent has all the children it may have
  if (!made) return std::nullopt;
  log_activity(tx, run.company_id, watchdog(),
               {"issue.created", "issue", made->id.str(),
                json::object{{"title", made->title}, {"identifier", made->identifier ? json::value(*made->identifier) : json::value()},
                             {"source", "recovery.silent_active_run"}, {"runId", run.id.view()}, {"level", critical ? "critical" : "suspicious"}}});
  if (made->assignee_agent_id) wake_new_assignee(tx, *made, watchdog(), "create", "issue.silent_run_evaluation");
  return made->id;
}

}  // namespace

SilentRunReport scan_silent_runs(store::Transaction& tx, int limit) {
  SilentRunReport report;
  const auto silent = tx.all<SilentRun>("select id, company_id, agent_id, context_issue_id, last_output_seq, " + std::string(silence_clock) +
                                            " from heartbeat_runs where status = 'running' and " + std::string(silence_clock) + " <= :1 order by 6, id limit :2",
                                        tx.now() - suspicious_silence, limit);
  for (const auto& run : silent) {
    ++report.looked_at;
    const bool critical = tx.now() - run.silent_since >= critical_silence;
    std::optional<Issue> source;
    if (run.context_issue_id) source = tx.one<Issue>("select {} from issues where id = :1 and company_id = :2", *run.context_issue_id, run.company_id);
    // A question about a question would never end.
    if (is_answered(tx, run.id) || (source && source->origin_kind == evaluation_kind)) {
      ++report.left;
      continue;
    }
    const auto open = tx.one<Evaluation>("select {} from issues where company_id = :1 and origin_kind = 'stale_active_run_evaluation' and origin_id = :2 "
                                         "and hidden_at is null and status not in ('done', 'cancelled')",
                                         run.company_id, run.id.view());
    if (open && (!critical || open->priority == "high" || open->priority == "critical")) {
      ++report.left;
      continue;
    }
    std::optional<IssueId> question;
    if (open) {
      tx.execute("update issues set priority = 'high', updated_at = :1 where id = :2", tx.now(), open->id);
      log_activity(tx, run.company_id, watchdog(),
                   {"issue.updated", "issue", open->id.str(), json::object{{"priority", "high"}, {"source", "recovery.silent_active_run"}, {"runId", run.id.view()}, {"level", "critical"}}});
      question = open->id;
      ++report.raised;
    } else if ((question = ask(tx, run, source, critical))) {
      ++report.created;
    }
    if (critical && question && source) block_source(tx, *source, *question);
  }
  return report;
}

}  // namespace paperclip::domain
