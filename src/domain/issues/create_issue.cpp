#include "domain/issues/create_issue.h"

#include <algorithm>

#include "domain/access/permissions.h"
#include "domain/activity/activity.h"
#include "domain/issues/blockers.h"
#include "domain/issues/issue_monitor.h"
#include "domain/issues/issue_rows.h"
#include "domain/issues/issue_wakes.h"
#include "domain/environments/selection.h"
#include "domain/issues/issue_workspaces.h"
#include "domain/issues/references.h"
#include "domain/labels/labels.h"

namespace paperclip::domain {

namespace {

struct IssueNumber {
  int issue_counter = 0;
  std::string issue_prefix;
};
BOOST_DESCRIBE_STRUCT(IssueNumber, (), (issue_counter, issue_prefix))

// The update locks the company's row, so numbers are given out one at a time. A counter that fell behind is repaired.
Result<IssueNumber> next_number(store::Transaction& tx, CompanyId company) {
  const auto highest = tx.value<int>("select max(issue_number) from issues where company_id = :1", company).value_or(0);
  auto number = tx.one<IssueNumber>(
      "update companies set issue_counter = case when issue_counter < :2 then :2 else issue_counter end + 1 "
      "where id = :1 returning issue_counter, issue_prefix",
      company, highest);
  if (!number) return not_found("Company not found");
  return *std::move(number);
}

int clamped_depth(std::int64_t depth) {
  return static_cast<int>(std::clamp<std::int64_t>(depth, 0, max_request_depth));
}

MonitorScheduledBy scheduler_of(const CompanyScope& scope) {
  return scope.actor().is_agent() ? MonitorScheduledBy::assignee : MonitorScheduledBy::board;
}

// What the two bodies share.
template <class Body>
Result<NewIssue> from_body(store::Transaction& tx, const CompanyScope& scope, const Body& body) {
  const RawJson* overrides = body.assignee_adapter_overrides ? &body.assignee_adapter_overrides->raw : nullptr;
  const RawJson* settings = body.execution_workspace_settings ? &body.execution_workspace_settings->raw : nullptr;
  if (scope.actor().is_agent())
    if (const auto paths = host_command_paths(overrides, settings); !paths.empty())
      return forbidden("Agent keys cannot modify host-executed workspace commands (" + paths + ").");
  if (body.assignee_agent_id || body.assignee_user_id) TRY(require_assign_tasks(tx, scope));
  NewIssue issue;
  issue.title = body.title;
  if (body.description) issue.description = std::string(*body.description);
  issue.status = *body.status;
  issue.priority = *body.priority;
  issue.assignee_agent_id = body.assignee_agent_id;
  issue.assignee_user_id = body.assignee_user_id;
  issue.project_id = body.project_id;
  issue.project_workspace_id = body.project_workspace_id;
  issue.goal_id = body.goal_id;
  if (body.blocked_by_issue_ids) issue.blockers = *body.blocked_by_issue_ids;
  if (body.label_ids) issue.labels = *body.label_ids;
  issue.request_depth = clamped_depth(body.request_depth.value);
  issue.billing_code = body.billing_code;
  if (overrides != nullptr) issue.assignee_adapter_overrides = *overrides;
  if (settings != nullptr) issue.execution_workspace_settings = *settings;
  issue.execution_workspace_id = body.execution_workspace_id;
  issue.execution_workspace_preference = body.execution_workspace_preference;
  TRY(check_issue_environment(tx, scope.company_id(), issue.execution_workspace_settings, issue.assignee_agent_id));
  if (body.execution_policy) {
    issue.execution_policy = normalise_policy(*body.execution_policy, scheduler_of(scope), tx.random());
    if (issue.execution_policy && issue.execution_policy->monitor && scope.actor().is_agent() &&
        scope.actor().agent_id != issue.assignee_agent_id)
      return forbidden("Only the assignee agent or a board user can manage issue monitors");
  }
  return issue;
}

json::value text_or_null(const std::optional<std::string>& text) {
  return text ? json::value(*text) : json::value(nullptr);
}

std::string with_criteria(std::string description, const std::vector<Trimmed<1, 500>>& criteria) {
  if (criteria.empty()) return description;
  if (!description.empty()) description += "\n\n";
  description += "## Acceptance Criteria\n";
  for (const auto& criterion : criteria) description += "\n- " + criterion;
  return description;
}

}  // namespace

Result<Issue> insert_issue(store::Transaction& tx, CompanyId company, const NewIssue& given, const Author& creator) {
  if (given.assignee_agent_id && given.assignee_user_id) return unprocessable("Issue can only have one assignee");
  if (given.status == IssueStatus::in_progress && !given.assignee_agent_id && !given.assignee_user_id)
    return unprocessable("in_progress issues require an assignee");
  if (given.assignee_agent_id) TRY(require_assignable_agent(tx, company, *given.assignee_agent_id));
  if (given.assignee_user_id) TRY(require_assignable_user(tx, company, *given.assignee_user_id));
  TRY(require_own_references(tx, company, given.project_id, given.goal_id, std::nullopt));

  std::optional<Issue> source;
  const auto inherit_from = given.inherit_workspace_from ? given.inherit_workspace_from : given.parent_id;
  if (inherit_from) {
    auto found = load_issue(tx, company, *inherit_from);
    if (!found) return not_found("Workspace inheritance issue not found");
    source = *std::move(found);
  }
  if (given.parent_id && given.parent_id != inherit_from)
    TRY(require_own_references(tx, company, std::nullopt, std::nullopt, given.parent_id));

  Issue issue;
  issue.id = tx.new_id<IssueId>();
  issue.company_id = company;
  issue.project_id = given.project_id;
  issue.project_workspace_id = given.project_workspace_id;
  issue.parent_id = given.parent_id;
  issue.title = given.title;
  issue.description = given.description;
  issue.status = given.status;
  issue.priority = given.priority;
  issue.assignee_agent_id = given.assignee_agent_id;
  issue.assignee_user_id = given.assignee_user_id;
  issue.created_by_agent_id = creator.agent_id;
  issue.created_by_user_id = creator.user_id();
  issue.origin_kind = given.origin_kind;
  issue.origin_id = given.origin_id;
  issue.origin_run_id = given.origin_run_id;
  issue.origin_fingerprint = given.origin_fingerprint;
  issue.request_depth = clamped_depth(given.request_depth);
  issue.billing_code = given.billing_code;
  issue.assignee_adapter_overrides = given.assignee_adapter_overrides;
  const bool names_workspace =
      given.execution_workspace_id || given.execution_workspace_preference || given.execution_workspace_settings;
  if (names_workspace && isolated_workspaces_enabled(tx)) {
    issue.execution_workspace_id = given.execution_workspace_id;
    issue.execution_workspace_preference = given.execution_workspace_preference;
    issue.execution_workspace_settings = given.execution_workspace_settings;
  }
  TRY(settle_workspaces(
      tx, issue, source,
      issue.execution_workspace_id || issue.execution_workspace_preference || issue.execution_workspace_settings));
  issue.goal_id = given.goal_id ? given.goal_id : default_goal(tx, company, given.project_id);
  issue.execution_policy = stored_json(given.execution_policy);
  stamp_status(issue, tx.now());
  issue.created_at = issue.updated_at = tx.now();
  if (given.execution_policy && given.execution_policy->monitor) {
    IssueEdit edit(issue);
    TRY(schedule_monitor(edit, std::nullopt, given.execution_policy, true, tx.now()));
    issue = edit.next;
  }

  const IssueNumber number = TRY(next_number(tx, company));
  issue.issue_number = number.issue_counter;
  issue.identifier = number.issue_prefix + "-" + std::to_string(number.issue_counter);
  tx.insert(table_of<Issue>, issue);
  if (!given.labels.empty()) TRY(set_issue_labels(tx, company, issue.id, given.labels, true));
  if (!given.blockers.empty()) TRY(set_blockers(tx, company, issue.id, given.blockers, creator, true));
  return issue;
}

Result<Issue> create_issue(store::Transaction& tx, const CompanyScope& scope, const NewIssueBody& body) {
  NewIssue given = TRY(from_body(tx, scope, body));
  given.parent_id = body.parent_id;
  given.inherit_workspace_from = body.inherit_execution_workspace_from_issue_id;
  const Issue issue = TRY(insert_issue(tx, scope.company_id(), given, scope.author()));
  sync_references(tx, scope.company_id(), issue.id, {ReferenceSource::title, std::nullopt, std::nullopt}, issue.title,
                  true);
  if (issue.description)
    sync_references(tx, scope.company_id(), issue.id, {ReferenceSource::description, std::nullopt, std::nullopt},
                    *issue.description, true);
  json::object details{{"title", issue.title}, {"identifier", text_or_null(issue.identifier)}};
  const bool may_name = issue.title.find('-') != std::string::npos ||
                        (issue.description && issue.description->find('-') != std::string::npos);
  if (may_name) add_reference_changes(details, {}, referenced_issues(tx, scope.company_id(), issue.id));
  log_activity(tx, scope.company_id(), scope.author(), {"issue.created", "issue", issue.id.str(), std::move(details)});
  log_monitor_change(tx, scope, Issue{}, issue);
  wake_new_assignee(tx, issue, scope.author(), "create", "issue.create");
  return issue;
}

Result<Issue> insert_child(store::Transaction& tx, const Issue& parent, NewIssue child, const Author& creator) {
  const auto children = tx.value<std::int64_t>("select count(*) from issues where parent_id = :1 and company_id = :2",
                                               parent.id, parent.company_id);
  if (children.value_or(0) >= max_helper_children)
    return unprocessable("Parent issue already has the maximum 25 child issues for this helper");
  child.parent_id = parent.id;
  child.inherit_workspace_from = parent.id;
  if (!child.project_id) child.project_id = parent.project_id;
  if (!child.goal_id) child.goal_id = parent.goal_id;
  child.request_depth = clamped_depth(std::max(parent.request_depth + 1, child.request_depth));
  return insert_issue(tx, parent.company_id, child, creator);
}

Result<Issue> create_child(store::Transaction& tx, const CompanyScope& scope, IssueId parent_id,
                           const NewChildBody& body) {
  auto loaded = lock_issue(tx, scope.company_id(), parent_id);
  if (!loaded) return not_found("Parent issue not found");
  const Issue parent = *std::move(loaded);
  NewIssue given = TRY(from_body(tx, scope, body));
  if (body.acceptance_criteria && !body.acceptance_criteria->empty())
    given.description = with_criteria(given.description.value_or(""), *body.acceptance_criteria);
  const Issue issue = TRY(insert_child(tx, parent, std::move(given), scope.author()));
  json::object details{{"parentId", parent.id.view()},
                       {"identifier", text_or_null(issue.identifier)},
                       {"title", issue.title},
                       {"inheritedExecutionWorkspaceFromIssueId", parent.id.view()}};
  if (body.blocked_by_issue_ids) {
    json::array ids;
    for (const auto& id : *body.blocked_by_issue_ids) ids.push_back(json::value(id.view()));
    details["blockedByIssueIds"] = std::move(ids);
  }
  if (*body.block_parent_until_done) {
    auto blockers = tx.column<IssueId>(
        "select issue_id from issue_relations where related_issue_id = :1 and company_id = :2 and type = 'blocks'",
        parent.id, scope.company_id());
    blockers.push_back(issue.id);
    TRY(set_blockers(tx, scope.company_id(), parent.id, blockers, scope.author()));
    details["parentBlockerAdded"] = true;
  }
  log_activity(tx, scope.company_id(), scope.author(),
               {"issue.child_created", "issue", issue.id.str(), std::move(details)});
  log_monitor_change(tx, scope, Issue{}, issue);
  wake_new_assignee(tx, issue, scope.author(), "create", "issue.child_create");
  return issue;
}

std::string host_command_paths(const RawJson* adapter_overrides, const RawJson* workspace_settings) {
  std::string paths;
  const auto look = [&](const RawJson* object, const std::string& path) {
    if (object == nullptr) return;
    const json::value value = object->parse();
    const auto* strategy = find_path(value, path.empty() ? "workspaceStrategy" : path + ".workspaceStrategy");
    if (strategy == nullptr || !strategy->is_object()) return;
    const std::string prefix =
        (object == adapter_overrides ? "assigneeAdapterOverrides." : "executionWorkspaceSettings.") +
        (path.empty() ? std::string() : path + ".") + "workspaceStrategy.";
    for (const char* key : {"provisionCommand", "teardownCommand"}) {
      if (!strategy->get_object().contains(key)) continue;
      if (!paths.empty()) paths += ", ";
      paths += prefix + key;
    }
  };
  look(workspace_settings, "");
  // OURS: services and jobs are commands, too.
  if (workspace_settings != nullptr) {
    const json::value settings = workspace_settings->parse();
    if (const auto* runtime = member(settings, "workspaceRuntime"); runtime != nullptr && !runtime->is_null())
      (paths += paths.empty() ? "" : ", ") += "executionWorkspaceSettings.workspaceRuntime";
  }
  look(adapter_overrides, "adapterConfig");
  return paths;
}

}  // namespace paperclip::domain
