#include "domain/wakeups/heartbeat_policy.h"
#include "domain/wakeups/timers.h"
#include "domain/wakeups/wake_context.h"
#include "domain/wakeups/wakeup_states.h"
#include "work_fixture.h"

/// Asking for an agent's attention: folding, parking, refusing (spec/execution.md 4).
namespace paperclip::domain {
namespace {

using Wakeups = test::Work;

TEST_P(Wakeups, A_wake_of_an_idle_agent_queues_one_run_and_tells_the_engine) {
  std::atomic<int> queued = 0;
  database_->subscribe([&](const store::Event& event) { queued += event.type == "heartbeat.run.queued"; });
  const auto attempt = wake(agent_.id, request());
  ASSERT_EQ(attempt.outcome.result, WakeResult::queued);
  EXPECT_EQ(run(*attempt.outcome.run_id).status, RunStatus::queued);
  EXPECT_EQ(text_at(context(*attempt.outcome.run_id), "wakeSource"), "on_demand");
  ASSERT_TRUE(database_->wait_delivered(std::chrono::seconds(10)));
  EXPECT_EQ(queued, 1);
}

TEST_P(Wakeups, Wakes_of_the_same_task_fold_into_the_queued_run) {
  auto first = request();
  first.payload = json::object{{"taskKey", "alpha"}};
  auto second = first;
  second.reason = "more";
  const auto run_id = *wake(agent_.id, first).outcome.run_id;
  const auto folded = wake(agent_.id, second);
  EXPECT_EQ(folded.outcome.result, WakeResult::coalesced);
  EXPECT_EQ(folded.outcome.run_id, run_id);
  EXPECT_EQ(text_at(context(run_id), "wakeReason"), "more");
  EXPECT_EQ(wake(agent_.id, request()).outcome.result, WakeResult::queued) << "no task is another task";
  EXPECT_EQ(wakeups("coalesced"), 1);
}

TEST_P(Wakeups, Agents_out_of_service_refuse_and_leave_no_row) {
  for (std::string_view status : {"paused", "terminated", "pending_approval"}) {
    ASSERT_TRUE(execute("update agents set status = :1 where id = :2", status, agent_.id).ok());
    const auto attempt = wake(agent_.id, request());
    ASSERT_TRUE(attempt.refusal);
    EXPECT_EQ(attempt.refusal->message, "Agent is not invokable in its current state");
    EXPECT_EQ(text_at(attempt.refusal->details, "status"), status);
  }
  EXPECT_EQ(value<std::int64_t>("select count(*) from agent_wakeup_requests"), 0);
}

TEST_P(Wakeups, A_spent_budget_refuses_with_its_scope_and_records_the_refusal) {
  const Timestamp now = Clock::system().now();
  ASSERT_TRUE(execute("insert into budget_policies (id, company_id, scope_type, scope_id, window_kind, amount, created_at, updated_at) values (:1, :2, 'agent', :3, 'calendar_month_utc', 100, :4, :4)",
                      fresh<AnyId>(), company_.id, agent_.id, now).ok());
  EXPECT_FALSE(wake(agent_.id, request()).refusal);
  ASSERT_TRUE(execute("insert into cost_events (id, company_id, agent_id, provider, model, cost_cents, occurred_at, created_at) values (:1, :2, :3, 'p', 'm', 100, :4, :4)",
                      fresh<AnyId>(), company_.id, agent_.id, now).ok());
  const auto attempt = wake(agent_.id, request());
  ASSERT_TRUE(attempt.refusal);
  EXPECT_EQ(attempt.refusal->kind, ErrorKind::conflict);
  EXPECT_EQ(text_at(attempt.refusal->details, "scopeType"), "agent");
  EXPECT_EQ(value<std::string>("select reason from agent_wakeup_requests where status = 'skipped'"), "budget.blocked");
}

TEST_P(Wakeups, The_switches_of_the_heartbeat_policy_skip) {
  const auto deaf = hire("Deaf", R"({"heartbeat":{"wakeOnDemand":false}})");
  EXPECT_EQ(wake(deaf.id, request()).outcome.skip_code, "heartbeat.wakeOnDemand.disabled");
  EXPECT_EQ(wake(agent_.id, request("timer")).outcome.skip_code, "heartbeat.disabled");
}

TEST_P(Wakeups, A_blocked_issue_waits_but_its_comments_are_heard) {
  const auto blocker = open_issue(IssueStatus::todo, std::nullopt);
  const auto blocked = open_issue(IssueStatus::todo, agent_.id);
  block(blocked, blocker);
  EXPECT_EQ(wake(agent_.id, about(blocked, "issue_assigned")).outcome.skip_code, "issue_dependencies_blocked");
  const auto heard = wake(agent_.id, comment_wake(blocked, comment(blocked, "ann")));
  ASSERT_EQ(heard.outcome.result, WakeResult::queued);
  EXPECT_TRUE(context_flag(context(*heard.outcome.run_id).as_object(), "dependencyBlockedInteraction"));
}

TEST_P(Wakeups, Comments_behind_a_running_run_are_parked_together) {
  const auto id = open_issue(IssueStatus::todo, agent_.id);
  wake(agent_.id, about(id, "issue_assigned"));
  const auto running = claim(agent_.id);
  ASSERT_EQ(running.size(), 1u);
  const auto one = comment(id, "ann"), two = comment(id, "ann");
  EXPECT_EQ(wake(agent_.id, comment_wake(id, one)).outcome.result, WakeResult::deferred);
  EXPECT_EQ(wake(agent_.id, comment_wake(id, two)).outcome.result, WakeResult::deferred);
  EXPECT_EQ(wakeups("deferred_issue_execution"), 1);
  EXPECT_EQ(wake(agent_.id, about(id, "issue_status_changed")).outcome.result, WakeResult::coalesced) << "what is no comment folds in";

  ASSERT_TRUE(finish(running[0]).ok());
  const auto promoted = runs("queued");
  ASSERT_EQ(promoted.size(), 1u);
  const auto batch = wake_comment_ids(promoted[0].context_snapshot->parse().as_object());
  EXPECT_EQ(batch, (std::vector<std::string>{one.str(), two.str()}));
  EXPECT_EQ(issue(id).execution_run_id, promoted[0].id) << "the assignee's promoted run has the lock";
}

TEST_P(Wakeups, Another_agents_wake_waits_until_the_issue_is_free) {
  const auto id = open_issue(IssueStatus::todo, agent_.id);
  const auto colleague = hire("Colleague");
  wake(agent_.id, about(id, "issue_status_changed"));
  const auto running = claim(agent_.id);
  const auto mention = comment(id, "ann");
  auto wake_up = comment_wake(id, mention);
  wake_up.reason = "issue_comment_mentioned";
  wake_up.context["source"] = "comment.mention";
  EXPECT_EQ(wake(colleague.id, wake_up).outcome.result, WakeResult::deferred);
  auto failed = failure();
  ASSERT_TRUE(finish(running.at(0), failed).ok());
  const auto promoted = runs("queued");
  ASSERT_EQ(promoted.size(), 1u);
  EXPECT_EQ(promoted[0].agent_id, colleague.id);
  EXPECT_FALSE(issue(id).execution_run_id) << "a mention never takes the lock";
}

TEST_P(Wakeups, A_persons_comment_opens_a_closed_issue_when_its_turn_comes) {
  const auto id = open_issue(IssueStatus::todo, agent_.id);
  wake(agent_.id, about(id, "issue_assigned"));
  const auto running = claim(agent_.id);
  wake(agent_.id, comment_wake(id, comment(id, "ann")));
  ASSERT_TRUE(execute("update issues set status = 'done' where id = :1", id).ok());
  ASSERT_TRUE(finish(running.at(0)).ok());
  EXPECT_EQ(issue(id).status, IssueStatus::todo);
}

TEST_P(Wakeups, A_paused_subtree_lets_only_its_authors_through) {
  const auto root = open_issue(IssueStatus::todo, std::nullopt);
  const auto child = open_issue(IssueStatus::todo, agent_.id);
  const Timestamp now = Clock::system().now();
  ASSERT_TRUE(execute("update issues set parent_id = :1 where id = :2", root, child).ok());
  ASSERT_TRUE(execute("insert into issue_tree_holds (id, company_id, root_issue_id, mode, status, created_at, updated_at) values (:1, :2, :3, 'pause', 'active', :4, :4)",
                      fresh<AnyId>(), company_.id, root, now).ok());
  EXPECT_EQ(wake(agent_.id, about(child, "issue_assigned")).outcome.skip_code, "issue_tree_hold_active");
  EXPECT_EQ(wake(agent_.id, comment_wake(child, comment(child, "bob"))).outcome.skip_code, "issue_tree_hold_active") << "ann did not write it";
  const auto heard = wake(agent_.id, comment_wake(child, comment(child, "ann")));
  ASSERT_EQ(heard.outcome.result, WakeResult::queued);
  EXPECT_TRUE(context_flag(context(*heard.outcome.run_id).as_object(), "treeHoldInteraction"));
}

TEST_P(Wakeups, A_timer_is_due_once_its_interval_is_over) {
  const auto timed = hire("Timed", R"({"heartbeat":{"enabled":true,"intervalSec":60}})");
  hire("Odd", R"({"heartbeat":{"enabled":"yes","intervalSec":60}})");
  const auto due = [&] { return database_->read([](store::Reader& reader) { return agents_due(reader); }); };
  EXPECT_TRUE(due().empty());
  ASSERT_TRUE(execute("update agents set last_heartbeat_at = :1 where name in ('Timed', 'Odd')", Clock::system().now() - std::chrono::minutes(2)).ok());
  EXPECT_EQ(due(), std::vector<AgentId>{timed.id});
  ASSERT_TRUE(database_->write([&](store::Transaction& tx) -> Result<> { wake_by_timer(tx, timed.id); return {}; }).ok());
  ASSERT_EQ(runs("queued").size(), 1u);
  EXPECT_EQ(runs("queued")[0].invocation_source, InvocationSource::timer);
}

INSTANTIATE_TEST_SUITE_P(Engines, Wakeups, ::testing::Values(store::Engine::sqlite, store::Engine::postgresql), test::engine_name);

TEST(HeartbeatPolicy, Reads_only_what_is_of_the_right_kind) {
  const auto policy = heartbeat_policy(*parse_json(R"({"heartbeat":{"enabled":"yes","intervalSec":-5,"maxConcurrentRuns":500}})"));
  EXPECT_FALSE(policy.enabled);
  EXPECT_EQ(policy.interval.count(), 0);
  EXPECT_EQ(policy.max_concurrent_runs, 50);
  EXPECT_FALSE(heartbeat_policy(*parse_json(R"({"heartbeat":{"wakeOnAssignment":false,"wakeOnAutomation":true}})")).wake_on_demand);
  EXPECT_TRUE(heartbeat_enabled_leniently(*parse_json(R"({"heartbeat":{"enabled":"yes"}})")));
}

TEST(WakeContext, Comment_batches_join_in_order_and_drop_the_stale_rendering) {
  const json::object earlier{{"wakeCommentIds", json::array{"a", "b"}}, {"commentId", "b"}, {"paperclipWake", json::object{{"x", 1}}}};
  const json::object later{{"commentId", "c"}, {"wakeReason", "issue_commented"}};
  const auto merged = merge_wake_context(earlier, later);
  EXPECT_EQ(wake_comment_ids(merged), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(context_text(merged, "wakeCommentId"), "c");
  EXPECT_FALSE(merged.contains("paperclipWake"));
}

TEST(WakeupStates, Nothing_leaves_a_final_state) {
  for (auto state : {WakeupStatus::completed, WakeupStatus::failed, WakeupStatus::timed_out, WakeupStatus::cancelled, WakeupStatus::skipped, WakeupStatus::coalesced})
    EXPECT_TRUE(wakeup_transitions.is_final(state));
  EXPECT_FALSE(wakeup_transitions.allow(WakeupStatus::completed, WakeupStatus::queued));
}

}  // namespace
}  // namespace paperclip::domain
