#include <thread>

#include "domain/access/scope.h"
#include "domain/environments/environment.h"
#include "domain/issues/lock.h"
#include "domain/runs/cancel.h"
#include "domain/runs/liveness.h"
#include "domain/runs/retries.h"
#include "domain/runs/stranded.h"
#include "domain/wakeups/wake_context.h"
#include "work_fixture.h"

/// From queued to accounted for: claims, locks, ends, second chances (spec/execution.md 5, 13, 16–18, 21).
namespace paperclip::domain {
namespace {

using Runs = test::Work;

TEST_P(Runs, An_agents_limit_bounds_its_claims_whoever_claims) {
  const auto pair = hire("Pair", R"({"heartbeat":{"maxConcurrentRuns":2}})");
  for (const char* key : {"a", "b", "c", "d"}) {
    auto wish = request();
    wish.payload = json::object{{"taskKey", key}};
    wake(pair.id, wish);
  }
  std::vector<RunSetup> first, second;
  std::thread other([&] { second = claim(pair.id); });
  first = claim(pair.id);
  other.join();
  ASSERT_EQ(first.size() + second.size(), 2u);
  EXPECT_TRUE(claim(pair.id).empty());
  ASSERT_TRUE(finish(first.empty() ? second[0] : first[0]).ok());
  EXPECT_EQ(claim(pair.id).size(), 1u);
}

TEST_P(Runs, What_is_under_way_and_urgent_is_claimed_first) {
  const auto blocked = open_issue(IssueStatus::todo, agent_.id, IssuePriority::critical);
  const auto low = open_issue(IssueStatus::todo, agent_.id, IssuePriority::low);
  const auto high = open_issue(IssueStatus::todo, agent_.id, IssuePriority::high);
  const auto under_way = open_issue(IssueStatus::in_progress, agent_.id, IssuePriority::low);
  for (const auto& id : {blocked, low, high, under_way}) wake(agent_.id, about(id, "issue_assigned"));
  block(blocked, open_issue(IssueStatus::todo, std::nullopt));
  std::vector<IssueId> order;
  for (const auto& setup : claim(agent_.id)) order.push_back(setup.issue->id);
  EXPECT_EQ(order, (std::vector<IssueId>{under_way, high, low}));
  EXPECT_EQ(value<std::string>("select error_code from heartbeat_runs where context_issue_id = :1", blocked), "issue_dependencies_blocked");
  EXPECT_EQ(wakeups("skipped"), 1);
}

TEST_P(Runs, The_claim_takes_the_issue_the_place_and_the_agent) {
  const auto id = open_issue(IssueStatus::todo, agent_.id);
  wake(agent_.id, about(id, "issue_assigned"));
  const auto claimed = claim(agent_.id);
  ASSERT_EQ(claimed.size(), 1u);
  EXPECT_TRUE(claimed[0].checked_out);
  const Issue held = issue(id);
  EXPECT_EQ(held.status, IssueStatus::in_progress);
  EXPECT_EQ(held.checkout_run_id, claimed[0].run.id);
  EXPECT_EQ(held.execution_run_id, claimed[0].run.id);
  EXPECT_EQ(agent_status(agent_.id), "running");
  EXPECT_EQ(value<std::string>("select status from environment_leases where heartbeat_run_id = :1", claimed[0].run.id), "active");
  ASSERT_TRUE(finish(claimed[0]).ok());
  EXPECT_EQ(value<std::string>("select status from environment_leases where heartbeat_run_id = :1", claimed[0].run.id), "released");
  EXPECT_EQ(agent_status(agent_.id), "idle");
  EXPECT_EQ(issue(id).checkout_run_id, claimed[0].run.id) << "the working claim outlives the run";
}

TEST_P(Runs, A_run_whose_issue_moved_on_is_refused_at_the_claim) {
  const auto colleague = hire("Colleague");
  const auto taken = open_issue(IssueStatus::todo, agent_.id), closed = open_issue(IssueStatus::todo, agent_.id);
  wake(agent_.id, about(taken, "issue_assigned"));
  wake(agent_.id, about(closed, "issue_assigned"));
  ASSERT_TRUE(execute("update issues set assignee_agent_id = :1 where id = :2", colleague.id, taken).ok());
  ASSERT_TRUE(execute("update issues set status = 'done' where id = :1", closed).ok());
  EXPECT_TRUE(claim(agent_.id).empty());
  EXPECT_EQ(value<std::string>("select error_code from heartbeat_runs where context_issue_id = :1", taken), "issue_assignee_changed");
  EXPECT_EQ(value<std::string>("select error_code from heartbeat_runs where context_issue_id = :1", closed), "issue_terminal_status");
}

TEST_P(Runs, A_secret_that_is_gone_fails_the_run_before_it_starts) {
  ASSERT_TRUE(execute("update agents set adapter_config = :1 where id = :2",
                      RawJson(R"({"env":{"S":{"type":"secret_ref","secretId":"00000000-0000-4000-8000-000000000001","version":"latest"}}})"), agent_.id).ok());
  const auto id = *wake(agent_.id, request()).outcome.run_id;
  EXPECT_TRUE(claim(agent_.id).empty());
  EXPECT_EQ(run(id).status, RunStatus::failed);
  EXPECT_EQ(run(id).error, "Secret not found");
  EXPECT_EQ(value<std::string>("select event_type from heartbeat_run_events where run_id = :1", id), "error");
  EXPECT_EQ(value<std::int64_t>("select count(*) from heartbeat_run_events where run_id = :1", id), 1);
}

TEST_P(Runs, A_holder_that_lost_its_place_cannot_write) {
  wake(agent_.id, request());
  auto claimed = claim(agent_.id);
  ASSERT_TRUE(finish(claimed.at(0)).ok());
  const auto again = finish(claimed.at(0), failure());
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().kind, ErrorKind::conflict);
  EXPECT_EQ(run(claimed[0].run.id).status, RunStatus::succeeded);
}

TEST_P(Runs, A_cancel_comes_first_and_stays_and_the_issue_waits_for_the_process) {
  const auto id = open_issue(IssueStatus::todo, agent_.id);
  const auto colleague = hire("Colleague");
  wake(agent_.id, about(id, "issue_assigned"));
  const auto claimed = claim(agent_.id);
  const auto cancelled = database_->write([&](store::Transaction& tx) { return cancel_run(tx, CompanyScope::internal(company_.id), claimed.at(0).run.id); });
  ASSERT_TRUE(cancelled.ok());
  EXPECT_EQ(cancelled->status, RunStatus::cancelled);
  EXPECT_EQ(cancelled->error, "Cancelled by control plane");
  ASSERT_TRUE(execute("update issues set assignee_agent_id = :1 where id = :2", colleague.id, id).ok());
  wake(colleague.id, about(id, "issue_assigned"));
  EXPECT_TRUE(claim(colleague.id).empty()) << "the cancelled process is still there";
  const auto done = finish(claimed[0]);
  ASSERT_TRUE(done.ok());
  EXPECT_EQ(done->status, RunStatus::cancelled) << "an exit code of 0 does not undo a cancel";
  EXPECT_EQ(done->waiting_agents, std::vector<AgentId>{colleague.id});
  EXPECT_EQ(claim(colleague.id).size(), 1u);
}

TEST_P(Runs, Pausing_an_agent_ends_everything_it_does) {
  wake(agent_.id, request());
  claim(agent_.id);
  auto wish = request();
  wish.payload = json::object{{"taskKey", "later"}};
  wake(agent_.id, wish);
  ASSERT_TRUE(database_->write([&](store::Transaction& tx) -> Result<> {
    EXPECT_EQ(cancel_runs_of_agent(tx, company_.id, agent_.id), 2);
    return {};
  }).ok());
  EXPECT_EQ(runs("cancelled").size(), 2u);
  EXPECT_EQ(wakeups("cancelled"), 2);
}

TEST_P(Runs, A_run_that_leaves_no_comment_is_asked_for_one_once) {
  const auto id = open_issue(IssueStatus::todo, agent_.id);
  wake(agent_.id, about(id, "issue_assigned"));
  RunReport quiet;
  quiet.exit_code = 0;
  quiet.stdout_excerpt = "ok\n";
  auto first = claim(agent_.id);
  ASSERT_TRUE(finish(first.at(0), quiet).ok());
  EXPECT_EQ(run(first[0].run.id).issue_comment_status, RunIssueCommentStatus::retry_queued);
  auto second = claim(agent_.id);
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(second[0].run.retry_of_run_id, first[0].run.id);
  EXPECT_EQ(context_text(second[0].context, "wakeReason"), "missing_issue_comment");
  ASSERT_TRUE(finish(second[0], quiet).ok());
  EXPECT_EQ(run(second[0].run.id).issue_comment_status, RunIssueCommentStatus::retry_exhausted);
  EXPECT_TRUE(runs("queued").empty());
  EXPECT_FALSE(issue(id).execution_run_id);
}

TEST_P(Runs, What_the_agent_said_last_becomes_its_comment) {
  const auto id = open_issue(IssueStatus::todo, agent_.id);
  wake(agent_.id, about(id, "issue_assigned"));
  auto claimed = claim(agent_.id);
  RunReport report;
  report.exit_code = 0;
  report.summary = "Done, see the branch.";
  ASSERT_TRUE(finish(claimed.at(0), report).ok());
  EXPECT_EQ(value<std::string>("select body from issue_comments where created_by_run_id = :1", claimed[0].run.id), "Done, see the branch.");
  EXPECT_EQ(run(claimed[0].run.id).issue_comment_status, RunIssueCommentStatus::satisfied);
}

TEST_P(Runs, A_passing_failure_is_retried_later_and_holds_the_issue) {
  const auto id = open_issue(IssueStatus::todo, agent_.id);
  wake(agent_.id, about(id, "issue_assigned"));
  auto claimed = claim(agent_.id);
  auto report = failure("too many requests", "claude_transient_upstream");
  report.error_family = "transient_upstream";
  ASSERT_TRUE(finish(claimed.at(0), report).ok());
  const auto waiting = runs("scheduled_retry");
  ASSERT_EQ(waiting.size(), 1u);
  EXPECT_EQ(waiting[0].scheduled_retry_attempt, 1);
  EXPECT_EQ(issue(id).execution_run_id, waiting[0].id);
  const auto delay = *waiting[0].scheduled_retry_at - waiting[0].created_at;
  EXPECT_GE(delay, std::chrono::seconds(90));
  EXPECT_LE(delay, std::chrono::seconds(150));
  const auto promote = [&] { return *database_->write([](store::Transaction& tx) -> Result<int> { return promote_due_retries(tx); }); };
  EXPECT_EQ(promote(), 0) << "its time has not come";
  ASSERT_TRUE(execute("update heartbeat_runs set scheduled_retry_at = :1 where id = :2", Clock::system().now(), waiting[0].id).ok());
  EXPECT_EQ(promote(), 1);
  EXPECT_EQ(run(waiting[0].id).status, RunStatus::queued);
}

TEST_P(Runs, A_due_retry_of_an_issue_that_moved_on_is_cancelled) {
  const auto id = open_issue(IssueStatus::todo, agent_.id);
  wake(agent_.id, about(id, "issue_assigned"));
  auto claimed = claim(agent_.id);
  auto report = failure("overloaded", "claude_transient_upstream");
  ASSERT_TRUE(finish(claimed.at(0), report).ok());
  const auto waiting = runs("scheduled_retry").at(0);
  ASSERT_TRUE(execute("update heartbeat_runs set scheduled_retry_at = :1 where id = :2", Clock::system().now(), waiting.id).ok());
  ASSERT_TRUE(execute("update issues set assignee_agent_id = null where id = :1", id).ok());
  ASSERT_TRUE(database_->write([](store::Transaction& tx) -> Result<int> { return promote_due_retries(tx); }).ok());
  EXPECT_EQ(run(waiting.id).status, RunStatus::cancelled);
  EXPECT_EQ(run(waiting.id).error_code, "issue_reassigned");
  EXPECT_FALSE(issue(id).execution_run_id);
}

TEST_P(Runs, A_lost_process_is_started_once_more_and_no_third_time) {
  wake(agent_.id, request());
  auto first = claim(agent_.id);
  auto lost = failure("Process lost", "process_lost");
  lost.lost = true;
  ASSERT_TRUE(finish(first.at(0), lost).ok());
  auto second = claim(agent_.id);
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(context_text(second[0].context, "retryReason"), "process_lost");
  ASSERT_TRUE(finish(second[0], lost).ok());
  EXPECT_TRUE(claim(agent_.id).empty());
  EXPECT_EQ(agent_status(agent_.id), "error");
}

TEST_P(Runs, Failed_work_is_taken_up_once_and_then_waits_for_a_person) {
  const auto id = open_issue(IssueStatus::todo, agent_.id);
  wake(agent_.id, about(id, "issue_status_changed"));
  auto first = claim(agent_.id);
  ASSERT_TRUE(finish(first.at(0), failure()).ok());
  auto second = claim(agent_.id);
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(context_text(second[0].context, "wakeReason"), "issue_continuation_needed");
  ASSERT_TRUE(finish(second[0], failure()).ok());
  EXPECT_EQ(issue(id).status, IssueStatus::blocked);
  const auto recovery = value<IssueId>("select id from issues where origin_kind = 'stranded_issue_recovery' and origin_id = :1", id.view());
  ASSERT_TRUE(recovery);
  EXPECT_EQ(issue(*recovery).assignee_agent_id, agent_.id) << "nobody else is there";
  EXPECT_EQ(value<std::int64_t>("select count(*) from issue_relations where issue_id = :1 and related_issue_id = :2", *recovery, id), 1);

  // The recovery fails as well: it is blocked where it is, and that is the end.
  for (int i = 0; i < 5 && !runs("queued").empty(); ++i)
    for (const auto& setup : claim(agent_.id)) ASSERT_TRUE(finish(setup, failure()).ok());
  EXPECT_TRUE(runs("queued").empty());
  EXPECT_EQ(issue(*recovery).status, IssueStatus::blocked);
  EXPECT_EQ(value<std::int64_t>("select count(*) from issues"), 2);
}

TEST_P(Runs, Assigned_work_that_nobody_woke_for_is_dispatched_by_the_sweep) {
  open_issue(IssueStatus::todo, agent_.id);
  open_issue(IssueStatus::backlog, agent_.id);
  const auto swept = database_->write([](store::Transaction& tx) -> Result<StrandedReport> { return reconcile_stranded_issues(tx); });
  ASSERT_TRUE(swept.ok()) << swept.error().message;
  EXPECT_EQ(swept->dispatched, 1);
  EXPECT_EQ(runs("queued").size(), 1u);
}

TEST_P(Runs, A_dead_checkout_is_taken_over_and_a_live_one_is_not) {
  const auto id = open_issue(IssueStatus::todo, agent_.id);
  wake(agent_.id, about(id, "issue_assigned"));
  auto claimed = claim(agent_.id);
  const auto check_out = [&](RunId run) {
    return database_->write([&](store::Transaction& tx) { return claim_issue(tx, company_.id, id, {agent_.id, {IssueStatus::todo}}, run); });
  };
  auto other = request();
  other.payload = json::object{{"taskKey", "x"}};
  const auto second = *wake(agent_.id, other).outcome.run_id;
  const auto refused = check_out(second);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().message, "Issue checkout conflict");
  EXPECT_EQ(text_at(refused.error().details, "checkoutRunId"), claimed.at(0).run.id.str());
  ASSERT_TRUE(execute("update heartbeat_runs set status = 'failed' where id = :1", claimed[0].run.id).ok());
  ASSERT_TRUE(check_out(second).ok());
  EXPECT_EQ(issue(id).checkout_run_id, second);
}

