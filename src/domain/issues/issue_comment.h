#pragma once

#include <boost/describe/class.hpp>
#include <optional>
#include <string>

#include "base/id.h"
#include "base/time.h"
#include "domain/schema/table_of.h"

/// What is said on issues (spec/issues.md 1.2).
namespace paperclip::domain {

/// A comment by an agent, a human, or nobody (the system).
struct IssueComment {
  CommentId id;
  CompanyId company_id;
  IssueId issue_id;
  std::optional<AgentId> author_agent_id;
  std::optional<std::string> author_user_id;
  std::optional<RunId> created_by_run_id;
  std::string body;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(IssueComment, (),
                      (id, company_id, issue_id, author_agent_id, author_user_id, created_by_run_id, body, created_at,
                       updated_at))
template <>
inline constexpr std::string_view table_of<IssueComment> = "issue_comments";

}  // namespace paperclip::domain
