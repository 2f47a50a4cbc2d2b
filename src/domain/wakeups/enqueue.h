#pragma once

#include <optional>
#include <string>

#include "domain/runs/work_issue.h"
#include "domain/wakeups/invokable.h"
#include "domain/wakeups/wake.h"

/// The two ways into the queue, once a wake has passed the gates (spec/execution.md 4.2, 4.3).
namespace paperclip::domain {

struct Enqueue {
  const WakeAgent& agent;
  const WakeRequest& request;
  json::object context;  // enriched
  std::optional<std::string> task_key;
  std::optional<std::string> session_id_before;
};

/// Looks at who executes the issue: folds into that run, waits behind it, or queues a run of its own.
WakeOutcome enqueue_for_issue(store::Transaction& tx, Enqueue& wake, IssueId issue);
/// Folds into a live run of the agent with the same task key, or queues a run.
WakeOutcome enqueue_without_issue(store::Transaction& tx, Enqueue& wake);

/// The row of a wake that policy refused; `code` takes the place of the caller's reason.
void record_skip(store::Transaction& tx, const Enqueue& wake, std::string_view code, std::optional<json::object> payload = std::nullopt);
WakeOutcome skipped(std::string_view code);

/// Marks a context as a conversation within a paused subtree.
void set_tree_hold(json::object& context, const PauseHold& hold);
/// Marks a context as a conversation about an issue that waits for others.
void set_blockers(json::object& context, const std::vector<Blocker>& blockers);

}  // namespace paperclip::domain