TEST_P(Runs, Sessions_are_kept_per_task_and_resumed) {
  auto wish = request();
  wish.payload = json::object{{"taskKey", "alpha"}};
  wake(agent_.id, wish);
  auto first = claim(agent_.id);
  EXPECT_FALSE(first.at(0).session.display_id);
  RunReport report;
  report.exit_code = 0;
  report.session.params = Patch<json::object>(json::object{{"sessionId", "s-1"}, {"cwd", "/w"}});
  ASSERT_TRUE(finish(first[0], report).ok());
  const auto again = *wake(agent_.id, wish).outcome.run_id;
  EXPECT_EQ(run(again).session_id_before, "s-1");
  auto second = claim(agent_.id);
  EXPECT_EQ(second.at(0).session.display_id, "s-1");
  EXPECT_EQ(context_text(*second[0].session.params, "cwd"), "/w");
  ASSERT_TRUE(finish(second[0]).ok());
  auto anew = wish;
  anew.context["forceFreshSession"] = true;
  wake(agent_.id, anew);
  EXPECT_FALSE(claim(agent_.id).at(0).session.display_id);
}

TEST_P(Runs, Tokens_and_costs_add_up_and_totals_of_a_session_are_shared_out) {
  auto wish = request();
  wish.payload = json::object{{"taskKey", "alpha"}};
  RunReport report;
  report.exit_code = 0;
  report.session.params = Patch<json::object>(json::object{{"sessionId", "s-1"}});
  report.usage.is_session_total = true;
  report.usage.cost_usd = 0.126;
  report.usage.billing_type = "api";
  report.usage.provider = "anthropic";
  for (const std::int64_t total : {100, 250}) {
    wake(agent_.id, wish);
    report.usage.tokens = TokenCounts{total, 0, total};
    ASSERT_TRUE(finish(claim(agent_.id).at(0), report).ok());
  }
  EXPECT_EQ(value<std::int64_t>("select total_input_tokens from agent_runtime_state where agent_id = :1", agent_.id), 250);
  EXPECT_EQ(value<std::int64_t>("select total_cost_cents from agent_runtime_state where agent_id = :1", agent_.id), 26);
  EXPECT_EQ(value<std::int64_t>("select count(*) from cost_events where agent_id = :1", agent_.id), 2);
  EXPECT_EQ(value<std::int64_t>("select spent_monthly_cents from agents where id = :1", agent_.id), 26);
}

