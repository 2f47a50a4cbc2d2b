#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <optional>
#include <string>

#include "base/id.h"
#include "base/json.h"
#include "base/time.h"
#include "domain/actor_type.h"
#include "domain/issues/issue.h"
#include "domain/runs/heartbeat_run.h"
#include "domain/schema/table_of.h"

/// Holds over trees of issues (spec/work-domain.md 10.1).
namespace paperclip::domain {

enum class TreeHoldMode { pause, resume, cancel, restore };
BOOST_DESCRIBE_ENUM(TreeHoldMode, pause, resume, cancel, restore)

enum class TreeHoldStatus { active, released };
BOOST_DESCRIBE_ENUM(TreeHoldStatus, active, released)

/// An operation on an issue and everything below it.
struct IssueTreeHold {
  TreeHoldId id;
  CompanyId company_id;
  IssueId root_issue_id;
  TreeHoldMode mode{};
  TreeHoldStatus status = TreeHoldStatus::active;
  std::optional<std::string> reason;
  std::optional<RawJson> release_policy;
  ActorType created_by_actor_type = ActorType::system;
  std::optional<AgentId> created_by_agent_id;
  std::optional<std::string> created_by_user_id;
  std::optional<RunId> created_by_run_id;
  std::optional<Timestamp> released_at;
  std::optional<ActorType> released_by_actor_type;
  std::optional<AgentId> released_by_agent_id;
  std::optional<std::string> released_by_user_id;
  std::optional<RunId> released_by_run_id;
  std::optional<std::string> release_reason;
  std::optional<RawJson> release_metadata;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(IssueTreeHold, (),
                      (id, company_id, root_issue_id, mode, status, reason, release_policy, created_by_actor_type,
                       created_by_agent_id, created_by_user_id, created_by_run_id, released_at, released_by_actor_type,
                       released_by_agent_id, released_by_user_id, released_by_run_id, release_reason, release_metadata,
                       created_at, updated_at))
template <>
inline constexpr std::string_view table_of<IssueTreeHold> = "issue_tree_holds";

/// An issue as it was when a hold took it.
struct IssueTreeHoldMember {
  AnyId id;
  CompanyId company_id;
  TreeHoldId hold_id;
  IssueId issue_id;
  std::optional<IssueId> parent_issue_id;
  int depth = 0;
  std::optional<std::string> issue_identifier;
  std::string issue_title;
  IssueStatus issue_status{};
  std::optional<AgentId> assignee_agent_id;
  std::optional<std::string> assignee_user_id;
  std::optional<RunId> active_run_id;
  std::optional<RunStatus> active_run_status;
  bool skipped = false;
  std::optional<std::string> skip_reason;
  Timestamp created_at;
};
BOOST_DESCRIBE_STRUCT(IssueTreeHoldMember, (),
                      (id, company_id, hold_id, issue_id, parent_issue_id, depth, issue_identifier, issue_title,
                       issue_status, assignee_agent_id, assignee_user_id, active_run_id, active_run_status, skipped,
                       skip_reason, created_at))
template <>
inline constexpr std::string_view table_of<IssueTreeHoldMember> = "issue_tree_hold_members";

}  // namespace paperclip::domain
