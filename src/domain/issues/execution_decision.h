#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <optional>
#include <string>

#include "base/id.h"
#include "base/time.h"
#include "domain/schema/table_of.h"

/// Decisions of reviewers and approvers (spec/work-domain.md 11.2).
namespace paperclip::domain {

enum class ExecutionStageType { review, approval };
BOOST_DESCRIBE_ENUM(ExecutionStageType, review, approval)

enum class ExecutionDecisionOutcome { approved, changes_requested };
BOOST_DESCRIBE_ENUM(ExecutionDecisionOutcome, approved, changes_requested)

/// What a participant of a stage decided about an issue.
struct IssueExecutionDecision {
  DecisionId id;
  CompanyId company_id;
  IssueId issue_id;
  AnyId stage_id;
  ExecutionStageType stage_type{};
  std::optional<AgentId> actor_agent_id;
  std::optional<std::string> actor_user_id;
  ExecutionDecisionOutcome outcome{};
  std::string body;
  std::optional<RunId> created_by_run_id;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(IssueExecutionDecision, (),
                      (id, company_id, issue_id, stage_id, stage_type, actor_agent_id, actor_user_id, outcome, body,
                       created_by_run_id, created_at, updated_at))
template <>
inline constexpr std::string_view table_of<IssueExecutionDecision> = "issue_execution_decisions";

}  // namespace paperclip::domain