TEST_P(Runs, A_run_that_only_announced_its_work_is_asked_twice_to_go_on) {
  const auto id = open_issue(IssueStatus::todo, agent_.id);
  wake(agent_.id, about(id, "issue_status_changed"));
  RunReport plans;
  plans.exit_code = 0;
  plans.stdout_excerpt = "I will fix the parser and run the tests.\n";
  for (int attempt = 1; attempt <= 2; ++attempt) {
    ASSERT_TRUE(finish(claim(agent_.id).at(0), plans).ok());
    const auto next = runs("queued");
    ASSERT_EQ(next.size(), 1u);
    EXPECT_EQ(next[0].continuation_attempt, attempt);
    EXPECT_EQ(context_text(next[0].context_snapshot->parse().as_object(), "livenessContinuationState"), "plan_only");
  }
  ASSERT_TRUE(finish(claim(agent_.id).at(0), plans).ok());
  EXPECT_TRUE(runs("queued").empty());
  EXPECT_EQ(value<std::int64_t>("select count(*) from issue_comments where body like 'Bounded liveness continuation exhausted%'"), 1);
}

INSTANTIATE_TEST_SUITE_P(Engines, Runs, ::testing::Values(store::Engine::sqlite, store::Engine::postgresql), test::engine_name);

RunLivenessState state_of(const std::string& output, std::int64_t evidence = 0) {
  LivenessFacts facts;
  facts.output = output;
  facts.evidence = evidence;
  return classify_liveness(facts).state;
}

TEST(Liveness, Says_what_a_run_came_to) {
  EXPECT_EQ(state_of(""), RunLivenessState::empty_response);
  EXPECT_EQ(state_of("[paperclip] Using fallback workspace.\n"), RunLivenessState::needs_followup);
  EXPECT_EQ(state_of("hello\n"), RunLivenessState::needs_followup);
  EXPECT_EQ(state_of("hello\n", 1), RunLivenessState::advanced);
  EXPECT_EQ(state_of("I will fix the parser and run the tests.\n"), RunLivenessState::plan_only);
  EXPECT_EQ(state_of("Cannot proceed: I need the API key, waiting on credentials.\n"), RunLivenessState::blocked);
  EXPECT_EQ(state_of("Not blocked. Waiting on nothing.\n"), RunLivenessState::needs_followup);
  LivenessFacts failed;
  failed.status = RunStatus::failed;
  EXPECT_EQ(classify_liveness(failed).state, RunLivenessState::failed);
  LivenessFacts done;
  done.issue_status = "done";
  EXPECT_EQ(classify_liveness(done).state, RunLivenessState::completed);
}

}  // namespace
}  // namespace paperclip::domain
