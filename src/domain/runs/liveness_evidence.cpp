#include "domain/runs/liveness_evidence.h"

#include <algorithm>

namespace paperclip::domain {

namespace {

struct Traces {
  std::int64_t count = 0;
  std::optional<Timestamp> newest;
};
BOOST_DESCRIBE_STRUCT(Traces, (), (count, newest))

void add(LivenessFacts& facts, const std::optional<Traces>& traces) {
  if (!traces || traces->count == 0) return;
  facts.evidence += traces->count;
  if (traces->newest) facts.last_evidence_at = std::max(facts.last_evidence_at.value_or(Timestamp{0}), *traces->newest);
}

// What a run of an issue leaves on the issue.
void look_at_issue(store::Reader& reader, const HeartbeatRun& run, const WorkIssue& issue, LivenessFacts& facts) {
  facts.issue_status = issue.status;
  facts.issue_title = issue.title;
  facts.issue_description = issue.description;
  facts.run_comments = reader.column<std::string>(
      "select body from issue_comments where created_by_run_id = :1 and issue_id = :2 order by created_at, id", run.id, issue.id);
  add(facts, reader.one<Traces>("select count(*), max(created_at) from issue_comments where created_by_run_id = :1 and issue_id = :2", run.id, issue.id));
  add(facts, reader.one<Traces>("select count(*), max(v.created_at) from document_revisions v join issue_documents d on d.document_id = v.document_id "
                                "where v.created_by_run_id = :1 and d.issue_id = :2 and d.key <> 'continuation-summary'", run.id, issue.id));
  add(facts, reader.one<Traces>("select count(*), max(created_at) from issue_work_products where created_by_run_id = :1", run.id));
  facts.plan_document_revised = reader.exists(
      "select 1 from document_revisions v join issue_documents d on d.document_id = v.document_id where v.created_by_run_id = :1 and d.issue_id = :2 and d.key = 'plan'",
      run.id, issue.id);
}

}  // namespace

Liveness classify_run(store::Reader& reader, const HeartbeatRun& run, const std::optional<WorkIssue>& issue, const RunReport& report) {
  LivenessFacts facts;
  facts.status = run.status;
  facts.output = report.stdout_excerpt.value_or("") + report.stderr_excerpt.value_or("");
  facts.result = report.result;
  if (issue) look_at_issue(reader, run, *issue, facts);
  add(facts, reader.one<Traces>("select count(*), max(created_at) from activity_log where run_id = :1 "
                                "and action not in ('environment.lease_acquired', 'environment.lease_released')", run.id));
  add(facts, reader.one<Traces>("select count(*), max(created_at) from heartbeat_run_events where run_id = :1 "
                                "and event_type not in ('lifecycle', 'adapter.invoke', 'error')", run.id));
  return classify_liveness(facts);
}

}  // namespace paperclip::domain
