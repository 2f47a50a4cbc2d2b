#pragma once

#include <optional>
#include <string>
#include <vector>

#include "domain/waiting/run_waits.h"
#include "domain/waiting/wait.h"
#include "store/reader.h"

/// What both explained answers are made of.
namespace paperclip::domain {

/// A run that is live, and what it has.
struct WhyRun {
  RunId run_id;
  AgentId agent_id;
  std::string agent_name, status;
  bool live = true;  // its row; a process that is gone is found by the engine and ends the row
  std::optional<IssueId> issue_id;
  std::optional<std::string> issue_identifier;
  bool holds_issue = false;
  std::optional<Timestamp> started_at, last_output_at;
  std::optional<int> process_pid;
  std::optional<Timestamp> scheduled_retry_at;
};
BOOST_DESCRIBE_STRUCT(WhyRun, (), (run_id, agent_id, agent_name, status, live, issue_id, issue_identifier, holds_issue, started_at, last_output_at, process_pid, scheduled_retry_at))

/// `select …` up to `where`, for `WhyRun`.
extern const std::string_view why_runs;

struct WhyWake {
  WakeupId wakeup_id;
  AgentId agent_id;
  std::optional<RunId> run_id;
  std::string source;
  std::optional<std::string> reason;
  std::string status;
  std::optional<IssueId> issue_id;
  Timestamp requested_at;
  std::optional<WaitAuthor> requested_by;
  Wait waits_for;
};
BOOST_DESCRIBE_STRUCT(WhyWake, (), (wakeup_id, agent_id, run_id, source, reason, status, issue_id, requested_at, requested_by, waits_for))

WhyWake explain_wake(store::Reader& reader, CompanyId company, const WaitingWake& wake, const std::optional<Wait>& agent_wait);

struct WhyRetry {
  RunId run_id;
  std::optional<IssueId> issue_id;
  std::optional<Timestamp> at;
  int attempt = 0;
  std::optional<std::string> reason;
};
BOOST_DESCRIBE_STRUCT(WhyRetry, (), (run_id, issue_id, at, attempt, reason))
/// The first retry to come among these wakes.
std::optional<WhyRetry> next_retry(const std::vector<WaitingWake>& wakes);

/// The budget that stops work, or that all is within limits.
struct WhyBudget {
  bool blocked = false;
  std::optional<std::string> scope_type, scope_id, reason;
};
BOOST_DESCRIBE_STRUCT(WhyBudget, (), (blocked, scope_type, scope_id, reason))
WhyBudget explain_budget(store::Reader& reader, CompanyId company, AgentId agent, std::optional<ProjectId> project);

/// The first wait with one of these codes.
std::optional<Wait> first_with(const std::vector<Wait>& waits, std::initializer_list<std::string_view> codes);

}  // namespace paperclip::domain
