#include "domain/issues/execution_policy.h"

#include <gtest/gtest.h>

namespace paperclip::domain {
namespace {

AgentId agent(char digit) { return *AgentId::parse(std::string(8, digit) + "-0000-4000-8000-000000000000"); }
AnyId id(char digit) { return *AnyId::parse(std::string(8, digit) + "-1111-4000-8000-000000000000"); }

const Principal executor = Principal::agent(agent('1'));
const Principal reviewer = Principal::agent(agent('2'));
const Principal approver = Principal::user("ann");

ExecutionStage stage(char digit, ExecutionStageType type, std::vector<Principal> participants) {
  ExecutionStage out{id(digit), type, 1, {}};
  for (const auto& who : participants) out.participants.push_back({id('f'), who.type, who.agent_id, who.user_id});
  return out;
}

ExecutionPolicy two_stages() {
  ExecutionPolicy policy;
  policy.stages = {stage('a', ExecutionStageType::review, {reviewer}),
                   stage('b', ExecutionStageType::approval, {approver})};
  return policy;
}

StageRequest request(const ExecutionPolicy& policy, const Principal& actor, IssueStatus wanted) {
  StageRequest out;
  out.status = IssueStatus::in_progress;
  out.assignee = executor;
  out.policy = policy;
  out.requested_status = wanted;
  out.actor = actor;
  return out;
}

// The issue as it is after a transition.
StageRequest after(const StageRequest& before, const StageTransition& step, const Principal& actor,
                   std::optional<IssueStatus> wanted, std::string_view comment = "") {
  StageRequest out = before;
  if (step.status) out.status = *step.status;
  if (step.sets_assignee) out.assignee = step.assignee;
  if (step.sets_state) out.state = step.state;
  out.actor = actor;
  out.requested_status = wanted;
  out.comment = comment;
  return out;
}

TEST(ExecutionPolicy, Done_goes_from_stage_to_stage_before_it_is_done) {
  auto now = request(two_stages(), executor, IssueStatus::done);
  auto step = advance_stage(now);
  ASSERT_TRUE(step.ok());
  EXPECT_EQ(step->status, IssueStatus::in_review);
  EXPECT_EQ(step->assignee, reviewer);
  EXPECT_EQ(step->state->return_assignee, executor);
  now = after(now, *step, reviewer, IssueStatus::done, "looks good");
  step = advance_stage(now);
  ASSERT_TRUE(step.ok());
  EXPECT_EQ(step->assignee, approver);
  EXPECT_EQ(step->decision->outcome, ExecutionDecisionOutcome::approved);
  now = after(now, *step, approver, IssueStatus::done, "go");
  step = advance_stage(now);
  ASSERT_TRUE(step.ok());
  EXPECT_EQ(step->state->status, StageProgress::completed);
  EXPECT_FALSE(step->status.has_value());  // the requested `done` goes through
  EXPECT_EQ(step->state->completed_stage_ids.size(), 2u);
}

TEST(ExecutionPolicy, A_decision_needs_a_word) {
  auto now = request(two_stages(), executor, IssueStatus::done);
  const auto step = advance_stage(now);
  now = after(now, *step, reviewer, IssueStatus::done, "  ");
  EXPECT_EQ(advance_stage(now).error().message, "Approving a review or approval stage requires a comment");
  now = after(now, *step, reviewer, IssueStatus::todo, "");
  EXPECT_EQ(advance_stage(now).error().message, "Requesting changes requires a comment");
}

TEST(ExecutionPolicy, Nobody_else_advances_or_reassigns_a_stage) {
  auto now = request(two_stages(), executor, IssueStatus::done);
  const auto step = advance_stage(now);
  now = after(now, *step, executor, IssueStatus::done, "I say so");
  EXPECT_EQ(advance_stage(now).error().kind, ErrorKind::unprocessable);
  now = after(now, *step, executor, std::nullopt);
  now.assignee_requested = true;
  now.requested_assignee = executor;
  EXPECT_EQ(advance_stage(now).error().kind, ErrorKind::unprocessable);
  now.assignee_requested = false;
  const auto edit = advance_stage(now);  // a title, a comment
  ASSERT_TRUE(edit.ok());
  EXPECT_FALSE(edit->sets_state);
}

TEST(ExecutionPolicy, Requested_changes_go_back_and_come_again_to_the_same_participant) {
  auto now = request(two_stages(), executor, IssueStatus::in_review);
  auto step = advance_stage(now);
  now = after(now, *step, reviewer, IssueStatus::blocked, "tests fail");
  step = advance_stage(now);
  ASSERT_TRUE(step.ok());
  EXPECT_EQ(step->status, IssueStatus::in_progress);
  EXPECT_EQ(step->assignee, executor);
  EXPECT_EQ(step->state->status, StageProgress::changes_requested);
  now = after(now, *step, executor, IssueStatus::done);
  step = advance_stage(now);
  ASSERT_TRUE(step.ok());
  EXPECT_EQ(step->assignee, reviewer);
  EXPECT_EQ(step->state->current_stage_id, id('a'));
}

TEST(ExecutionPolicy, A_review_by_nobody_but_the_executor_is_passed_over) {
  ExecutionPolicy policy;
  policy.stages = {stage('a', ExecutionStageType::review, {executor})};
  const auto step = advance_stage(request(policy, executor, IssueStatus::done));
  ASSERT_TRUE(step.ok());
  EXPECT_EQ(step->state->status, StageProgress::completed);
  EXPECT_FALSE(step->sets_assignee);
  policy.stages = {stage('a', ExecutionStageType::approval, {executor})};
  EXPECT_EQ(advance_stage(request(policy, executor, IssueStatus::done)).error().message,
            "No eligible approval participant is configured for this issue");
}

TEST(ExecutionPolicy, A_stage_that_is_gone_gives_the_issue_back) {
  auto now = request(two_stages(), executor, IssueStatus::done);
  const auto step = advance_stage(now);
  now = after(now, *step, approver, std::nullopt);
  now.policy->stages.erase(now.policy->stages.begin());
  const auto cleared = advance_stage(now);
  ASSERT_TRUE(cleared.ok());
  EXPECT_TRUE(cleared->sets_state);
  EXPECT_FALSE(cleared->state.has_value());
  EXPECT_EQ(cleared->status, IssueStatus::in_progress);
  EXPECT_EQ(cleared->assignee, executor);
}

TEST(ExecutionPolicy, Stages_without_participants_and_doubles_are_dropped) {
  const json::value body =
      parse_json(R"({"stages":[{"type":"review","participants":[]},{"type":"approval","participants":[
      {"type":"user","userId":"ann"},{"type":"user","userId":"ann"}]}],"monitor":null})")
          .value();
  const auto input = decode<ExecutionPolicyInput>(&body);
  ASSERT_TRUE(input.ok()) << input.error().message;
  const auto policy = normalise_policy(*input, MonitorScheduledBy::board, Random::system());
  ASSERT_TRUE(policy.has_value());
  ASSERT_EQ(policy->stages.size(), 1u);
  EXPECT_EQ(policy->stages[0].participants.size(), 1u);
  EXPECT_EQ(parse_policy(stored_json(policy))->stages[0].id, policy->stages[0].id);
}

}  // namespace
}  // namespace paperclip::domain
