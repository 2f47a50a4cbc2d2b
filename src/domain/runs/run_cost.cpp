#include "domain/runs/run_cost.h"

#include "domain/runs/work_issue.h"
#include "domain/wakeups/wake_context.h"

namespace paperclip::domain {

void record_run_cost(store::Transaction& tx, const Run& run, const json::object& context, const UsageReport& report,
                     const TokenCounts& tokens, std::int64_t cents) {
  std::optional<WorkIssue> issue;
  if (const auto text = context_text(context, "issueId"))
    if (const auto id = IssueId::parse(*text)) issue = find_work_issue(tx, run.company_id, *id);
  std::optional<ProjectId> project;
  if (issue) project = issue->project_id;
  else if (const auto text = context_text(context, "projectId"))
    if (const auto id = ProjectId::parse(*text); id && tx.exists("select 1 from projects where id = :1 and company_id = :2", *id, run.company_id)) project = id;
  const auto or_unknown = [](const std::string& text) { return text.empty() ? std::string("unknown") : text; };
  const std::string provider = or_unknown(report.provider);
  const std::string biller = report.biller.empty() ? provider : report.biller;
  std::optional<IssueId> issue_id;
  std::optional<std::string> billing_code;
  if (issue) {
    issue_id = issue->id;
    billing_code = issue->billing_code;
  }
  tx.execute("insert into cost_events (id, company_id, agent_id, issue_id, project_id, heartbeat_run_id, billing_code, provider, biller, billing_type, model, "
             "input_tokens, cached_input_tokens, output_tokens, cost_cents, occurred_at, created_at) "
             "values (:1, :2, :3, :4, :5, :6, :7, :8, :9, :10, :11, :12, :13, :14, :15, :16, :16)",
             tx.new_id<AnyId>(), run.company_id, run.agent_id, issue_id, project, run.id, billing_code, provider, biller,
             billing_type_of(report.billing_type), or_unknown(report.model), static_cast<int>(tokens.input), static_cast<int>(tokens.cached_input),
             static_cast<int>(tokens.output), static_cast<int>(cents), tx.now());
  const Timestamp month = *parse_iso(to_iso(tx.now()).substr(0, 7) + "-01T00:00:00.000Z");
  tx.execute("update agents set spent_monthly_cents = (select coalesce(sum(cost_cents), 0) from cost_events where agent_id = :1 and occurred_at >= :2) where id = :1",
             run.agent_id, month);
  tx.execute("update companies set spent_monthly_cents = (select coalesce(sum(cost_cents), 0) from cost_events where company_id = :1 and occurred_at >= :2) where id = :1",
             run.company_id, month);
}

}  // namespace paperclip::domain
