#include <atomic>
#include <thread>

#include "domain/issues/lock.h"
#include "work_fixture.h"

namespace paperclip::domain {
namespace {

template <class T>
::testing::AssertionResult worked(const Result<T>& result) {
  if (result.ok()) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << result.error().message;
}

class IssueLock : public test::Work {
 protected:
  CompanyScope as(AgentId agent, std::optional<RunId> run = std::nullopt) {
    Actor actor;
    actor.kind = ActorKind::agent;
    actor.source = ActorSource::agent_key;
    actor.agent_id = agent;
    actor.company_id = company_.id;
    actor.run_id = run;
    return *authorise_company(actor, company_.id, true);
  }
  CompanyScope board() { return *authorise_company(local_board(), company_.id, true); }

  RunId add_run(AgentId agent, RunStatus status) {
    HeartbeatRun row;
    row.id = fresh<RunId>();
    row.company_id = company_.id;
    row.agent_id = agent;
    row.status = status;
    row.created_at = row.updated_at = Clock::system().now();
    add(row);
    return row.id;
  }
  void end_run(RunId id) {
    ASSERT_TRUE(worked(execute("update heartbeat_runs set status = 'succeeded' where id = :1", id)));
  }

  Result<Issue> check_out(const CompanyScope& scope, IssueId id, AgentId agent,
                          IssueStatus expected = IssueStatus::todo) {
    CheckoutBody body;
    body.agent_id = agent;
    body.expected_statuses.push_back(expected);
    return database_->write([&](store::Transaction& tx) { return check_out_issue(tx, scope, id, body); });
  }
  std::int64_t fence(IssueId id) { return *value<std::int64_t>("select lock_fence from issues where id = :1", id); }
};

TEST_P(IssueLock, A_run_claims_an_issue_once_and_again_without_a_change) {
  const auto id = open_issue(IssueStatus::todo, std::nullopt);
  const auto run = add_run(agent_.id, RunStatus::running);
  ASSERT_TRUE(worked(check_out(as(agent_.id, run), id, agent_.id)));
  EXPECT_EQ(fence(id), 1);
  const auto again = check_out(as(agent_.id, run), id, agent_.id);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->checkout_run_id, run);
  EXPECT_EQ(again->execution_run_id, run);
  EXPECT_EQ(fence(id), 1);
}

TEST_P(IssueLock, A_refusal_says_who_holds_the_issue_and_whether_it_lives) {
  const auto id = open_issue(IssueStatus::todo, std::nullopt);
  const auto other = hire("Other");
  const auto run = add_run(agent_.id, RunStatus::running);
  ASSERT_TRUE(worked(check_out(as(agent_.id, run), id, agent_.id)));
  const auto refused =
      check_out(as(other.id, add_run(other.id, RunStatus::running)), id, other.id, IssueStatus::in_progress);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().message, "Issue checkout conflict");
  const auto& holder = refused.error().details.at("holder");
  EXPECT_EQ(holder.at("runId").as_string(), run.view());
  EXPECT_EQ(holder.at("agentName").as_string(), "Worker Bee");
  EXPECT_TRUE(holder.at("live").as_bool());
}

TEST_P(IssueLock, The_lock_of_a_run_that_is_over_goes_to_the_next_run_of_the_agent) {
  const auto id = open_issue(IssueStatus::todo, std::nullopt);
  const auto first = add_run(agent_.id, RunStatus::running);
  const auto second = add_run(agent_.id, RunStatus::running);
  ASSERT_TRUE(worked(check_out(as(agent_.id, first), id, agent_.id)));
  EXPECT_EQ(check_out(as(agent_.id, second), id, agent_.id).error().kind, ErrorKind::conflict);
  end_run(first);
  const auto taken = check_out(as(agent_.id, second), id, agent_.id);
  ASSERT_TRUE(taken.ok()) << taken.error().message;
  EXPECT_EQ(taken->checkout_run_id, second);
  EXPECT_EQ(fence(id), 2);
}

