#include <algorithm>

#include "base/write_json.h"
#include "domain/budgets/invocation_block.h"
#include "domain/runs/work_issue.h"
#include "domain/waiting/agent_waits.h"
#include "domain/waiting/why.h"
#include "domain/waiting/why_parts.h"

namespace paperclip::domain {

namespace {

constexpr std::size_t most_shown = 50;

struct AskedIssue {
  std::optional<std::string> checkout_run_id, execution_run_id;
  std::optional<Timestamp> execution_locked_at, monitor_next_check_at;
  std::int64_t lock_fence = 0;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(AskedIssue, (), (checkout_run_id, execution_run_id, execution_locked_at, monitor_next_check_at, lock_fence, updated_at))

struct Holder {
  RunId run_id;
  AgentId agent_id;
  std::string agent_name, status;
  bool live = false;
  std::optional<Timestamp> started_at, finished_at, last_output_at;
  std::optional<int> process_pid;
};
BOOST_DESCRIBE_STRUCT(Holder, (), (run_id, agent_id, agent_name, status, live, started_at, finished_at, last_output_at, process_pid))

struct Assignee {
  std::optional<AgentId> agent_id;
  std::optional<std::string> user_id;
  std::optional<std::string> name, status;
};
BOOST_DESCRIBE_STRUCT(Assignee, (), (agent_id, user_id, name, status))

struct LastRun {
  RunId run_id;
  std::string status;
  std::optional<std::string> error_code, liveness_state, liveness_reason, next_action;
  std::optional<Timestamp> finished_at;
};
BOOST_DESCRIBE_STRUCT(LastRun, (), (run_id, status, error_code, liveness_state, liveness_reason, next_action, finished_at))

std::string name_of(const Blocker& blocker) { return blocker.identifier.value_or(blocker.title); }

// The people's side: whose turn it is, and what they were asked.
void wait_for_people(store::Reader& reader, const WorkIssue& issue, Timestamp updated, std::vector<Wait>& waits) {
  if (issue.status == "in_review") {
    Wait wait{"review", "It is in review.", updated, "a decision of the reviewer", {}, {}, {}, {}, {}, {}};
    const auto state = issue.execution_state.parse();
    if (const auto* participant = member(state, "currentParticipant")) {
      if (const auto agent = text_at(*participant, "agentId")) wait.by = named_author(reader, "agent", *agent);
      else if (const auto user = text_at(*participant, "userId")) wait.by = named_author(reader, "user", *user);
      if (wait.by) wait.message = "It is in review; " + wait.by->name.value_or(wait.by->id) + " has to decide.";
    }
    waits.push_back(std::move(wait));
  }
  using Asked = std::tuple<std::string, std::string, Timestamp>;
  for (const auto& [id, kind, since] : reader.all<Asked>(
           "select cast(id as text), kind, created_at from issue_thread_interactions where issue_id = :1 and status = 'pending' order by created_at, id limit 20", issue.id)) {
    Wait wait{"interaction_pending", "A question to people is open (" + kind + ").", since, "an answer to it", {}, {}, {}, {}, {}, {}};
    wait.entity_id = id;
    waits.push_back(std::move(wait));
  }
  for (const auto& [id, type, since] : reader.all<Asked>(
           "select cast(a.id as text), a.type, a.created_at from issue_approvals l join approvals a on a.id = l.approval_id "
           "where l.issue_id = :1 and a.status in ('pending', 'revision_requested') order by a.created_at, a.id limit 20", issue.id)) {
    Wait wait{"approval_pending", "An approval is open (" + type + ").", since, "the board's decision", {}, {}, {}, {}, {}, {}};
    wait.entity_id = id;
    waits.push_back(std::move(wait));
  }
}

void wait_for_pauses(store::Reader& reader, const WorkIssue& issue, std::vector<Wait>& waits) {
  if (const auto hold = active_pause_hold(reader, issue.company_id, issue.id)) {
    using Made = std::tuple<Timestamp, std::string, std::optional<std::string>, std::optional<std::string>>;
    const auto made = reader.one<Made>("select created_at, created_by_actor_type, cast(created_by_agent_id as text), created_by_user_id from issue_tree_holds where id = :1", hold->id);
    Wait wait{"tree_hold", "It, or an issue above it, is paused" + (hold->reason ? ": " + *hold->reason : std::string(".")), std::nullopt, "resuming that subtree", {}, {}, {}, {}, hold->root_issue_id, hold->id.str()};
    if (made) {
      wait.since = std::get<0>(*made);
      const auto& id = std::get<2>(*made) ? std::get<2>(*made) : std::get<3>(*made);
      if (id) wait.by = named_author(reader, std::get<1>(*made), *id);
    }
    waits.push_back(std::move(wait));
  }
  if (!issue.project_id) return;
  using Pause = std::pair<Timestamp, std::optional<std::string>>;
  if (const auto pause = reader.one<Pause>("select paused_at, pause_reason from projects where id = :1 and paused_at is not null", *issue.project_id)) {
    const bool budget = pause->second == "budget";
    Wait wait{"project_paused", budget ? "Its project is paused because its budget was used up." : "Its project is paused.", pause->first,
              budget ? "raising the project's budget" : "resuming the project", {}, {}, {}, {}, {}, issue.project_id->str()};
    if (!budget) wait.by = last_author(reader, issue.company_id, "project.updated", issue.project_id->view());
    waits.push_back(std::move(wait));
  }
}

void wait_for_others(store::Reader& reader, const WorkIssue& issue, Timestamp updated, std::vector<Wait>& waits) {
  const auto blockers = unresolved_blockers(reader, issue.company_id, issue.id);
  for (const auto& blocker : blockers)
    waits.push_back({"blocked_by_issue", name_of(blocker) + " (" + blocker.status + ") has to be done first.", std::nullopt, "setting " + name_of(blocker) + " to done",
                     {}, {}, {}, blocker.assignee_agent_id, blocker.id, {}});
  if (blockers.empty() && issue.status == "blocked")
    waits.push_back({"marked_blocked", "It is marked as blocked.", updated, "moving it to todo, or a comment", {}, last_author(reader, issue.company_id, "issue.updated", issue.id.view()), {}, {}, {}, {}});
}

// What keeps the issue itself; its agent's queue comes after.
std::vector<Wait> issue_waits(store::Reader& reader, const WorkIssue& issue, Timestamp updated) {
  std::vector<Wait> waits;
  if (issue.is_closed()) {
    waits.push_back({"closed", "It is " + issue.status + ".", updated, "reopening it", {}, {}, {}, {}, {}, {}});
    return waits;
  }
  if (issue.status == "backlog") waits.push_back({"backlog", "It is in the backlog, where nothing starts.", updated, "moving it to todo", {}, {}, {}, {}, {}, {}});
  if (!issue.assignee_agent_id && !issue.assignee_user_id) waits.push_back({"unassigned", "Nobody has it.", updated, "assigning it to an agent", {}, {}, {}, {}, {}, {}});
  if (issue.assignee_user_id) {
    Wait wait{"assigned_to_user", "A person has it.", updated, "what they do with it", {}, named_author(reader, "user", *issue.assignee_user_id), {}, {}, {}, {}};
    if (wait.by->name) wait.message = *wait.by->name + " has it.";
    waits.push_back(std::move(wait));
  }
  wait_for_pauses(reader, issue, waits);
  wait_for_others(reader, issue, updated, waits);
  wait_for_people(reader, issue, updated, waits);
  return waits;
}

std::vector<WaitingWake> wakes_of(store::Reader& reader, const WorkIssue& issue) {
  auto wakes = reader.all<WaitingWake>(std::string(waiting_wakes) + " and r.context_issue_id = :1 and r.company_id = :2 order by w.requested_at, w.id limit 1000", issue.id, issue.company_id);
  for (auto& wake : reader.all<WaitingWake>(std::string(waiting_wakes) + " and w.status = 'deferred_issue_execution' and w.company_id = :1 order by w.requested_at, w.id", issue.company_id))
    if (wake.issue() == issue.id) wakes.push_back(std::move(wake));
  std::stable_sort(wakes.begin(), wakes.end(), [](const WaitingWake& a, const WaitingWake& b) { return a.requested_at < b.requested_at; });
  return wakes;
}

std::optional<Holder> holder_of(store::Reader& reader, const WorkIssue& issue) {
  const auto run = issue.execution_run_id ? issue.execution_run_id : issue.checkout_run_id;
  if (!run) return std::nullopt;
  return reader.one<Holder>("select r.id, r.agent_id, a.name, r.status, r.status in ('queued', 'running', 'scheduled_retry'), r.started_at, r.finished_at, "
                            "r.last_output_at, r.process_pid from heartbeat_runs r join agents a on a.id = r.agent_id where r.id = :1",
                            *run);
}

}  // namespace

bool append_issue_why(std::string& out, store::Reader& reader, IssueId id, const MachineSlots& machine) {
  const auto company = reader.value<CompanyId>("select company_id from issues where id = :1", id);
  const auto issue = company ? find_work_issue(reader, *company, id) : std::nullopt;
  const auto more = reader.one<AskedIssue>("select {} from issues where id = :1", id);
  if (!issue || !more) return false;
  const auto holder = holder_of(reader, *issue);
  const auto runs = reader.all<WhyRun>(std::string(why_runs) + "where r.context_issue_id = :1 and r.company_id = :2 and r.status = 'running' order by r.started_at, r.id", id, *company);
  const auto wakes = wakes_of(reader, *issue);
  auto waits = issue_waits(reader, *issue, more->updated_at);
  Assignee assignee{issue->assignee_agent_id, issue->assignee_user_id, std::nullopt, std::nullopt};
  if (issue->assignee_agent_id) {
    assignee.name = reader.value<std::string>("select name from agents where id = :1", *issue->assignee_agent_id);
    assignee.status = reader.value<std::string>("select status from agents where id = :1", *issue->assignee_agent_id);
    if (!issue->is_closed() && runs.empty())
      for (auto& wait : agent_waits(reader, *company, *issue->assignee_agent_id, machine)) waits.push_back(std::move(wait));
  }
  std::vector<WhyWake> queue;
  for (std::size_t i = 0; i < wakes.size() && i < most_shown; ++i) {
    const auto keeps = agent_waits(reader, *company, wakes[i].agent_id, machine);
    queue.push_back(explain_wake(reader, *company, wakes[i], keeps.empty() ? std::nullopt : std::optional(keeps.front())));
  }
  if (runs.empty() && waits.empty() && !queue.empty()) waits.push_back(queue.front().waits_for);
  if (more->monitor_next_check_at && !issue->is_closed())
    waits.push_back({"monitor_scheduled", "A check is scheduled.", std::nullopt, "the time of the check", more->monitor_next_check_at, {}, {}, {}, {}, {}});
  if (runs.empty() && waits.empty())
    waits.push_back({"nothing_queued", "Its agent could work on it, but nothing asks it to.", more->updated_at, "a comment, a wake, or the scheduler's look at stranded work", {}, {}, {}, {}, {}, {}});

  const std::string state = !runs.empty() ? "running" : issue->is_closed() ? "closed" : waits.front().code == "nothing_queued" ? "idle" : "waiting";
  const std::string summary = !runs.empty() ? runs.front().agent_name + " works on it."
                                            : waits.front().message + (issue->is_closed() ? "" : " It ends with " + waits.front().ended_by + ".");
  const auto last = reader.one<LastRun>("select id, status, error_code, liveness_state, liveness_reason, next_action, finished_at from heartbeat_runs "
                                        "where context_issue_id = :1 and company_id = :2 and status not in ('queued', 'running', 'scheduled_retry') order by created_at desc, id desc limit 1",
                                        id, *company);
  JsonObjectWriter writer(out);
  writer.field("issueId", id).field("identifier", issue->identifier).field("title", issue->title).field("status", issue->status).field("state", state).field("summary", summary);
  writer.field("assignee", assignee);
  std::string& text = writer.begin("holder");
  if (holder) JsonObjectWriter(text).members(*holder).field("fence", more->lock_fence).field("since", more->execution_locked_at ? more->execution_locked_at : holder->started_at).end();
  else text += "null";
  writer.field("waitsFor", waits)
      .field("runs", runs)
      .field("queue", queue)
      .field("queueLength", wakes.size())
      .field("nextRetry", next_retry(wakes))
      .field("nextCheckAt", more->monitor_next_check_at)
      .field("pause", first_with(waits, {"tree_hold", "project_paused", "agent_paused", "company_paused"}))
      .field("budget", issue->assignee_agent_id ? explain_budget(reader, *company, *issue->assignee_agent_id, issue->project_id) : WhyBudget{})
      .field("lastRun", last)
      .end();
  return true;
}

}  // namespace paperclip::domain
