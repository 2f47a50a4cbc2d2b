#pragma once

#include <optional>
#include <string>
#include <vector>

#include "domain/issues/issue_views.h"
#include "store/reader.h"

/// Listing and searching the issues of a company (spec/issues.md 5.1).
namespace paperclip::domain {

/// All given filters must hold. Ids are text as callers sent them: what is no id matches nothing.
struct IssueFilter {
  std::vector<std::string> statuses;
  std::optional<std::string> assignee_agent_id, assignee_user_id, project_id, parent_id, label_id, origin_kind,
      origin_id, execution_workspace_id, workspace_id, descendant_of, participant_agent_id;
  std::optional<std::string> touched_by_user_id, inbox_user_id, unread_for_user_id;
  std::string search;
  bool exclude_routine_executions = false;
  bool with_blocked_by = false;
  int limit = 500, offset = 0;

  /// For whom unread marks are computed.
  const std::optional<std::string>& context_user() const {
    return unread_for_user_id ? unread_for_user_id : touched_by_user_id ? touched_by_user_id : inbox_user_id;
  }
};

/// Appends a JSON array of list rows.
void append_issue_list(std::string& out, store::Reader& reader, CompanyId company, const IssueFilter& filter);

/// Appends the compact inbox of an agent: its issues in todo, in_progress and blocked (spec/issues.md 5.13).
void append_inbox_lite(std::string& out, store::Reader& reader, CompanyId company, AgentId agent);

}  // namespace paperclip::domain