TEST_P(IssueLock, Of_many_runs_at_once_one_gets_the_issue) {
  const auto id = open_issue(IssueStatus::todo, std::nullopt);
  constexpr int callers = 8;
  std::vector<std::pair<AgentId, RunId>> runs;
  for (int i = 0; i < callers; ++i) {
    const auto agent = hire("Racer " + std::to_string(i));
    runs.emplace_back(agent.id, add_run(agent.id, RunStatus::running));
  }
  std::atomic<int> won = 0, lost = 0;
  std::vector<std::thread> threads;
  for (const auto& [agent, run] : runs)
    threads.emplace_back([&, agent = agent, run = run] {
      const auto outcome = check_out(as(agent, run), id, agent);
      if (outcome.ok())
        ++won;
      else if (outcome.error().kind == ErrorKind::conflict)
        ++lost;
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(won, 1);
  EXPECT_EQ(lost, callers - 1);
  EXPECT_EQ(fence(id), 1);
}

TEST_P(IssueLock, A_claim_for_another_agent_or_without_a_run_is_refused) {
  const auto id = open_issue(IssueStatus::todo, std::nullopt);
  const auto other = hire("Other");
  EXPECT_EQ(check_out(as(agent_.id), id, agent_.id).error().kind, ErrorKind::unauthorized);
  EXPECT_EQ(check_out(as(agent_.id, add_run(agent_.id, RunStatus::running)), id, other.id).error().message,
            "Agent can only checkout as itself");
  EXPECT_EQ(issue(id).status, IssueStatus::todo);
}

TEST_P(IssueLock, An_open_blocker_stands_in_the_way_and_a_cancelled_one_still_does) {
  const auto id = open_issue(IssueStatus::todo, std::nullopt);
  const auto blocker = open_issue(IssueStatus::cancelled, std::nullopt);
  block(id, blocker);
  const auto refused = check_out(board(), id, agent_.id);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::unprocessable);
  EXPECT_EQ(refused.error().details.at("unresolvedBlockerIssueIds").as_array().at(0).as_string(), blocker.view());
  ASSERT_TRUE(worked(execute("update issues set status = 'done' where id = :1", blocker)));
  EXPECT_TRUE(worked(check_out(board(), id, agent_.id)));
}

TEST_P(IssueLock, Release_gives_the_issue_back_and_counts_the_fence) {
  const auto id = open_issue(IssueStatus::todo, std::nullopt);
  const auto run = add_run(agent_.id, RunStatus::running);
  ASSERT_TRUE(worked(check_out(as(agent_.id, run), id, agent_.id)));
  const auto released =
      database_->write([&](store::Transaction& tx) { return release_issue(tx, as(agent_.id, run), id); });
  ASSERT_TRUE(released.ok()) << released.error().message;
  EXPECT_EQ(issue(id).status, IssueStatus::todo);
  EXPECT_FALSE(issue(id).assignee_agent_id.has_value());
  EXPECT_FALSE(issue(id).checkout_run_id.has_value());
  EXPECT_EQ(fence(id), 2);
}

TEST_P(IssueLock, A_peer_is_refused_and_a_manager_is_not) {
  const auto boss = hire("Boss");
  const auto peer = hire("Peer");
  ASSERT_TRUE(worked(execute("update agents set reports_to = :1 where id = :2", boss.id, agent_.id)));
  const auto id = open_issue(IssueStatus::todo, agent_.id);
  const auto gate = [&](AgentId who) {
    return database_->write([&](store::Transaction& tx) -> Result<> {
      auto row = *tx.one<Issue>("select {} from issues where id = :1", id);
      return require_mutation(tx, as(who), row);
    });
  };
  EXPECT_EQ(gate(peer.id).error().kind, ErrorKind::forbidden);
  EXPECT_TRUE(worked(gate(boss.id)));
  EXPECT_TRUE(worked(gate(agent_.id)));
  ASSERT_TRUE(worked(execute("update issues set status = 'in_progress' where id = :1", id)));
  EXPECT_EQ(gate(peer.id).error().kind, ErrorKind::conflict);
  EXPECT_EQ(gate(agent_.id).error().message, "Agent run id required");
}

/// A run that was given up goes on writing after its successor had the issue and ended: it is late, whoever lives.
TEST_P(IssueLock, A_run_that_is_over_takes_nothing_from_one_that_came_after_it) {
  const auto id = open_issue(IssueStatus::todo, agent_.id);
  const auto early = add_run(agent_.id, RunStatus::running);
  ASSERT_TRUE(execute("update heartbeat_runs set created_at = :1 where id = :2", Clock::system().now() - std::chrono::minutes(5), early).ok());
  ASSERT_TRUE(worked(check_out(as(agent_.id, early), id, agent_.id)));
  end_run(early);
  const auto late = add_run(agent_.id, RunStatus::running);
  const auto write = [&](RunId run) {
    return database_->write([&](store::Transaction& tx) -> Result<> {
      const auto scope = as(agent_.id, run);
      Issue issue = *tx.one<Issue>("select {} from issues where id = :1", id);
      return require_mutation(tx, scope, issue);
    });
  };
  ASSERT_TRUE(worked(write(late))) << "the later run adopts the lock of the one that is over";
  const auto before = fence(id);
  for (const bool holder_lives : {true, false}) {
    if (!holder_lives) end_run(late);
    const auto refused = write(early);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().message, "Issue run ownership conflict");
    EXPECT_EQ(refused.error().details.at("holder").at("runId"), json::value(late.view()));
    EXPECT_EQ(refused.error().details.at("holder").at("live"), holder_lives);
    const auto checkout = check_out(as(agent_.id, early), id, agent_.id);
    ASSERT_FALSE(checkout.ok());
    EXPECT_EQ(checkout.error().message, "Issue checkout conflict");
  }
  EXPECT_EQ(fence(id), before);
  EXPECT_TRUE(worked(write(late))) << "the holder itself may still say its last word";
}

INSTANTIATE_TEST_SUITE_P(Engines, IssueLock, ::testing::Values(store::Engine::sqlite, store::Engine::postgresql),
                         test::engine_name);

}  // namespace
}  // namespace paperclip::domain
