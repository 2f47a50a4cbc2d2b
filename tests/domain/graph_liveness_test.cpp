#include "domain/runs/graph_liveness.h"

#include "domain/instance/instance.h"
#include "domain/schema/table_of.h"
#include "work_in_time.h"

/// Work that waits for what nobody will do (spec/execution.md 24.4).
namespace paperclip::domain {
namespace {

using namespace std::chrono_literals;

class GraphLiveness : public test::WorkInTime {
 protected:
  void SetUp() override {
    WorkInTime::SetUp();
    if (IsSkipped()) return;
    boss_ = hire("Boss");
    ASSERT_TRUE(execute("update agents set reports_to = :1 where id = :2", boss_.id, agent_.id).ok());
    source_ = touched(open_issue(IssueStatus::blocked, agent_.id));
  }
  IssueId touched(IssueId id) {
    EXPECT_TRUE(execute("update issues set updated_at = :1, created_at = :1 where id = :2", clock_.now(), id).ok());
    return id;
  }
  IssueId blocker(IssueStatus status, std::optional<AgentId> assignee) {
    const auto id = touched(open_issue(status, assignee));
    block(source_, id);
    return id;
  }
  std::optional<DeadEnd> look(IssueId id) {
    return database_->read([&](store::Reader& reader) { return find_dead_end(reader, *find_work_issue(reader, company_.id, id)); });
  }
  std::optional<DeadEndState> state() {
    const auto found = look(source_);
    return found ? std::optional(found->state) : std::nullopt;
  }
  GraphRecoveryReport recover(int hours = 24) {
    auto report = database_->read([&](store::Reader& reader) { return preview_graph_recovery(reader, hours); });
    EXPECT_TRUE(database_->write([&](store::Transaction& tx) -> Result<> {
                           recover_dead_ends(tx, report);
                           return {};
                         })
                    .ok());
    return report;
  }
  int retire() {
    return *database_->write([](store::Transaction& tx) -> Result<int> { return retire_obsolete_escalations(tx); });
  }
  std::optional<Issue> escalation() {
    return database_->read([](store::Reader& reader) {
      return reader.one<Issue>("select {} from issues where origin_kind = 'harness_liveness_escalation' and status not in ('done', 'cancelled')");
    });
  }

  Agent boss_;
  IssueId source_;
};

TEST_P(GraphLiveness, The_end_of_the_way_says_what_is_wrong) {
  EXPECT_EQ(state(), std::nullopt) << "blocked by nothing is no dead end";
  const auto other = blocker(IssueStatus::todo, std::nullopt);
  EXPECT_EQ(state(), DeadEndState::blocked_by_unassigned_issue);
  ASSERT_TRUE(execute("update issues set assignee_agent_id = :1 where id = :2", boss_.id, other).ok());
  EXPECT_EQ(state(), std::nullopt);
  ASSERT_TRUE(execute("update agents set status = 'paused' where id = :1", boss_.id).ok());
  EXPECT_EQ(state(), DeadEndState::blocked_by_uninvokable_assignee);
  ASSERT_TRUE(execute("update issues set status = 'cancelled' where id = :1", other).ok());
  EXPECT_EQ(state(), DeadEndState::blocked_by_cancelled_issue);
  ASSERT_TRUE(execute("update issues set status = 'done' where id = :1", other).ok());
  EXPECT_EQ(state(), std::nullopt);
}

TEST_P(GraphLiveness, It_is_followed_through_chains_and_circles) {
  const auto middle = blocker(IssueStatus::blocked, boss_.id);
  const auto leaf = touched(open_issue(IssueStatus::backlog, std::nullopt));
  block(middle, leaf);
  block(leaf, source_);  // a circle
  EXPECT_EQ(look(source_), std::nullopt) << "in a circle nobody is the end";
  ASSERT_TRUE(execute("delete from issue_relations where issue_id = :1", source_).ok());
  const auto found = look(source_);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->leaf.id, leaf);
  EXPECT_EQ(found->incident_key(), "harness_liveness:" + company_.id.str() + ":" + source_.str() + ":blocked_by_unassigned_issue:" + leaf.str());
  EXPECT_EQ(found->leaf_key(), "harness_liveness_leaf:" + company_.id.str() + ":blocked_by_unassigned_issue:" + leaf.str());
}

TEST_P(GraphLiveness, Whatever_will_move_it_keeps_a_way_alive) {
  const auto other = blocker(IssueStatus::todo, std::nullopt);
  ASSERT_TRUE(execute("update issues set assignee_user_id = 'ann' where id = :1", other).ok());
  EXPECT_EQ(state(), std::nullopt) << "a person has it";
  ASSERT_TRUE(execute("update issues set assignee_user_id = null, monitor_next_check_at = :1 where id = :2", clock_.now() + 1h, other).ok());
  EXPECT_EQ(state(), std::nullopt) << "it will be looked at";
  clock_.advance(2h);
  EXPECT_EQ(state(), DeadEndState::blocked_by_unassigned_issue);
  wake(boss_.id, [&] {
    const auto said = comment(other, "ann");
    auto mention = comment_wake(other, said);
    mention.reason = "issue_comment_mentioned";
    mention.context["source"] = "comment.mention";
    return mention;
  }());
  EXPECT_EQ(state(), std::nullopt) << "a run is on its way";
}

TEST_P(GraphLiveness, A_review_needs_somebody_who_can_give_it) {
  ASSERT_TRUE(execute("update issues set status = 'in_review' where id = :1", source_).ok());
  EXPECT_EQ(state(), DeadEndState::in_review_without_action_path);
  const auto reviewed_by = [&](AgentId agent) {
    return execute("update issues set execution_state = :1 where id = :2",
                   RawJson(json::value{{"currentParticipant", json::object{{"type", "agent"}, {"agentId", agent.view()}}}}), source_)
        .ok();
  };
  ASSERT_TRUE(reviewed_by(boss_.id));
  EXPECT_EQ(state(), std::nullopt);
  ASSERT_TRUE(execute("update agents set status = 'terminated' where id = :1", boss_.id).ok());
  EXPECT_EQ(state(), DeadEndState::invalid_review_participant);
  EXPECT_TRUE(look(source_)->incident_key().ends_with(":invalid_review_participant:" + boss_.id.str()));
}

TEST_P(GraphLiveness, Somebody_in_charge_is_asked_once_for_all_who_wait_for_the_same) {
  const auto leaf = blocker(IssueStatus::todo, std::nullopt);
  const auto second = touched(open_issue(IssueStatus::blocked, agent_.id));
  block(second, leaf);
  const auto report = recover();
  EXPECT_EQ(report.findings, 2);
  EXPECT_EQ(report.escalations_created, 1);
  EXPECT_EQ(report.existing_escalations, 1);
  const auto asked = escalation();
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->priority, IssuePriority::high);
  EXPECT_EQ(asked->parent_id, leaf);
  EXPECT_EQ(asked->assignee_agent_id, boss_.id);
  EXPECT_EQ(claim(boss_.id).size(), 1u) << "the owner was woken";
  for (const auto& id : {source_, second})
    EXPECT_EQ(value<std::int64_t>("select count(*) from issue_relations where issue_id = :1 and related_issue_id = :2 and type = 'blocks'", asked->id, id), 1);
  EXPECT_EQ(recover().escalations_created, 0);
  EXPECT_EQ(value<std::int64_t>("select count(*) from issue_comments where issue_id = :1", source_), 1) << "said once";
}

