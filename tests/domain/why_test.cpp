#include "domain/access/scope.h"
#include "domain/agents/agents.h"
#include "domain/approvals/approval.h"
#include "domain/budgets/policies.h"
#include "domain/costs/cost_event.h"
#include "domain/environments/held_directory.h"
#include "domain/issues/tree_hold.h"
#include "domain/waiting/why.h"
#include "domain/runs/cancel.h"
#include "work_in_time.h"

/// "Why is it not running?": each reason, and whom to ask (OURS).
namespace paperclip::domain {
namespace {

using namespace std::chrono_literals;

class Why : public test::WorkInTime {
 protected:
  json::value why(AgentId id, MachineSlots machine = {}) {
    std::string out;
    EXPECT_TRUE(database_->read([&](store::Reader& reader) { return append_agent_why(out, reader, id, machine); }));
    return *parse_json(out);
  }
  json::value why(IssueId id) {
    std::string out;
    EXPECT_TRUE(database_->read([&](store::Reader& reader) { return append_issue_why(out, reader, id, {}); }));
    return *parse_json(out);
  }
  static std::string codes(const json::value& answer) {
    std::string out;
    for (const auto& wait : answer.at("waitsFor").as_array()) out += (out.empty() ? "" : " ") + std::string(wait.at("code").as_string());
    return out;
  }
  static std::string state(const json::value& answer) { return std::string(answer.at("state").as_string()); }
  RunId queue(AgentId agent, const std::string& key) {
    auto wish = request();
    wish.payload = json::object{{"taskKey", key}};
    return *wake(agent, wish).outcome.run_id;
  }
  Result<> as(const Actor& actor, Result<> (*rule)(store::Transaction&, const CompanyScope&, AgentId), AgentId agent) {
    auto scope = authorise_company(actor, company_.id, true);
    return database_->write([&](store::Transaction& tx) { return rule(tx, *scope, agent); });
  }
};

TEST_P(Why, An_agent_without_work_waits_to_be_woken) {
  const auto answer = why(agent_.id);
  EXPECT_EQ(state(answer), "idle");
  EXPECT_EQ(answer.at("queueLength"), 0);
  EXPECT_TRUE(answer.at("pause").is_null());
  EXPECT_TRUE(answer.at("nextTimer").is_null());
  const auto timed = hire("Clockwork", R"({"heartbeat":{"enabled":true,"intervalSec":600}})");
  EXPECT_EQ(why(timed.id).at("nextTimer").at("intervalSec"), 600);
}

TEST_P(Why, A_pause_names_who_made_it_and_what_ends_it) {
  ASSERT_TRUE(as(local_board(), pause_agent, agent_.id).ok());
  const auto answer = why(agent_.id);
  EXPECT_EQ(state(answer), "stopped");
  EXPECT_EQ(codes(answer), "agent_paused");
  EXPECT_EQ(answer.at("pause").at("by").at("type"), "user");
  EXPECT_EQ(answer.at("pause").at("since"), json::value(to_iso(clock_.now())));
  EXPECT_EQ(answer.at("pause").at("endedBy"), "resuming the agent");
  ASSERT_TRUE(as(local_board(), terminate_agent, agent_.id).ok());
  EXPECT_EQ(codes(why(agent_.id)), "agent_terminated");
  ASSERT_TRUE(execute("update agents set status = 'pending_approval' where id = :1", agent_.id).ok());
  EXPECT_EQ(codes(why(agent_.id)), "agent_pending_approval");
}

TEST_P(Why, Budgets_and_a_paused_company_are_told) {
  ASSERT_TRUE(execute("insert into budget_policies (id, company_id, scope_type, scope_id, metric, window_kind, amount, created_at, updated_at) "
                      "values (:1, :2, 'agent', :3, 'billed_cents', 'lifetime', 5, :4, :4)", fresh<AnyId>(), company_.id, agent_.id, clock_.now()).ok());
  CostEvent cost;
  cost.id = fresh<CostEventId>();
  cost.company_id = company_.id;
  cost.agent_id = agent_.id;
  cost.provider = cost.model = "x";
  cost.cost_cents = 5;
  cost.occurred_at = cost.created_at = clock_.now();
  add(cost);
  const auto answer = why(agent_.id);
  EXPECT_EQ(codes(answer), "budget_exhausted");
  EXPECT_EQ(answer.at("budget").at("blocked"), true);
  EXPECT_EQ(answer.at("budget").at("scopeType"), "agent");
  ASSERT_TRUE(execute("update companies set status = 'paused' where id = :1", company_.id).ok());
  EXPECT_EQ(codes(why(agent_.id)), "company_paused");
}

TEST_P(Why, A_queue_says_what_each_wake_waits_for) {
  const auto one = hire("One At A Time", R"({"heartbeat":{"maxConcurrentRuns":1}})");
  const RunId first = queue(one.id, "first");
  EXPECT_EQ(why(one.id).at("queue").at(0).at("waitsFor").at("code"), "starting");
  EXPECT_EQ(codes(why(one.id, {.live = 3, .limit = 3})), "machine_full");
  ASSERT_EQ(claim(one.id).size(), 1u);
  clock_.advance(5s);
  const RunId second = queue(one.id, "second");
  const auto answer = why(one.id);
  EXPECT_EQ(state(answer), "running");
  EXPECT_EQ(codes(answer), "agent_limit");
  EXPECT_EQ(answer.at("runs").at(0).at("runId"), json::value(first.view()));
  EXPECT_EQ(answer.at("queue").at(0).at("runId"), json::value(second.view()));
  EXPECT_EQ(answer.at("queue").at(0).at("requestedBy").at("id"), "ann");
  EXPECT_EQ(answer.at("queue").at(0).at("waitsFor").at("runId"), json::value(first.view()));
  EXPECT_EQ(answer.at("queue").at(0).at("waitsFor").at("since"), json::value(to_iso(clock_.now()))) << "it waits since it was there";
}

TEST_P(Why, An_issue_that_is_worked_on_names_its_holder_and_what_is_parked_behind_it) {
  const auto id = open_issue(IssueStatus::todo, agent_.id);
  EXPECT_EQ(codes(why(id)), "nothing_queued");
  wake(agent_.id, about(id, "issue_assigned"));
  EXPECT_EQ(codes(why(id)), "starting");
  const auto claimed = claim(agent_.id);
  wake(agent_.id, comment_wake(id, comment(id, "ann")));
  const auto answer = why(id);
  EXPECT_EQ(state(answer), "running");
  EXPECT_EQ(answer.at("holder").at("runId"), json::value(claimed.at(0).run.id.view()));
  EXPECT_EQ(answer.at("holder").at("live"), true);
  EXPECT_GT(answer.at("holder").at("fence").to_number<int>(), 0);
  EXPECT_EQ(answer.at("queue").at(0).at("waitsFor").at("code"), "issue_executing");
  ASSERT_TRUE(database_->write([&](store::Transaction& tx) { return cancel_run(tx, CompanyScope::internal(company_.id), claimed[0].run.id); }).ok());
  const auto after = why(id);
  EXPECT_EQ(after.at("holder").at("live"), false);
  EXPECT_EQ(after.at("lastRun").at("status"), "cancelled");
}

TEST_P(Why, A_retry_tells_its_time) {
  const auto id = open_issue(IssueStatus::todo, agent_.id);
  wake(agent_.id, about(id, "issue_assigned"));
  auto report = failure("busy", "claude_transient_upstream");
  report.error_family = "transient_upstream";
  ASSERT_TRUE(finish(claim(agent_.id).at(0), report).ok());
  const auto retry = runs("scheduled_retry").at(0);
  for (const auto& answer : {why(id), why(agent_.id)}) {
    EXPECT_EQ(answer.at("nextRetry").at("runId"), json::value(retry.id.view()));
    EXPECT_EQ(answer.at("nextRetry").at("at"), json::value(to_iso(*retry.scheduled_retry_at)));
    EXPECT_EQ(answer.at("nextRetry").at("attempt"), 1);
  }
  EXPECT_EQ(codes(why(id)), "retry_scheduled");
}

TEST_P(Why, An_issue_tells_whose_turn_it_is) {
  EXPECT_EQ(codes(why(open_issue(IssueStatus::backlog, agent_.id))), "backlog");
  EXPECT_EQ(codes(why(open_issue(IssueStatus::done, agent_.id))), "closed");
  EXPECT_EQ(codes(why(open_issue(IssueStatus::todo, std::nullopt))), "unassigned");
  EXPECT_EQ(codes(why(open_issue(IssueStatus::blocked, agent_.id))), "marked_blocked");
  const auto persons = open_issue(IssueStatus::todo, std::nullopt);
  ASSERT_TRUE(execute("update issues set assignee_user_id = 'ann' where id = :1", persons).ok());
  EXPECT_EQ(codes(why(persons)), "assigned_to_user");
  const auto blocked = open_issue(IssueStatus::blocked, agent_.id), blocker = open_issue(IssueStatus::todo, std::nullopt);
  block(blocked, blocker);
  const auto answer = why(blocked);
  EXPECT_EQ(codes(answer), "blocked_by_issue");
  EXPECT_EQ(answer.at("waitsFor").at(0).at("issueId"), json::value(blocker.view()));
  const auto reviewed = open_issue(IssueStatus::in_review, agent_.id);
  ASSERT_TRUE(execute("update issues set execution_state = :1 where id = :2",
                      RawJson(json::value{{"currentParticipant", {{"type", "agent"}, {"agentId", agent_.id.view()}}}}), reviewed).ok());
  const auto review = why(reviewed);
  EXPECT_EQ(codes(review), "review");
  EXPECT_EQ(review.at("waitsFor").at(0).at("by").at("name"), "Worker Bee");
}

TEST_P(Why, Holds_open_questions_and_approvals_are_told) {
  const auto id = open_issue(IssueStatus::todo, agent_.id);
  IssueTreeHold hold;
  hold.id = fresh<TreeHoldId>();
  hold.company_id = company_.id;
  hold.root_issue_id = id;
  hold.mode = TreeHoldMode::pause;
  hold.reason = "wait for legal";
  hold.created_by_actor_type = ActorType::user;
  hold.created_by_user_id = "ann";
  hold.created_at = hold.updated_at = clock_.now();
  add(hold);
  Approval approval;
  approval.id = fresh<ApprovalId>();
  approval.company_id = company_.id;
  approval.type = ApprovalType::request_board_approval;
  approval.payload = RawJson("{}");
  approval.created_at = approval.updated_at = clock_.now();
  add(approval);
  ASSERT_TRUE(execute("insert into issue_approvals (company_id, issue_id, approval_id, created_at) values (:1, :2, :3, :4)", company_.id, id, approval.id, clock_.now()).ok());
  const auto answer = why(id);
  EXPECT_EQ(codes(answer), "tree_hold approval_pending");
  EXPECT_EQ(answer.at("pause").at("by").at("id"), "ann");
  EXPECT_EQ(answer.at("pause").at("message"), "It, or an issue above it, is paused: wait for legal");
  EXPECT_EQ(answer.at("waitsFor").at(1).at("entityId"), json::value(approval.id.view()));
}

TEST_P(Why, A_refused_wake_is_remembered) {
  const auto id = open_issue(IssueStatus::todo, agent_.id);
  block(id, open_issue(IssueStatus::todo, std::nullopt));
  EXPECT_EQ(wake(agent_.id, about(id, "issue_assigned")).outcome.result, WakeResult::skipped);
  EXPECT_EQ(why(agent_.id).at("lastRefusal").at("code"), "issue_dependencies_blocked");
}

// One directory has one name, however it is spelled; a row whose run is over keeps nobody out.
TEST_P(Why, A_directory_is_held_by_one_run_at_a_time) {
  EXPECT_EQ(directory_name("Build-1", 22, "/srv//work/./app/"), "build-1:22/srv/work/app");
  EXPECT_EQ(directory_name("build-1", 22, "/srv/other/../work/app"), "build-1:22/srv/work/app");
  EXPECT_NE(directory_name("build-1", 2222, "/srv/work/app"), directory_name("build-1", 22, "/srv/work/app"));
  const RunId one = queue(agent_.id, "one"), two = queue(agent_.id, "two");
  const std::string name = directory_name("h", 22, "/w");
  const auto take = [&](RunId run) { return database_->write([&](store::Transaction& tx) -> Result<bool> { return take_directory(tx, name, run); }).value(); };
  const auto becomes = [&](RunId run, const char* status) { ASSERT_TRUE(execute("update heartbeat_runs set status = :1 where id = :2", std::string(status), run).ok()); };
  EXPECT_TRUE(take(one));
  EXPECT_TRUE(take(two));  // the first was never claimed
  becomes(two, "running");
  EXPECT_FALSE(take(one));
  EXPECT_TRUE(take(two));
  EXPECT_EQ(database_->read([&](store::Reader& reader) { return holder_of(reader, name); }), two);
  becomes(two, "succeeded");
  EXPECT_TRUE(take(one));
}

ON_BOTH_ENGINES(Why);

}  // namespace
}  // namespace paperclip::domain
