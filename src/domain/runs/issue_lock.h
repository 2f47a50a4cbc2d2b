#pragma once

#include <optional>
#include <string>
#include <vector>

#include "domain/access/actor.h"
#include "domain/runs/run_states.h"
#include "domain/runs/work_issue.h"
#include "store/transaction.h"

/// The two locks of an issue: which run owns the working claim, and which live run executes
/// (spec/execution.md 16, issues.md 6). Callers hold the issue's row (`lock_work_issue`).
namespace paperclip::domain {

/// The run an issue's execution lock names, if it lives.
struct ExecutionHolder {
  RunId id;
  AgentId agent_id;
  RunStatus status;
  std::string agent_name;
};
std::optional<ExecutionHolder> find_execution_holder(store::Reader& reader, CompanyId company, const std::optional<RunId>& run);

/// Frees the execution lock if the run it names is over or gone (spec/issues.md 6.3); true if it did.
bool clear_execution_lock_if_dead(store::Transaction& tx, CompanyId company, IssueId issue);

/// The run executes the issue from now on. Only for the assignee's run (spec/execution.md 27.5).
void stamp_execution_lock(store::Transaction& tx, CompanyId company, IssueId issue, RunId run, std::string_view name_key);
/// Frees the execution lock if this run has it.
void clear_execution_lock(store::Transaction& tx, CompanyId company, IssueId issue, RunId run);

struct CheckoutRequest {
  AgentId agent_id;
  std::vector<std::string> expected_statuses;
  std::optional<RunId> run_id;
  /// Set when the run talks to its author in a paused subtree.
  bool pause_exempt = false;
};
/// Gives the run the working claim of the issue (spec/execution.md 16.1, steps 2–5; whether the agent may be assigned is
/// the caller's check). 409 `Issue checkout conflict` names the holder; 422 for open blockers; 409 for a pause.
Result<> checkout_issue(store::Transaction& tx, CompanyId company, IssueId issue, const CheckoutRequest& request);

/// True when the run is over or gone, so that its claim may be taken over.
bool is_run_over(store::Reader& reader, CompanyId company, RunId run);

}  // namespace paperclip::domain
