#include "domain/access/scope.h"
#include "domain/agents/agents.h"
#include "domain/runs/cancel.h"
#include "domain/runs/issue_release.h"
#include "domain/runs/stranded.h"
#include "domain/waiting/note_waits.h"
#include "domain/wakeups/wake_context.h"
#include "work_in_time.h"

/// Nothing that was accepted waits without a reason, nor for ever (OURS; domain/waiting).
namespace paperclip::domain {
namespace {

using namespace std::chrono_literals;

class Waiting : public test::WorkInTime {
 protected:
  /// One turn of the scheduler's rule.
  void turn(MachineSlots machine = {}) {
    const auto found = database_->read([&](store::Reader& reader) { return find_waits_to_note(reader, machine); });
    const auto done = database_->write([&](store::Transaction& tx) -> Result<> {
      for (const auto& [company, issue] : found.orphaned) promote_parked_wake(tx, company, issue);
      for (const auto& [company, agent] : found.agents) note_waits(tx, company, agent, machine);
      if (found.stale) forget_stale_waits(tx);
      return {};
    });
    ASSERT_TRUE(done.ok());
  }
  bool something_to_note(MachineSlots machine = {}) {
    const auto found = database_->read([&](store::Reader& reader) { return find_waits_to_note(reader, machine); });
    return !found.agents.empty() || !found.orphaned.empty() || found.stale;
  }
  std::optional<std::string> code_of(RunId run) {
    return value<std::string>("select x.code from wakeup_waits x join heartbeat_runs r on r.wakeup_request_id = x.wakeup_id where r.id = :1", run);
  }
  RunId queue(AgentId agent, const std::string& key) {
    auto wish = request();
    wish.payload = json::object{{"taskKey", key}};
    return *wake(agent, wish).outcome.run_id;
  }
};

TEST_P(Waiting, A_run_behind_its_agents_limit_says_so_until_it_starts) {
  const auto one = hire("One At A Time", R"({"heartbeat":{"maxConcurrentRuns":1}})");
  queue(one.id, "first");
  const auto running = claim(one.id);
  ASSERT_EQ(running.size(), 1u);
  const RunId second = queue(one.id, "second");
  turn();
  EXPECT_EQ(code_of(second), "agent_limit");
  EXPECT_FALSE(something_to_note()) << "what is on record is not written again";
  ASSERT_TRUE(finish(running[0]).ok());
  turn();
  EXPECT_EQ(code_of(second), "starting");
  ASSERT_EQ(claim(one.id).size(), 1u);
  turn();
  EXPECT_EQ(code_of(second), std::nullopt);
  EXPECT_EQ(value<std::int64_t>("select count(*) from wakeup_waits"), 0);
}

TEST_P(Waiting, A_full_machine_is_a_reason_too) {
  const RunId run = queue(agent_.id, "a");
  turn({.live = 4, .limit = 4});
  EXPECT_EQ(code_of(run), "machine_full");
}

TEST_P(Waiting, A_retry_and_a_parked_wake_have_their_reasons) {
  const auto id = open_issue(IssueStatus::todo, agent_.id);
  wake(agent_.id, about(id, "issue_assigned"));
  const auto first = claim(agent_.id);
  const auto said = comment(id, "ann");
  EXPECT_EQ(wake(agent_.id, comment_wake(id, said)).outcome.result, WakeResult::deferred);
  turn();
  EXPECT_EQ(value<std::string>("select x.code from wakeup_waits x join agent_wakeup_requests w on w.id = x.wakeup_id where w.status = 'deferred_issue_execution'"),
            "issue_executing");
  const auto other = open_issue(IssueStatus::todo, agent_.id);
  wake(agent_.id, about(other, "issue_assigned"));
  auto failed = claim(agent_.id);
  auto report = failure("busy", "claude_transient_upstream");
  report.error_family = "transient_upstream";
  ASSERT_TRUE(finish(failed.at(0), report).ok());
  turn();
  EXPECT_EQ(code_of(runs("scheduled_retry").at(0).id), "retry_scheduled");
}

TEST_P(Waiting, A_wake_parked_behind_nobody_goes_on_within_a_minute) {
  const auto id = open_issue(IssueStatus::in_progress, agent_.id);
  wake(agent_.id, about(id, "issue_status_changed"));
  const auto first = claim(agent_.id);
  wake(agent_.id, comment_wake(id, comment(id, "ann")));
  ASSERT_EQ(wakeups("deferred_issue_execution"), 1);
  // As if the end of the run had been lost on the way: its row is final, nobody promoted.
  ASSERT_TRUE(execute("update heartbeat_runs set status = 'failed', finished_at = :1 where id = :2", clock_.now(), first.at(0).run.id).ok());
  ASSERT_TRUE(execute("update environment_leases set status = 'released'").ok());
  turn();
  EXPECT_EQ(wakeups("deferred_issue_execution"), 1);
  clock_.advance(61s);
  turn();
  EXPECT_EQ(wakeups("deferred_issue_execution"), 0);
  ASSERT_EQ(runs("queued").size(), 1u);
  EXPECT_EQ(runs("queued")[0].context_snapshot->parse().at("wakeReason").as_string(), "issue_commented");
}

TEST_P(Waiting, What_has_waited_ten_minutes_goes_before_what_is_more_urgent) {
  const auto low = open_issue(IssueStatus::todo, agent_.id, IssuePriority::low);
  wake(agent_.id, about(low, "issue_assigned"));
  clock_.advance(9min + 59s);
  const auto urgent = open_issue(IssueStatus::in_progress, agent_.id, IssuePriority::critical);
  wake(agent_.id, about(urgent, "issue_assigned"));
  const auto young = database_->read([&](store::Reader& reader) { return reader.now(); });
  EXPECT_EQ(young, clock_.now());
  auto first = claim(agent_.id, 1);
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(first[0].issue->id, urgent) << "the low one is not old yet";
  const auto second = open_issue(IssueStatus::in_progress, agent_.id, IssuePriority::critical);
  wake(agent_.id, about(second, "issue_assigned"));
  clock_.advance(2s);
  auto next = claim(agent_.id, 1);
  ASSERT_EQ(next.size(), 1u);
  EXPECT_EQ(next[0].issue->id, low);
}

/// The board pauses an agent while it works on an issue: nothing may be left in its queue, and what is unfinished is taken
/// up when it may work again.
TEST_P(Waiting, A_paused_agent_keeps_nothing_queued_and_goes_on_when_it_is_resumed) {
  const auto id = open_issue(IssueStatus::todo, agent_.id);
  wake(agent_.id, about(id, "issue_assigned"));
  const auto claimed = claim(agent_.id);
  ASSERT_EQ(issue(id).status, IssueStatus::in_progress);
  const auto scope = CompanyScope::internal(company_.id);
  ASSERT_TRUE(database_->write([&](store::Transaction& tx) { return pause_agent(tx, scope, agent_.id); }).ok());
  auto report = failure("killed");
  report.lost = true;
  ASSERT_TRUE(finish(claimed.at(0), report).ok());
  EXPECT_EQ(run(claimed[0].run.id).status, RunStatus::cancelled);
  EXPECT_TRUE(runs("queued").empty());
  EXPECT_TRUE(runs("scheduled_retry").empty());
  EXPECT_EQ(issue(id).status, IssueStatus::in_progress) << "the board paused the agent; its work waits";
  ASSERT_TRUE(database_->write([&](store::Transaction& tx) { return resume_agent(tx, scope, agent_.id); }).ok());
  const auto swept = database_->write([](store::Transaction& tx) -> Result<StrandedReport> { return reconcile_stranded_issues(tx); });
  ASSERT_TRUE(swept.ok());
  EXPECT_EQ(swept->continued, 1);
  EXPECT_EQ(claim(agent_.id).size(), 1u);
}

/// The same when a retry was queued before the pause: a process that was lost is not replaced for a paused agent.
TEST_P(Waiting, A_lost_process_of_a_cancelled_run_is_not_replaced) {
  const auto id = open_issue(IssueStatus::todo, agent_.id);
  wake(agent_.id, about(id, "issue_assigned"));
  const auto claimed = claim(agent_.id);
  ASSERT_TRUE(database_->write([&](store::Transaction& tx) { return cancel_run(tx, CompanyScope::internal(company_.id), claimed.at(0).run.id); }).ok());
  auto report = failure("gone", "process_lost");
  report.lost = true;
  ASSERT_TRUE(finish(claimed[0], report).ok());
  for (const auto& queued : runs("queued")) EXPECT_NE(context_text(queued.context_snapshot->parse().as_object(), "retryReason"), "process_lost");
}

ON_BOTH_ENGINES(Waiting);

}  // namespace
}  // namespace paperclip::domain
