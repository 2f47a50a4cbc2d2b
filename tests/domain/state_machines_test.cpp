#include <rapidcheck.h>

#include <map>
#include <set>

#include "base/enum.h"
#include "domain/access/scope.h"
#include "domain/agents/agents.h"
#include "domain/environments/leases.h"
#include "domain/plugins/jobs.h"
#include "domain/plugins/plugin_states.h"
#include "domain/runs/cancel.h"
#include "domain/runs/retries.h"
#include "domain/wakeups/wakeup_states.h"
#include "work_in_time.h"

/// Whatever is done in whatever order: rows only go where their tables of transitions have an arrow.
namespace paperclip::domain {
namespace {

using namespace std::chrono_literals;

template <class State, std::size_t N>
void check_table(const Transitions<State, N>& table, std::set<State> starts) {
  std::set<std::pair<State, State>> arrows;
  std::set<State> reached = std::move(starts);
  for (const auto& row : table.rows) {
    EXPECT_TRUE(arrows.emplace(row.from, row.to).second) << to_text(row.from) << " → " << to_text(row.to) << " stands twice";
    EXPECT_NE(std::string_view(row.when), "");
  }
  for (std::size_t rounds = 0; rounds < N; ++rounds)
    for (const auto& row : table.rows)
      if (reached.contains(row.from)) reached.insert(row.to);
  for (const auto& row : table.rows) EXPECT_TRUE(reached.contains(row.from)) << "nothing leads to " << to_text(row.from);
  // A random walk ends, if it can, where no arrow leaves, and never takes one that is not there.
  rc::check([&] {
    State at = table.rows[*rc::gen::inRange<std::size_t>(0, N)].from;
    for (int steps = 0; steps < 50 && !table.is_final(at); ++steps) {
      std::vector<State> next;
      for (const auto& row : table.rows)
        if (row.from == at) next.push_back(row.to);
      const State to = *rc::gen::elementOf(next);
      RC_ASSERT(table.allow(at, to));
      at = to;
    }
    if (table.is_final(at))
      for (const auto& row : table.rows) RC_ASSERT(!table.allow(at, row.to));
  });
}

TEST(TransitionTables, Each_state_can_be_reached_and_each_arrow_stands_once) {
  check_table(run_transitions, {RunStatus::queued, RunStatus::scheduled_retry});
  check_table(wakeup_transitions, {WakeupStatus::queued, WakeupStatus::deferred_issue_execution});
  check_table(lease_transitions, {LeaseStatus::active});
  check_table(job_run_transitions, {job_run_transitions.rows[0].from});
  check_table(plugin_transitions, {plugin_transitions.rows[0].from});
}

class StateMachines : public test::WorkInTime {
 protected:
  template <class Status>
  using States = std::map<AnyId, Status>;

  template <class Status>
  States<Status> states(std::string_view sql) {
    States<Status> found;
    database_->read([&](store::Reader& reader) {
      reader.each<std::pair<AnyId, Status>>(sql, [&](const std::pair<AnyId, Status>& row) { found.insert(row); });
      return 0;
    });
    return found;
  }
  template <class Status, std::size_t N>
  void follow(const Transitions<Status, N>& table, States<Status>& known, std::string_view sql) {
    auto now = states<Status>(sql);
    for (const auto& [id, status] : now)
      if (const auto before = known.find(id); before != known.end() && before->second != status) {
        // One transaction may take two steps, such as claimed and refused by what it needs.
        bool reachable = table.allow(before->second, status);
        for (const auto& row : table.rows) reachable = reachable || (row.from == before->second && table.allow(row.to, status));
        if (!reachable) RC_FAIL(std::string(to_text(before->second)) + " became " + std::string(to_text(status)));
      }
    known = std::move(now);
  }

  void follow_all() {
    follow(run_transitions, runs_, "select id, status from heartbeat_runs");
    follow(wakeup_transitions, wakeups_, "select id, status from agent_wakeup_requests");
    follow(lease_transitions, leases_, "select id, status from environment_leases");
    for (const auto& [id, status] : runs_)
      if (!is_live(status) && ended_.emplace(id, status).first->second != status) RC_FAIL("a run that is over changed how it ended");
  }

