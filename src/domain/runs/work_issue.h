#pragma once

#include <boost/describe/class.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/id.h"
#include "base/json.h"
#include "base/time.h"
#include "store/reader.h"

/// What execution has to know of an issue: whose it is, whether it may run, who holds it.
namespace paperclip::domain {

struct WorkIssue {
  IssueId id;
  CompanyId company_id;
  std::optional<ProjectId> project_id;
  std::optional<IssueId> parent_id;
  std::string title;
  std::optional<std::string> description, identifier;
  std::string status, priority;
  std::optional<AgentId> assignee_agent_id;
  std::optional<std::string> assignee_user_id;
  std::optional<RunId> checkout_run_id, execution_run_id;
  std::optional<std::string> execution_agent_name_key;
  RawJson execution_state, assignee_adapter_overrides;
  std::string origin_kind;
  std::optional<std::string> origin_id, billing_code;
  std::optional<AgentId> created_by_agent_id;

  bool is_closed() const { return status == "done" || status == "cancelled"; }
};
BOOST_DESCRIBE_STRUCT(WorkIssue, (),
                      (id, company_id, project_id, parent_id, title, description, identifier, status, priority,
                       assignee_agent_id, assignee_user_id, checkout_run_id, execution_run_id, execution_agent_name_key,
                       execution_state, assignee_adapter_overrides, origin_kind, origin_id, billing_code, created_by_agent_id))

std::optional<WorkIssue> find_work_issue(store::Reader& reader, CompanyId company, IssueId id);
/// The same, and nobody else decides about the issue until this transaction ends (spec/execution.md 27.4).
std::optional<WorkIssue> lock_work_issue(store::Reader& reader, CompanyId company, IssueId id);

/// An issue that must be done before another may run.
struct Blocker {
  IssueId id;
  std::optional<std::string> identifier;
  std::string title, status, priority;
  std::optional<AgentId> assignee_agent_id;
  std::optional<std::string> assignee_user_id;
};
BOOST_DESCRIBE_STRUCT(Blocker, (), (id, identifier, title, status, priority, assignee_agent_id, assignee_user_id))

/// The blockers that are not done, by title; only `done` resolves (spec/issues.md 10.2).
std::vector<Blocker> unresolved_blockers(store::Reader& reader, CompanyId company, IssueId issue);
bool is_blocked(store::Reader& reader, CompanyId company, IssueId issue);

/// An active pause of an issue or one above it (spec/work-domain.md 10.5).
struct PauseHold {
  AnyId id;
  IssueId root_issue_id;
  std::string mode;
  std::optional<std::string> reason;
  RawJson release_policy;
};
BOOST_DESCRIBE_STRUCT(PauseHold, (), (id, root_issue_id, mode, reason, release_policy))

std::optional<PauseHold> active_pause_hold(store::Reader& reader, CompanyId company, IssueId issue);

}  // namespace paperclip::domain
