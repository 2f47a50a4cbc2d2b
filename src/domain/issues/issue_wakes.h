#pragma once

#include <string_view>
#include <vector>

#include "domain/access/actor.h"
#include "domain/issues/issue_views.h"
#include "domain/wakeups/wake.h"
#include "store/transaction.h"

/// Whom a change of an issue wakes, and with which words (spec/issues.md 9).
namespace paperclip::domain {

/// The wakeups of one request: at most one for each agent and issue. They are raised together, at the end.
class PendingWakes {
 public:
  explicit PendingWakes(Author by) : by_(std::move(by)) {}

  /// A later wakeup of the same agent for the same issue takes the place of the earlier one.
  void add(AgentId agent, IssueId issue, std::string_view source, std::string_view reason, json::object payload,
           json::object context);
  /// The same, but an earlier one stays.
  void add_if_none(AgentId agent, IssueId issue, std::string_view source, std::string_view reason, json::object payload,
                   json::object context);
  void raise(store::Transaction& tx);

 private:
  struct Wake {
    AgentId agent;
    IssueId issue;
    WakeRequest request;
  };
  WakeRequest request(std::string_view source, std::string_view reason, json::object payload,
                      json::object context) const;
  Wake* find(AgentId agent, IssueId issue);

  Author by_;
  std::vector<Wake> wakes_;
};

/// A new issue's agent is woken, unless the issue lies in the backlog. `source` is where it came from: `issue.create`.
void wake_new_assignee(store::Transaction& tx, const Issue& issue, const Author& by, std::string_view mutation,
                       std::string_view source);

/// After `issue` became done: the agents of issues that waited for it and have no other open blocker.
void add_unblocked_wakes(store::Reader& reader, const Issue& issue, PendingWakes& wakes);
/// After `issue` was closed: the agent of its parent, if no child is open any more.
void add_children_done_wake(store::Reader& reader, const Issue& issue, PendingWakes& wakes);

/// The agents of the company whom a text mentions, but not its author.
std::vector<AgentId> mentioned_agents(store::Reader& reader, CompanyId company, std::string_view text,
                                      const Author& author);

}  // namespace paperclip::domain
