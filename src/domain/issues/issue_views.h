#pragma once

#include <boost/describe/class.hpp>
#include <optional>
#include <string>

#include "domain/issues/issue.h"

/// Small words about issues that many rules use.
namespace paperclip::domain {

constexpr bool is_terminal(IssueStatus status) {
  return status == IssueStatus::done || status == IssueStatus::cancelled;
}

/// The deepest chain of requests that is told apart (spec/issues.md 1.1).
constexpr int max_request_depth = 1024;

/// What another issue shows of an issue.
struct IssueSummary {
  IssueId id;
  std::optional<std::string> identifier;
  std::string title;
  IssueStatus status = IssueStatus::backlog;
  IssuePriority priority = IssuePriority::medium;
  std::optional<AgentId> assignee_agent_id;
  std::optional<std::string> assignee_user_id;
};
BOOST_DESCRIBE_STRUCT(IssueSummary, (), (id, identifier, title, status, priority, assignee_agent_id, assignee_user_id))

/// How activity details name an issue.
struct IssueName {
  IssueId id;
  std::optional<std::string> identifier;
  std::string title;
  bool operator==(const IssueName&) const = default;
};
BOOST_DESCRIBE_STRUCT(IssueName, (), (id, identifier, title))

}  // namespace paperclip::domain