  void write(auto&& rule) {
    (void)database_->write([&](store::Transaction& tx) -> Result<> {
      (void)rule(tx);
      return {};
    });
  }

  // One thing that may happen.
  void act(int what) {
    const auto scope = CompanyScope::internal(company_.id);
    switch (what) {
      case 0: wake(agent_.id, request()); break;
      case 1: wake(agent_.id, about(issues_of_.at(*rc::gen::inRange<std::size_t>(0, issues_of_.size())), "issue_assigned")); break;
      case 2: {
        const auto issue = issues_of_.at(*rc::gen::inRange<std::size_t>(0, issues_of_.size()));
        wake(agent_.id, comment_wake(issue, comment(issue, "ann")));
        break;
      }
      case 3: case 4:
        for (auto& setup : claim(agent_.id, *rc::gen::inRange(1, 3))) claimed_.push_back(std::move(setup));
        break;
      case 5: case 6: {
        if (claimed_.empty()) break;
        const auto at = claimed_.begin() + static_cast<std::ptrdiff_t>(*rc::gen::inRange<std::size_t>(0, claimed_.size()));
        RunReport report;
        switch (*rc::gen::inRange(0, 5)) {
          case 0: break;
          case 1: report = failure(); break;
          case 2: report.timed_out = true; break;
          case 3: report = failure("overloaded", "claude_transient_upstream"); break;
          default: report = failure("lost", "process_lost"); report.lost = true;
        }
        (void)finish(*at, report);
        if (*rc::gen::inRange(0, 3) > 0) claimed_.erase(at);  // else it is told again, which must be refused
        break;
      }
      case 7: {
        const auto live = database_->read([](store::Reader& reader) { return reader.column<RunId>("select id from heartbeat_runs where status in ('queued', 'running', 'scheduled_retry') order by id"); });
        if (!live.empty()) write([&](store::Transaction& tx) { return cancel_run(tx, scope, live.at(*rc::gen::inRange<std::size_t>(0, live.size()))); });
        break;
      }
      case 8:
        if (!claimed_.empty()) write([&](store::Transaction& tx) { requeue_unstarted(tx, claimed_.back().run.id); return 0; });
        break;
      case 9: write([&](store::Transaction& tx) { return pause_agent(tx, scope, agent_.id); }); break;
      case 10: write([&](store::Transaction& tx) { return resume_agent(tx, scope, agent_.id); }); break;
      case 11:
        clock_.advance(*rc::gen::elementOf(std::vector<std::chrono::milliseconds>{1s, 3min, 3h}));
        write([](store::Transaction& tx) { return promote_due_retries(tx); });
        break;
      default: {
        const auto issue = issues_of_.at(*rc::gen::inRange<std::size_t>(0, issues_of_.size()));
        const auto status = *rc::gen::elementOf(std::vector<std::string>{"todo", "in_progress", "done", "cancelled"});
        (void)execute("update issues set status = :1 where id = :2", status, issue);
      }
    }
  }

  std::vector<IssueId> issues_of_;
  std::vector<RunSetup> claimed_;
  States<RunStatus> runs_, ended_;
  States<WakeupStatus> wakeups_;
  States<LeaseStatus> leases_;
};

TEST_P(StateMachines, Rows_only_go_where_an_arrow_leads) {
  const auto stays_legal = [&] {
    // Each case goes on in the same database with an agent and issues of its own.
    agent_ = hire("Agent " + std::to_string(runs_.size()));
    issues_of_ = {open_issue(IssueStatus::todo, agent_.id), open_issue(IssueStatus::in_progress, agent_.id)};
    claimed_.clear();
    follow_all();
    for (const int what : *rc::gen::resize(25, rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 13)))) {
      act(what);
      follow_all();
    }
  };
  EXPECT_TRUE(rc::check("each change of a status is a transition", stays_legal));
}

ON_BOTH_ENGINES(StateMachines);

}  // namespace
}  // namespace paperclip::domain
