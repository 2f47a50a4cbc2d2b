#include "domain/runs/run_cost.h"

#include "domain/budgets/enforcement.h"
#include "domain/costs/costs.h"
#include "domain/runs/work_issue.h"
#include "domain/wakeups/wake_context.h"

namespace paperclip::domain {

void record_run_cost(store::Transaction& tx, const HeartbeatRun& run, const json::object& context, const UsageReport& report,
                     const TokenCounts& tokens, std::int64_t cents) {
  std::optional<WorkIssue> issue;
  if (const auto text = context_text(context, "issueId"))
    if (const auto id = IssueId::parse(*text)) issue = find_work_issue(tx, run.company_id, *id);
  std::optional<ProjectId> project;
  if (issue) project = issue->project_id;
  else if (const auto text = context_text(context, "projectId"))
    if (const auto id = ProjectId::parse(*text); id && tx.exists("select 1 from projects where id = :1 and company_id = :2", *id, run.company_id)) project = id;
  const auto or_unknown = [](const std::string& text) { return text.empty() ? std::string("unknown") : text; };
  CostEvent event;
  event.company_id = run.company_id;
  event.agent_id = run.agent_id;
  event.project_id = project;
  event.heartbeat_run_id = run.id;
  if (issue) {
    event.issue_id = issue->id;
    event.billing_code = issue->billing_code;
  }
  event.provider = or_unknown(report.provider);
  event.biller = report.biller.empty() ? event.provider : report.biller;
  event.billing_type = billing_type_of(report.billing_type);
  event.model = or_unknown(report.model);
  event.input_tokens = static_cast<int>(tokens.input);
  event.cached_input_tokens = static_cast<int>(tokens.cached_input);
  event.output_tokens = static_cast<int>(tokens.output);
  event.cost_cents = static_cast<int>(cents);
  event.occurred_at = tx.now();
  evaluate_budgets(tx, record_cost(tx, std::move(event)));
}

}  // namespace paperclip::domain
