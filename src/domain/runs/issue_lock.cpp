#include "domain/runs/issue_lock.h"

#include <algorithm>

#include "base/text.h"
#include "domain/wakeups/invokable.h"

namespace paperclip::domain {

namespace {

struct HolderRow {
  RunId id;
  AgentId agent_id;
  RunStatus status;
  std::string name;
};
BOOST_DESCRIBE_STRUCT(HolderRow, (), (id, agent_id, status, name))

template <class IdType>
json::value id_or_null(const std::optional<IdType>& id) {
  return id ? json::value(id->view()) : json::value(nullptr);
}

Error checkout_conflict(const WorkIssue& issue) {
  return conflict("Issue checkout conflict", json::object{{"issueId", issue.id.view()},
                                                          {"status", issue.status},
                                                          {"assigneeAgentId", id_or_null(issue.assignee_agent_id)},
                                                          {"checkoutRunId", id_or_null(issue.checkout_run_id)},
                                                          {"executionRunId", id_or_null(issue.execution_run_id)}});
}

// Both locks to one run; nothing else of the issue changes.
void adopt(store::Transaction& tx, const WorkIssue& issue, RunId run) {
  tx.execute("update issues set checkout_run_id = :1, execution_run_id = :1, execution_locked_at = :2, lock_fence = lock_fence + 1, "
             "updated_at = :2 where id = :3 and company_id = :4",
             run, tx.now(), issue.id, issue.company_id);
}

}  // namespace

std::string agent_name_key(std::string_view name) { return lower(trim(name)); }

std::optional<ExecutionHolder> find_execution_holder(store::Reader& reader, CompanyId company, const std::optional<RunId>& run) {
  if (!run) return std::nullopt;
  const auto row = reader.one<HolderRow>(
      "select r.id, r.agent_id, r.status, a.name from heartbeat_runs r join agents a on a.id = r.agent_id "
      "where r.id = :1 and r.company_id = :2",
      *run, company);
  if (!row || !is_live(row->status)) return std::nullopt;
  return ExecutionHolder{row->id, row->agent_id, row->status, row->name};
}

bool is_run_over(store::Reader& reader, CompanyId company, RunId run) {
  const auto status = reader.value<RunStatus>("select status from heartbeat_runs where id = :1 and company_id = :2", run, company);
  return !status || !is_live(*status);
}

bool clear_execution_lock_if_dead(store::Transaction& tx, CompanyId company, IssueId id) {
  const auto issue = lock_work_issue(tx, company, id);
  if (!issue || !issue->execution_run_id || !is_run_over(tx, company, *issue->execution_run_id)) return false;
  clear_execution_lock(tx, company, id, *issue->execution_run_id);
  return true;
}

void stamp_execution_lock(store::Transaction& tx, CompanyId company, IssueId issue, RunId run, std::string_view name_key) {
  tx.execute("update issues set execution_run_id = :1, execution_agent_name_key = :2, execution_locked_at = :3, "
             "lock_fence = lock_fence + 1, updated_at = :3 where id = :4 and company_id = :5",
             run, name_key, tx.now(), issue, company);
}

void clear_execution_lock(store::Transaction& tx, CompanyId company, IssueId issue, RunId run) {
  tx.execute("update issues set execution_run_id = null, execution_agent_name_key = null, execution_locked_at = null, "
             "updated_at = :1 where id = :2 and company_id = :3 and execution_run_id = :4",
             tx.now(), issue, company, run);
}

Result<> checkout_issue(store::Transaction& tx, CompanyId company, IssueId id, const CheckoutRequest& request) {
  if (!request.pause_exempt)
    if (const auto hold = active_pause_hold(tx, company, id))
      return conflict("Issue checkout blocked by active subtree pause hold",
                      json::object{{"issueId", id.view()},
                                   {"holdId", hold->id.view()},
                                   {"rootIssueId", hold->root_issue_id.view()},
                                   {"mode", hold->mode},
                                   {"securityPrinciples", json::array{"Complete Mediation", "Fail Securely", "Secure Defaults"}}});
  clear_execution_lock_if_dead(tx, company, id);
  if (const auto blockers = unresolved_blockers(tx, company, id); !blockers.empty()) {
    json::array ids;
    for (const auto& blocker : blockers) ids.emplace_back(blocker.id.view());
    return unprocessable("Issue is blocked by unresolved blockers", json::object{{"unresolvedBlockerIssueIds", std::move(ids)}});
  }
  const auto issue = lock_work_issue(tx, company, id);
  if (!issue) return not_found("Issue not found");

  const bool mine = issue->assignee_agent_id == request.agent_id;
  const bool checkout_free = !issue->checkout_run_id || (request.run_id && issue->checkout_run_id == request.run_id);
  const bool execution_free = !issue->execution_run_id || (request.run_id && issue->execution_run_id == request.run_id);
  const auto& expected = request.expected_statuses;
  const bool expected_status = std::find(expected.begin(), expected.end(), issue->status) != expected.end();
  if (expected_status && (!issue->assignee_agent_id || (mine && checkout_free)) && execution_free) {
    tx.execute("update issues set assignee_agent_id = :1, assignee_user_id = null, checkout_run_id = :2, execution_run_id = :2, "
               "status = 'in_progress', started_at = :3, lock_fence = lock_fence + 1, updated_at = :3 where id = :4 and company_id = :5",
               request.agent_id, request.run_id, tx.now(), id, company);
    return {};
  }
  if (!mine || issue->status != "in_progress") return checkout_conflict(*issue);
  if (request.run_id && !issue->checkout_run_id && execution_free) {
    adopt(tx, *issue, *request.run_id);
    return {};
  }
  if (issue->checkout_run_id == request.run_id) return {};
  if (request.run_id && issue->checkout_run_id && is_run_over(tx, company, *issue->checkout_run_id)) {
    adopt(tx, *issue, *request.run_id);
    return {};
  }
  return checkout_conflict(*issue);
}

}  // namespace paperclip::domain
