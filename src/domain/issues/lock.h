#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/read_json.h"
#include "domain/access/scope.h"
#include "domain/issues/issue_views.h"
#include "store/transaction.h"

/// Who works on an issue: checkout, ownership, release (spec/issues.md 4 and 6). There is one lock. Its two columns
/// `checkout_run_id` (may change the issue) and `execution_run_id` (is live on it) are written together, and each time
/// the holder changes, `lock_fence` counts up.
namespace paperclip::domain {

/// The run that holds an issue's lock, as 409s show it (OURS: `details.holder`).
struct LockHolder {
  RunId run_id;
  AgentId agent_id;
  std::string agent_name;
  std::string status;
  bool live = false;
};
BOOST_DESCRIBE_STRUCT(LockHolder, (), (run_id, agent_id, agent_name, status, live))

/// Nothing if no run holds it, or the run is gone.
std::optional<LockHolder> lock_holder(store::Reader& reader, const Issue& issue);

struct CheckoutBody {
  AgentId agent_id;
  List<IssueStatus, 1> expected_statuses;
};
BOOST_DESCRIBE_STRUCT(CheckoutBody, (), (agent_id, expected_statuses))

/// Gives the run (none for the board) hold of the issue for that agent; writes no activity and wakes nobody: for the
/// engine as much as for callers. Fails with 409 `Issue checkout conflict`, naming the holder, if another run has it;
/// with 422 if blockers are open; with 409 under a pause, unless the run answers a comment.
Result<Issue> claim_issue(store::Transaction& tx, CompanyId company, IssueId id, const CheckoutBody& request,
                          const std::optional<RunId>& run);

/// A caller's checkout: who may, the claim, its activity and its wakeup (spec/issues.md 6.1).
Result<Issue> check_out_issue(store::Transaction& tx, const CompanyScope& scope, IssueId id,
                              const CheckoutBody& request);

/// Back to the pool: todo, without agent and lock (spec/issues.md 6.4).
Result<Issue> release_issue(store::Transaction& tx, const CompanyScope& scope, IssueId id);

struct ForcedRelease {
  Issue issue;
  std::optional<RunId> checkout_run_id, execution_run_id;  // before
};
/// Breaks the lock; for boards (spec/issues.md 6.5).
Result<ForcedRelease> force_release_issue(store::Transaction& tx, const CompanyScope& scope, IssueId id,
                                          bool clear_assignee);

/// The gate before an agent changes an issue (spec/issues.md 4). May adopt the lock of a run that is over, which it
/// puts into `issue` and on record. Everybody but agents passes.
Result<> require_mutation(store::Transaction& tx, const CompanyScope& scope, Issue& issue);

/// True if the agent may act on what is assigned to the other: a grant, the CEO, a creator of agents, or a manager.
bool may_override(store::Reader& reader, CompanyId company, AgentId agent, AgentId assignee);

/// Takes the four lock columns off an issue in memory.
void clear_lock(Issue& issue);

}  // namespace paperclip::domain
