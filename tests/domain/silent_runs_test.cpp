#include "domain/access/scope.h"
#include "domain/runs/silent_runs.h"
#include "domain/runs/watchdog.h"
#include "work_in_time.h"

/// Runs that have fallen silent (spec/execution.md 24.3).
namespace paperclip::domain {
namespace {

using namespace std::chrono_literals;

class SilentRuns : public test::WorkInTime {
 protected:
  void SetUp() override {
    WorkInTime::SetUp();
    if (IsSkipped()) return;
    boss_ = hire("Boss");
    ASSERT_TRUE(execute("update agents set reports_to = :1 where id = :2", boss_.id, agent_.id).ok());
    issue_ = open_issue(IssueStatus::todo, agent_.id);
    wake(agent_.id, about(issue_, "issue_assigned"));
    run_ = claim(agent_.id).at(0).run.id;
  }
  SilentRunReport scan() {
    auto report = database_->write([](store::Transaction& tx) -> Result<SilentRunReport> { return scan_silent_runs(tx); });
    EXPECT_TRUE(report.ok());
    return *report;
  }
  std::optional<Issue> question() {
    return database_->read([&](store::Reader& reader) {
      return reader.one<Issue>("select {} from issues where origin_kind = 'stale_active_run_evaluation' and origin_id = :1 and status not in ('done', 'cancelled')", run_.view());
    });
  }
  void decide(WatchdogDecision word, std::optional<Timestamp> until = std::nullopt) {
    const auto scope = authorise_company(local_board(), company_.id, true);
    ASSERT_TRUE(database_->write([&](store::Transaction& tx) { return decide_on_silent_run(tx, *scope, run_, {word, std::nullopt, std::nullopt, until}); }).ok());
  }

  Agent boss_;
  IssueId issue_;
  RunId run_;
};

TEST_P(SilentRuns, After_an_hour_the_manager_is_asked_once) {
  clock_.advance(59min);
  EXPECT_EQ(scan().looked_at, 0);
  clock_.advance(1min);
  EXPECT_EQ(scan().created, 1);
  const auto asked = question();
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->title, "Review silent active run for Worker Bee");
  EXPECT_EQ(asked->priority, IssuePriority::medium);
  EXPECT_EQ(asked->assignee_agent_id, boss_.id);
  EXPECT_EQ(asked->parent_id, issue_);
  EXPECT_EQ(scan().left, 1);
  EXPECT_EQ(run(run_).status, RunStatus::running) << "nothing is ended";
  EXPECT_EQ(claim(boss_.id).size(), 1u) << "the manager was woken";
}

TEST_P(SilentRuns, After_four_hours_it_is_urgent_and_blocks_the_issue) {
  clock_.advance(1h);
  scan();
  clock_.advance(3h);
  EXPECT_EQ(scan().raised, 1);
  EXPECT_EQ(question()->priority, IssuePriority::high);
  EXPECT_EQ(value<std::int64_t>("select count(*) from issue_relations where type = 'blocks' and issue_id = :1 and related_issue_id = :2", question()->id, issue_), 1);
  EXPECT_EQ(scan().raised, 0);
}

TEST_P(SilentRuns, Output_is_a_sign_of_life) {
  clock_.advance(50min);
  ASSERT_TRUE(execute("update heartbeat_runs set last_output_at = :1 where id = :2", clock_.now(), run_).ok());
  clock_.advance(50min);
  EXPECT_EQ(scan().looked_at, 0);
}

TEST_P(SilentRuns, Decisions_keep_it_quiet) {
  clock_.advance(1h);
  decide(WatchdogDecision::snooze, clock_.now() + std::chrono::milliseconds(2h));
  EXPECT_EQ(scan().created, 0);
  clock_.advance(2h);
  decide(WatchdogDecision::continue_);
  EXPECT_EQ(scan().created, 0);
  clock_.advance(30min);
  EXPECT_EQ(scan().created, 1);
  ASSERT_TRUE(execute("update issues set status = 'done' where id = :1", question()->id).ok());
  decide(WatchdogDecision::dismissed_false_positive);
  clock_.advance(24h);
  EXPECT_EQ(scan().created, 0);
}

ON_BOTH_ENGINES(SilentRuns);

}  // namespace
}  // namespace paperclip::domain