TEST_P(GraphLiveness, What_was_long_ago_is_left_alone) {
  blocker(IssueStatus::todo, std::nullopt);
  clock_.advance(25h);
  const auto report = recover(24);
  EXPECT_EQ(report.findings, 1);
  EXPECT_EQ(report.skipped_outside_lookback, 1);
  EXPECT_FALSE(escalation());
  EXPECT_EQ(recover(48).escalations_created, 1);
}

TEST_P(GraphLiveness, An_escalation_that_is_not_needed_any_more_goes_and_lets_its_issue_go_on) {
  const auto leaf = blocker(IssueStatus::todo, std::nullopt);
  recover();
  EXPECT_EQ(retire(), 0);
  ASSERT_TRUE(execute("update issues set status = 'done' where id = :1", leaf).ok());
  EXPECT_EQ(retire(), 1);
  EXPECT_FALSE(escalation());
  EXPECT_EQ(value<std::int64_t>("select count(*) from issue_relations where related_issue_id = :1", source_), 1) << "what was done stays on record";
  EXPECT_EQ(value<std::string>("select reason from agent_wakeup_requests where agent_id = :1 order by requested_at desc, id limit 1", agent_.id), "issue_blockers_resolved");
}

TEST_P(GraphLiveness, A_closed_escalation_is_not_asked_again_the_same_day) {
  blocker(IssueStatus::todo, std::nullopt);
  recover();
  ASSERT_TRUE(execute("update issues set status = 'done', updated_at = :1 where id = :2", clock_.now(), escalation()->id).ok());
  EXPECT_EQ(recover().escalations_created, 0);
  clock_.advance(25h);
  EXPECT_EQ(recover(720).escalations_created, 1);
}

TEST_P(GraphLiveness, It_is_off_unless_the_instance_wants_it) {
  const auto settings = [&] { return database_->read([](store::Reader& reader) { return graph_recovery_settings(reader); }); };
  EXPECT_FALSE(settings().enabled);
  EXPECT_EQ(settings().lookback_hours, 24);
  InstanceSettings row;
  row.id = fresh<AnyId>();
  row.experimental = RawJson(R"({"enableIssueGraphLivenessAutoRecovery":true,"issueGraphLivenessAutoRecoveryLookbackHours":48})");
  row.created_at = row.updated_at = clock_.now();
  add(row);
  EXPECT_TRUE(settings().enabled);
  EXPECT_EQ(settings().lookback_hours, 48);
}

ON_BOTH_ENGINES(GraphLiveness);

}  // namespace
}  // namespace paperclip::domain
