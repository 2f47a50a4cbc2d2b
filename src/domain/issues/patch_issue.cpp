#include "domain/issues/patch_issue.h"

#include <algorithm>

#include "base/write_json.h"
#include "domain/access/permissions.h"
#include "domain/activity/activity.h"
#include "domain/issues/blockers.h"
#include "domain/issues/closed_workspace.h"
#include "domain/issues/comments.h"
#include "domain/issues/follow_up.h"
#include "domain/issues/issue_edit.h"
#include "domain/issues/issue_monitor.h"
#include "domain/issues/issue_rows.h"
#include "domain/environments/selection.h"
#include "domain/issues/issue_workspaces.h"
#include "domain/issues/lock.h"
#include "domain/issues/patch_wakes.h"
#include "domain/issues/references.h"
#include "domain/issues/stage_log.h"
#include "domain/labels/labels.h"

namespace paperclip::domain {

namespace {

template <class Member, class Value>
void set(IssueEdit& edit, std::string_view name, Member Issue::* member, Value&& value) {
  edit.next.*member = std::forward<Value>(value);
  edit.touch(name);
}

template <class Member, class T>
void set_if_sent(IssueEdit& edit, std::string_view name, std::optional<Member> Issue::* member, const Patch<T>& sent) {
  if (!sent) return;
  sent.apply(edit.next.*member);
  edit.touch(name);
}

std::optional<RawJson> raw_of(const auto& sent) { return sent.has_value() ? std::optional(sent->raw) : std::nullopt; }

// The plain fields of the body, without checks.
void take_fields(store::Reader& reader, IssueEdit& edit, const IssuePatchBody& body) {
  if (body.title) set(edit, "title", &Issue::title, std::string(*body.title));
  set_if_sent(edit, "description", &Issue::description, body.description);
  if (body.status) set(edit, "status", &Issue::status, *body.status);
  if (body.priority) set(edit, "priority", &Issue::priority, *body.priority);
  set_if_sent(edit, "assignee_user_id", &Issue::assignee_user_id, body.assignee_user_id);
  set_if_sent(edit, "project_id", &Issue::project_id, body.project_id);
  set_if_sent(edit, "project_workspace_id", &Issue::project_workspace_id, body.project_workspace_id);
  set_if_sent(edit, "goal_id", &Issue::goal_id, body.goal_id);
  set_if_sent(edit, "parent_id", &Issue::parent_id, body.parent_id);
  set_if_sent(edit, "billing_code", &Issue::billing_code, body.billing_code);
  set_if_sent(edit, "hidden_at", &Issue::hidden_at, body.hidden_at);
  if (body.request_depth)
    set(edit, "request_depth", &Issue::request_depth,
        static_cast<int>(std::min<std::int64_t>(body.request_depth->value, max_request_depth)));
  if (body.assignee_adapter_overrides)
    set(edit, "assignee_adapter_overrides", &Issue::assignee_adapter_overrides,
        raw_of(body.assignee_adapter_overrides));
  const bool names_workspace =
      body.execution_workspace_id || body.execution_workspace_preference || body.execution_workspace_settings;
  if (names_workspace && isolated_workspaces_enabled(reader)) {
    set_if_sent(edit, "execution_workspace_id", &Issue::execution_workspace_id, body.execution_workspace_id);
    set_if_sent(edit, "execution_workspace_preference", &Issue::execution_workspace_preference,
                body.execution_workspace_preference);
    if (body.execution_workspace_settings)
      set(edit, "execution_workspace_settings", &Issue::execution_workspace_settings,
          raw_of(body.execution_workspace_settings));
  }
  if (body.blocked_by_issue_ids) edit.blockers = *body.blocked_by_issue_ids;
  if (body.label_ids) edit.labels = *body.label_ids;
}

Result<> check_host_commands(const CompanyScope& scope, const IssuePatchBody& body) {
  if (!scope.actor().is_agent()) return {};
  const auto overrides = raw_of(body.assignee_adapter_overrides);
  const auto settings = raw_of(body.execution_workspace_settings);
  const auto paths = host_command_paths(overrides ? &*overrides : nullptr, settings ? &*settings : nullptr);
  if (paths.empty()) return {};
  return forbidden("Agent keys cannot modify host-executed workspace commands (" + paths + ").");
}

void set_assignee(IssueEdit& edit, const std::optional<Principal>& who) {
  set(edit, "assignee_agent_id", &Issue::assignee_agent_id, who ? who->agent_id : std::nullopt);
  set(edit, "assignee_user_id", &Issue::assignee_user_id, who ? who->user_id : std::nullopt);
}

std::optional<Principal> actor_principal(const CompanyScope& scope) {
  const Author author = scope.author();
  return Principal::of(author.agent_id, author.user_id());
}

// Steps 8 and 9: what the stages make of the request.
Result<StageTransition> apply_stages(store::Transaction& tx, const CompanyScope& scope, IssueEdit& edit,
                                     const IssuePatchBody& body, const std::optional<ExecutionPolicy>& policy) {
  StageRequest request;
  request.status = edit.before.status;
  request.assignee = Principal::of(edit.before.assignee_agent_id, edit.before.assignee_user_id);
  request.state = parse_state(edit.before.execution_state);
  request.policy = policy;
  if (edit.touches("status")) request.requested_status = edit.next.status;
  request.assignee_requested = edit.touches("assignee_agent_id") || edit.touches("assignee_user_id");
  if (request.assignee_requested)
    request.requested_assignee = Principal::of(edit.next.assignee_agent_id, edit.next.assignee_user_id);
  request.actor = actor_principal(scope);
  if (body.comment) request.comment = *body.comment;
  if (body.review_request.has_value()) request.review_request = *body.review_request;
  if (request.policy || request.state) request.decision_id = tx.new_id<DecisionId>();
  StageTransition transition = TRY(advance_stage(request));
  if (transition.sets_state) {
    // The monitor's story is not the stages' to delete.
    auto state = transition.state;
    if (!state && request.state && request.state->monitor) state = ExecutionState{};
    if (state && request.state) state->monitor = request.state->monitor;
    set(edit, "execution_state", &Issue::execution_state, stored_json(state));
  } else if (body.review_request) {
    auto state = request.state;
    if (!state || state->status != StageProgress::pending) {
      if (body.review_request.has_value())
        return unprocessable("reviewRequest requires an active review or approval stage");
    } else {
      state->review_request = body.review_request.optional();
      set(edit, "execution_state", &Issue::execution_state, stored_json(state));
    }
  }
  if (transition.status) set(edit, "status", &Issue::status, *transition.status);
  if (transition.sets_assignee) set_assignee(edit, transition.assignee);
  return transition;
}

// Step 10.
Result<> check_assignment(store::Reader& reader, const CompanyScope& scope, const IssueEdit& edit,
                          const StageTransition& transition) {
  if (!edit.changes_assignee() || transition.workflow_assignment) return {};
  const auto& agent = scope.actor().agent_id;
  const bool hands_back = scope.actor().is_agent() && edit.before.assignee_agent_id == agent &&
                          !edit.next.assignee_agent_id && edit.next.assignee_user_id &&
                          edit.next.assignee_user_id == edit.before.created_by_user_id;
  if (hands_back) return {};
  return require_assign_tasks(reader, scope);
}

void store_decision(store::Transaction& tx, const CompanyScope& scope, const Issue& issue,
                    const StageDecision& decision) {
  const Author author = scope.author();
  tx.insert(table_of<IssueExecutionDecision>,
            IssueExecutionDecision{decision.id, issue.company_id, issue.id, decision.stage_id, decision.stage_type,
                                   author.agent_id, author.user_id(), decision.outcome, decision.body, author.run_id,
                                   tx.now(), tx.now()});
}

json::array ids_of(const auto& list) {
  json::array ids;
  for (const auto& item : list) ids.push_back(json::value(item.view()));
  return ids;
}

std::vector<IssueName> blocker_names(store::Reader& reader, const Issue& issue) {
  return reader.all<IssueName>(
      "select b.id, b.identifier, b.title from issue_relations r join issues b on b.id = r.issue_id "
      "where r.related_issue_id = :1 and r.company_id = :2 and r.type = 'blocks' order by b.issue_number",
      issue.id, issue.company_id);
}

json::object blocker_changes(const Issue& issue, const std::vector<IssueName>& before,
                             const std::vector<IssueName>& after) {
  json::object details{{"identifier", issue.identifier ? json::value(*issue.identifier) : json::value(nullptr)}};
  const auto add = [&](const std::string& ids, const std::string& issues, const std::vector<IssueName>& list) {
    json::array all;
    for (const auto& name : list) all.push_back(json::value(name.id.view()));
    details[ids] = std::move(all);
    details[issues] = to_json(list);
  };
  const auto without = [](const std::vector<IssueName>& list, const std::vector<IssueName>& other) {
    std::vector<IssueName> rest;
    for (const auto& name : list)
      if (std::none_of(other.begin(), other.end(), [&](const IssueName& known) { return known.id == name.id; }))
        rest.push_back(name);
    return rest;
  };
  add("blockedByIssueIds", "blockedByIssues", after);
  add("addedBlockedByIssueIds", "addedBlockedByIssues", without(after, before));
  add("removedBlockedByIssueIds", "removedBlockedByIssues", without(before, after));
  return details;
}

// One of the sets, as sent and, if it differs, as it was.
void add_set(json::object& details, const char* key, json::array sent, json::array before) {
  auto sorted = [](json::array list) {
    std::sort(list.begin(), list.end(),
              [](const json::value& a, const json::value& b) { return a.get_string() < b.get_string(); });
    return list;
  };
  if (sorted(sent) != sorted(before)) {
    if (!details.contains("_previous")) details["_previous"] = json::object();
    details["_previous"].get_object()[key] = std::move(before);
  }
  details[key] = std::move(sent);
}

}  // namespace

Result<PatchedIssue> patch_issue(store::Transaction& tx, const CompanyScope& scope, IssueId id,
                                 const IssuePatchBody& body) {
  const CompanyId company = scope.company_id();
  Issue issue = TRY(lock_issue(tx, company, id));
  TRY(check_host_commands(scope, body));
  TRY(require_mutation(tx, scope, issue));
  IssueEdit edit(issue);
  take_fields(tx, edit, body);
  if (body.assignee_agent_id)
    set(edit, "assignee_agent_id", &Issue::assignee_agent_id,
        body.assignee_agent_id.has_value()
            ? std::optional(TRY(find_agent_reference(tx, company, *body.assignee_agent_id)))
            : std::nullopt);

  const FollowUpIntent intent{body.reopen.value_or(false), body.resume.value_or(false)};
  if (intent.resume && !body.comment) return bad_request("Follow-up intent requires a comment");
  TRY(require_follow_up(tx, scope, issue, intent));
  if (body.execution_workspace_settings)
    TRY(check_issue_environment(tx, company, raw_of(body.execution_workspace_settings), edit.next.assignee_agent_id));
  else if (body.assignee_agent_id.has_value() && edit.next.assignee_agent_id != issue.assignee_agent_id)
    TRY(check_issue_environment(tx, company, issue.execution_workspace_settings, edit.next.assignee_agent_id));
  const bool changes_fields = !edit.empty() || body.execution_policy || body.review_request;
  if (body.comment || (scope.actor().is_agent() && changes_fields)) TRY(require_open_workspace(tx, issue));

  CommentCircumstances circumstances;
  circumstances.resume = intent.resume;
  circumstances.with_update = true;
  if (body.interrupt.value_or(false)) {
    if (!body.comment) return bad_request("Interrupt is only supported when posting a comment");
    if (!scope.actor().is_board()) return forbidden("Only board users can interrupt active runs from issue comments");
    circumstances.interrupted_run_id =
        stop_running_run(tx, scope, issue, running_run(tx, issue), "issue_comment_interrupt");
    issue = TRY(lock_issue(tx, company, id));
  }
  if (body.comment && !edit.touches("status") && moves_to_todo(tx, scope, issue, intent, edit.next.assignee_agent_id)) {
    circumstances.reopened_from = issue.status;
    set(edit, "status", &Issue::status, IssueStatus::todo);
  }

  const auto policy_before = parse_policy(issue.execution_policy);
  auto policy = policy_before;
  if (body.execution_policy) {
    policy = body.execution_policy.has_value()
                 ? normalise_policy(*body.execution_policy,
                                    scope.actor().is_agent() ? MonitorScheduledBy::assignee : MonitorScheduledBy::board,
                                    tx.random())
                 : std::nullopt;
    set(edit, "execution_policy", &Issue::execution_policy, stored_json(policy));
    if (scope.actor().is_agent() && scope.actor().agent_id != issue.assignee_agent_id &&
        monitor_of(policy_before) != monitor_of(policy))
      return forbidden("Only the assignee agent or a board user can manage issue monitors");
  }
  const StageTransition transition = TRY(apply_stages(tx, scope, edit, body, policy));
  TRY(check_assignment(tx, scope, edit, transition));
  TRY(schedule_monitor(edit, policy_before, policy, static_cast<bool>(body.execution_policy), tx.now()));

  const bool cancels = edit.touches("status") && edit.next.status == IssueStatus::cancelled;
  const auto run_to_cancel = cancels ? running_run(tx, issue) : std::nullopt;
  const auto blockers_before = edit.blockers ? blocker_names(tx, issue) : std::vector<IssueName>();
  const auto labels_before = edit.labels ? labels_of_issue(tx, id) : std::vector<Label>();
  TRY(apply_edit(tx, scope, edit));
  if (transition.decision) store_decision(tx, scope, edit.next, *transition.decision);
  const auto cancelled_run =
      cancels ? stop_running_run(tx, scope, issue, run_to_cancel, "issue_status_cancelled") : std::nullopt;

  std::vector<IssueName> named_before;
  const bool text_changed = body.title || body.description;
  if (text_changed) {
    named_before = referenced_issues(tx, company, id);
    if (body.title)
      sync_references(tx, company, id, {ReferenceSource::title, std::nullopt, std::nullopt}, edit.next.title);
    if (body.description)
      sync_references(tx, company, id, {ReferenceSource::description, std::nullopt, std::nullopt},
                      edit.next.description.value_or(""));
  }
  if (edit.touches("status")) sync_routine_run(tx, edit.next);
  if (!body.comment) note_run_activity(tx, scope);

  json::object details = edit.details();
  const auto blockers_after = edit.blockers ? blocker_names(tx, issue) : std::vector<IssueName>();
  if (edit.blockers) {
    std::vector<IssueId> before_ids;
    for (const auto& name : blockers_before) before_ids.push_back(name.id);
    add_set(details, "blockedByIssueIds", ids_of(*edit.blockers), ids_of(before_ids));
  }
  if (edit.labels) {
    std::vector<LabelId> before_ids;
    for (const auto& label : labels_before) before_ids.push_back(label.id);
    add_set(details, "labelIds", ids_of(*edit.labels), ids_of(before_ids));
  }
  details["identifier"] = issue.identifier ? json::value(*issue.identifier) : json::value(nullptr);
  if (body.comment) details["source"] = "comment";
  if (circumstances.reopened_from) details["reopened"] = true;
  add_circumstances(details, circumstances);
  if (cancelled_run) details["cancelledStatusRunId"] = cancelled_run->view();
  if (text_changed) add_reference_changes(details, named_before, referenced_issues(tx, company, id));
  log_activity(tx, company, scope.author(), {"issue.updated", "issue", id.str(), std::move(details)});
  if (edit.blockers && blockers_before != blockers_after)
    log_activity(
        tx, company, scope.author(),
        {"issue.blockers_updated", "issue", id.str(), blocker_changes(issue, blockers_before, blockers_after)});
  if (body.execution_policy) log_stage_participants(tx, scope, edit.next, policy_before, policy);
  log_monitor_change(tx, scope, edit.before, edit.next);

  PatchedIssue patched;
  if (body.comment) {
    patched.comment = speak(tx, scope, edit.next, *body.comment, circumstances);
    edit.next.updated_at = tx.now();
  }
  wake_after_patch(tx, scope, edit, transition, circumstances, body, patched.comment);
  patched.issue = std::move(edit.next);
  return patched;
}

}  // namespace paperclip::domain
