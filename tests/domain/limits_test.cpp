#include <thread>

#include "base/write_json.h"
#include "domain/access/scope.h"
#include "domain/budgets/enforcement.h"
#include "domain/budgets/policies.h"
#include "domain/runs/cancel.h"
#include "work_in_time.h"

/// Limits beside money: tokens, runs, time, and runs without progress (OURS; docs/decisions/0013).
namespace paperclip::domain {
namespace {

using namespace std::chrono_literals;

class Limits : public test::WorkInTime {
 protected:
  PolicySummary limit(LimitMetric metric, std::int64_t amount, BudgetWindow window = BudgetWindow::utc_day, std::optional<AgentId> agent = std::nullopt) {
    LimitInput input;
    input.scope_type = agent ? LimitScope::agent : LimitScope::company;
    if (agent) input.scope_id = id_cast<AnyId>(*agent);
    input.metric = metric;
    input.window_kind = window;
    input.amount = amount;
    const auto scope = authorise_company(local_board(), company_.id, true);
    auto set = database_->write([&](store::Transaction& tx) { return upsert_limit(tx, *scope, input); });
    EXPECT_TRUE(set.ok()) << (set.ok() ? "" : set.error().message);
    clock_.advance(1s);
    return *set;
  }
  RunId queue(AgentId agent, const std::string& key) {
    auto wish = request();
    wish.payload = json::object{{"taskKey", key}};
    const auto attempt = wake(agent, wish);
    EXPECT_TRUE(attempt.outcome.run_id) << (attempt.refusal ? attempt.refusal->message : "");
    return attempt.outcome.run_id.value_or(RunId());
  }
  std::string refusal(AgentId agent) {
    auto wish = request();
    wish.payload = json::object{{"taskKey", "refused"}};
    const auto attempt = wake(agent, wish);
    return attempt.refusal ? attempt.refusal->message : "(accepted)";
  }
  std::int64_t incidents(std::string_view threshold, std::string_view status = "open") {
    return *value<std::int64_t>("select count(*) from budget_incidents where threshold_type = :1 and status = :2", threshold, status);
  }
  void tick() {
    ASSERT_TRUE(database_->write([](store::Transaction& tx) -> Result<> {
      evaluate_limits_in_time(tx);
      return {};
    }).ok());
  }
  RunReport spent(std::int64_t input, std::int64_t output) {
    RunReport report;
    report.exit_code = 0;
    report.usage.tokens = TokenCounts{input, 1000, output};
    report.usage.provider = "anthropic";
    report.usage.model = "m";
    return report;
  }
};

TEST_P(Limits, The_run_beyond_the_limit_is_refused_and_the_board_is_told) {
  limit(LimitMetric::runs, 2, BudgetWindow::utc_day, agent_.id);
  for (const char* key : {"a", "b", "c"}) queue(agent_.id, key);
  const auto claimed = claim(agent_.id);
  ASSERT_EQ(claimed.size(), 2u) << "all three were queued before any had started";
  EXPECT_EQ(agent_status(agent_.id), "paused");
  EXPECT_EQ(value<std::string>("select pause_reason from agents where id = :1", agent_.id), "budget");
  EXPECT_EQ(runs("running").size(), 2u) << "what is under way may end";
  ASSERT_EQ(runs("cancelled").size(), 1u);
  EXPECT_EQ(runs("cancelled")[0].error, "Cancelled due to budget pause");
  EXPECT_EQ(incidents("hard"), 1);
  EXPECT_EQ(value<std::string>("select type from approvals where status = 'pending'"), "budget_override_required");
  EXPECT_EQ(value<std::int64_t>("select count(*) from activity_log where action = 'budget.hard_threshold_crossed'"), 1);
  ASSERT_TRUE(finish(claimed[0]).ok());
  EXPECT_EQ(agent_status(agent_.id), "paused");
  EXPECT_EQ(refusal(agent_.id), "Agent is paused because its budget hard-stop was reached.");
  EXPECT_EQ(wakeups("skipped"), 1);
}

/// Two agents of a company that may start one more run claim at the same moment.
TEST_P(Limits, Of_two_claims_that_race_for_the_last_run_one_wins) {
  const auto other = hire("Colleague");
  limit(LimitMetric::runs, 1);
  queue(agent_.id, "a");
  queue(other.id, "b");
  std::size_t first = 0, second = 0;
  std::thread rival([&] { second = claim(other.id).size(); });
  first = claim(agent_.id).size();
  rival.join();
  EXPECT_EQ(first + second, 1u);
  EXPECT_EQ(runs("running").size(), 1u);
  EXPECT_EQ(incidents("hard"), 1);
  EXPECT_EQ(value<std::string>("select status from companies where id = :1", company_.id), "paused");
  EXPECT_EQ(refusal(agent_.id), "Company is paused because its budget hard-stop was reached.");
}

TEST_P(Limits, A_wake_that_asks_for_more_opens_the_incident_too) {
  limit(LimitMetric::runs, 1, BudgetWindow::utc_day, agent_.id);
  queue(agent_.id, "a");
  ASSERT_TRUE(finish(claim(agent_.id).at(0)).ok());
  EXPECT_EQ(incidents("hard"), 0) << "nobody asked for more";
  EXPECT_EQ(refusal(agent_.id), "Agent cannot start work because its budget of 1 runs per UTC day is used up.");
  EXPECT_EQ(incidents("hard"), 1);
}

TEST_P(Limits, A_new_window_lets_work_go_on_by_itself) {
  limit(LimitMetric::runs, 1, BudgetWindow::utc_hour, agent_.id);
  queue(agent_.id, "a");
  queue(agent_.id, "b");
  const auto first = claim(agent_.id);
  ASSERT_TRUE(finish(first.at(0)).ok());
  tick();
  EXPECT_EQ(agent_status(agent_.id), "paused");
  clock_.advance(1h);
  tick();
  EXPECT_EQ(agent_status(agent_.id), "idle");
  EXPECT_EQ(incidents("hard", "resolved"), 1);
  EXPECT_EQ(value<std::string>("select status from approvals"), "cancelled");
  queue(agent_.id, "c");
  EXPECT_EQ(claim(agent_.id).size(), 1u);
}

TEST_P(Limits, Raising_the_limit_through_its_incident_lets_work_go_on) {
  limit(LimitMetric::runs, 1, BudgetWindow::utc_day, agent_.id);
  queue(agent_.id, "a");
  queue(agent_.id, "b");
  ASSERT_EQ(claim(agent_.id).size(), 1u);
  const auto incident = *value<std::string>("select cast(id as text) from budget_incidents where threshold_type = 'hard'");
  const auto scope = authorise_company(local_board(), company_.id, true);
  IncidentDecision decision;
  decision.action = IncidentAction::raise_budget_and_resume;
  decision.amount = 2;
  ASSERT_TRUE(database_->write([&](store::Transaction& tx) { return resolve_incident(tx, *scope, incident, decision); }).ok());
  clock_.advance(1s);
  EXPECT_EQ(agent_status(agent_.id), "idle");
  queue(agent_.id, "c");
  queue(agent_.id, "d");
  EXPECT_EQ(claim(agent_.id).size(), 1u);
  EXPECT_EQ(incidents("hard"), 1) << "the board hears again when the new limit is used up";
}

TEST_P(Limits, Tokens_count_as_they_are_reported) {
  limit(LimitMetric::tokens, 1000, BudgetWindow::utc_day, agent_.id);
  queue(agent_.id, "a");
  ASSERT_TRUE(finish(claim(agent_.id).at(0), spent(700, 150)).ok());
  EXPECT_EQ(incidents("soft"), 1) << "85 % of the limit";
  EXPECT_EQ(agent_status(agent_.id), "idle");
  queue(agent_.id, "b");
  queue(agent_.id, "c");
  auto both = claim(agent_.id);
  ASSERT_EQ(both.size(), 2u);
  ASSERT_TRUE(finish(both[0], spent(100, 60)).ok());
  EXPECT_EQ(agent_status(agent_.id), "paused");
  EXPECT_EQ(run(both[1].run.id).status, RunStatus::cancelled) << "it would only cost more";
  EXPECT_EQ(incidents("hard"), 1);
}

TEST_P(Limits, Time_bites_runs_that_are_under_way) {
  limit(LimitMetric::wall_seconds, 600, BudgetWindow::utc_day, agent_.id);
  queue(agent_.id, "a");
  const auto long_one = claim(agent_.id);
  clock_.advance(599s);
  tick();
  EXPECT_EQ(run(long_one.at(0).run.id).status, RunStatus::running);
  EXPECT_EQ(incidents("soft"), 1);
  clock_.advance(1s);
  tick();
  EXPECT_EQ(run(long_one[0].run.id).status, RunStatus::cancelled);
  EXPECT_EQ(agent_status(agent_.id), "paused");
  const auto limits = database_->read([&](store::Reader& reader) { return limits_of_company(reader, company_.id); });
  ASSERT_EQ(limits.size(), 1u);
  EXPECT_EQ(limits[0].observed_amount, 600);
  EXPECT_EQ(limits[0].status, "hard_stop");
}

TEST_P(Limits, A_run_that_began_yesterday_counts_from_midnight) {
  queue(agent_.id, "a");
  const auto night = claim(agent_.id);
  clock_.advance(12h + 100s);
  ASSERT_TRUE(finish(night.at(0)).ok());
  EXPECT_EQ(limit(LimitMetric::wall_seconds, 1000, BudgetWindow::utc_day, agent_.id).observed_amount, 100);
}

TEST_P(Limits, Runs_in_a_row_without_progress_open_the_circuit) {
  limit(LimitMetric::fruitless_runs, 3, BudgetWindow::lifetime, agent_.id);
  const auto fail = [&](const std::string& key) {
    queue(agent_.id, key);
    ASSERT_TRUE(finish(claim(agent_.id).at(0), failure()).ok());
    clock_.advance(1s);
  };
  fail("a");
  fail("b");
  // Progress closes it again.
  const auto good = queue(agent_.id, "good");
  auto claimed = claim(agent_.id);
  ASSERT_EQ(claimed.size(), 1u);
  ASSERT_TRUE(execute("insert into activity_log (id, company_id, actor_id, action, entity_type, entity_id, run_id, created_at) values (:1, :2, 'x', 'issue.updated', 'issue', 'x', :3, :4)",
                      fresh<AnyId>(), company_.id, good, clock_.now()).ok());
  ASSERT_TRUE(finish(claimed[0]).ok());
  ASSERT_EQ(run(good).liveness_state, RunLivenessState::advanced);
  clock_.advance(1s);
  fail("c");
  fail("d");
  EXPECT_EQ(agent_status(agent_.id), "error");
  fail("e");
  EXPECT_EQ(agent_status(agent_.id), "paused");
  EXPECT_EQ(incidents("hard"), 1);
  // The board looked at it and sets it going again; the count begins anew.
  const auto scope = authorise_company(local_board(), company_.id, true);
  IncidentDecision decision;
  decision.action = IncidentAction::raise_budget_and_resume;
  decision.amount = 3;
  ASSERT_TRUE(database_->write([&](store::Transaction& tx) {
    return resolve_incident(tx, *scope, *tx.value<std::string>("select cast(id as text) from budget_incidents where threshold_type = 'hard'"), decision);
  }).ok());
  clock_.advance(1s);
  fail("f");
  EXPECT_EQ(agent_status(agent_.id), "error");
}

TEST_P(Limits, The_reference_sees_its_budgets_of_money_only) {
  limit(LimitMetric::runs, 5);
  EXPECT_TRUE(database_->read([&](store::Reader& reader) { return policies_of_company(reader, company_.id); }).empty());
  EXPECT_EQ(value<std::int64_t>("select budget_monthly_cents from companies where id = :1", company_.id), 0);
  limit(LimitMetric::runs, 0);
  EXPECT_EQ(value<bool>("select is_active from budget_policies"), false) << "0 takes it off";
}

/// A company's budget stops work on an issue: it is not taken for stranded, and goes on when the budget lets it.
TEST_P(Limits, What_a_budget_stopped_is_not_escalated) {
  const auto id = open_issue(IssueStatus::todo, agent_.id);
  wake(agent_.id, about(id, "issue_assigned"));
  const auto claimed = claim(agent_.id);
  ASSERT_TRUE(execute("update companies set status = 'paused', pause_reason = 'budget' where id = :1", company_.id).ok());
  ASSERT_TRUE(database_->write([&](store::Transaction& tx) -> Result<> {
    cancel_work_of_company(tx, company_.id);
    return {};
  }).ok());
  ASSERT_TRUE(finish(claimed.at(0)).ok());
  EXPECT_TRUE(runs("queued").empty());
  EXPECT_EQ(issue(id).status, IssueStatus::in_progress);
}

ON_BOTH_ENGINES(Limits);

}  // namespace
}  // namespace paperclip::domain
