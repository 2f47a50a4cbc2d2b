#include "domain/runs/productivity_review.h"

#include "domain/runs/stranded.h"
#include "work_in_time.h"

/// Work that goes round in circles (spec/work-domain.md 14).
namespace paperclip::domain {
namespace {

using namespace std::chrono_literals;

class ProductivityReviews : public test::WorkInTime {
 protected:
  void SetUp() override {
    WorkInTime::SetUp();
    if (IsSkipped()) return;
    boss_ = hire("Boss");
    ASSERT_TRUE(execute("update agents set reports_to = :1 where id = :2", boss_.id, agent_.id).ok());
    issue_ = open_issue(IssueStatus::todo, agent_.id);
  }
  // A run that ends and says nothing.
  RunId silent_run(std::chrono::milliseconds ago = 0ms) {
    HeartbeatRun run;
    run.id = fresh<RunId>();
    run.company_id = company_.id;
    run.agent_id = agent_.id;
    run.status = RunStatus::failed;
    run.context_snapshot = RawJson(json::value{{"issueId", issue_.view()}});
    run.created_at = run.updated_at = clock_.now() - ago;
    EXPECT_TRUE(insert("heartbeat_runs", run).ok());
    EXPECT_TRUE(execute("update heartbeat_runs set context_issue_id = :1 where id = :2", issue_, run.id).ok());
    return run.id;
  }
  void comment_of(RunId run) {
    IssueComment row;
    row.id = fresh<CommentId>();
    row.company_id = company_.id;
    row.issue_id = issue_;
    row.author_agent_id = agent_.id;
    row.created_by_run_id = run;
    row.body = "still at it";
    row.created_at = row.updated_at = clock_.now();
    add(row);
  }
  // One turn of the scheduler; how many issues it found something to do for.
  std::size_t turn() {
    const auto found = database_->read([](store::Reader& reader) { return find_unproductive_work(reader); });
    for (const auto& [company, issue] : found) {
      const auto done = database_->write([company = company, issue = issue](store::Transaction& tx) { return review_productivity(tx, company, issue); });
      EXPECT_TRUE(done.ok()) << done.error().message;
      EXPECT_NE(*done, ReviewOutcome::nothing);
    }
    return found.size();
  }
  std::optional<Issue> review() {
    return database_->read([&](store::Reader& reader) {
      return reader.one<Issue>("select {} from issues where origin_kind = 'issue_productivity_review' and origin_id = :1 and status not in ('done', 'cancelled')", issue_.view());
    });
  }
  std::int64_t activities(std::string_view action) { return *value<std::int64_t>("select count(*) from activity_log where action = :1", action); }

  Agent boss_;
  IssueId issue_;
};

TEST_P(ProductivityReviews, Ten_runs_without_a_word_ask_the_manager) {
  for (int i = 0; i < 9; ++i) silent_run(2h);
  EXPECT_EQ(turn(), 0u);
  silent_run(2h);
  EXPECT_EQ(turn(), 1u);
  const auto opened = review();
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->title, "Review productivity for ACM-1");
  EXPECT_EQ(opened->priority, IssuePriority::high);
  EXPECT_EQ(opened->assignee_agent_id, boss_.id);
  EXPECT_EQ(opened->parent_id, issue_);
  EXPECT_EQ(opened->origin_fingerprint, "productivity-review:" + issue_.str());
  EXPECT_EQ(activities("issue.productivity_review_created"), 1);
  EXPECT_EQ(claim(boss_.id).size(), 1u) << "the manager was woken";
  EXPECT_EQ(turn(), 0u) << "one open review is enough";
}

TEST_P(ProductivityReviews, A_comment_of_the_newest_run_breaks_the_silence) {
  for (int i = 0; i < 12; ++i) silent_run(2h);
  comment_of(silent_run());
  EXPECT_EQ(turn(), 0u);
}

TEST_P(ProductivityReviews, Many_runs_in_an_hour_are_churn_and_hold_what_would_go_on_by_itself) {
  for (int i = 0; i < 10; ++i) comment_of(silent_run());
  EXPECT_EQ(turn(), 1u);
  ASSERT_TRUE(review());
  const auto held = [&] {
    return *database_->write([&](store::Transaction& tx) -> Result<bool> { return held_by_review(tx, *find_work_issue(tx, company_.id, issue_), "test"); });
  };
  EXPECT_TRUE(held());
  // Not taken up by itself while the review is open, taken up when it is done.
  ASSERT_TRUE(execute("update issues set status = 'in_progress', started_at = :1 where id = :2", clock_.now(), issue_).ok());
  const auto reconcile = [&] { return *database_->write([](store::Transaction& tx) -> Result<StrandedReport> { return reconcile_stranded_issues(tx); }); };
  EXPECT_EQ(reconcile().continued, 0);
  EXPECT_EQ(activities("issue.productivity_review_continuation_held"), 1);
  ASSERT_TRUE(execute("update issues set status = 'done', completed_at = :1 where id = :2", clock_.now(), review()->id).ok());
  EXPECT_FALSE(held());
  EXPECT_EQ(reconcile().continued, 1);
}

TEST_P(ProductivityReviews, Six_hours_in_progress_are_long) {
  ASSERT_TRUE(execute("update issues set status = 'in_progress', started_at = :1 where id = :2", clock_.now(), issue_).ok());
  clock_.advance(std::chrono::milliseconds(6h) - 1ms);
  EXPECT_EQ(turn(), 0u);
  clock_.advance(1ms);
  EXPECT_EQ(turn(), 1u);
  EXPECT_EQ(review()->priority, IssuePriority::medium);
}

TEST_P(ProductivityReviews, An_open_review_hears_of_it_three_times_an_hour_apart) {
  for (int i = 0; i < 10; ++i) silent_run(2h);
  turn();
  const auto id = review()->id;
  for (int i = 0; i < 5; ++i) {
    clock_.advance(59min);
    turn();
    clock_.advance(1min);
    turn();
  }
  EXPECT_EQ(value<std::int64_t>("select count(*) from issue_comments where issue_id = :1 and body like 'Productivity review evidence refreshed.%'", id), 3);
  EXPECT_EQ(activities("issue.productivity_review_updated"), 3);
}

TEST_P(ProductivityReviews, After_a_done_review_it_is_quiet_for_six_hours_and_three_a_day_are_enough) {
  for (int i = 0; i < 10; ++i) silent_run();
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(turn(), 1u) << round;
    const auto open = review();
    ASSERT_TRUE(open) << round;
    ASSERT_TRUE(execute("update issues set status = 'done', completed_at = :1 where id = :2", clock_.now(), open->id).ok());
    EXPECT_EQ(turn(), 0u) << round;
    clock_.advance(6h);
  }
  EXPECT_EQ(turn(), 0u) << "a fourth within a day";
  clock_.advance(6h);
  EXPECT_EQ(turn(), 1u);
}

TEST_P(ProductivityReviews, A_review_is_not_reviewed) {
  ASSERT_TRUE(execute("update issues set origin_kind = 'issue_productivity_review', origin_id = 'x' where id = :1", issue_).ok());
  for (int i = 0; i < 12; ++i) silent_run();
  EXPECT_EQ(turn(), 0u);
}

ON_BOTH_ENGINES(ProductivityReviews);

}  // namespace
}  // namespace paperclip::domain
