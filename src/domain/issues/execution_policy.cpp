#include "domain/issues/execution_policy.h"

#include <algorithm>

#include "base/write_json.h"

namespace paperclip::domain {

namespace {

constexpr std::string_view redacted_reference = "[redacted]";

std::optional<std::size_t> stage_index(const ExecutionPolicy& policy, const std::optional<AnyId>& id) {
  if (!id) return std::nullopt;
  for (std::size_t i = 0; i < policy.stages.size(); ++i)
    if (policy.stages[i].id == *id) return i;
  return std::nullopt;
}

bool takes_part(const ExecutionStage& stage, const std::optional<Principal>& who) {
  return who && std::any_of(stage.participants.begin(), stage.participants.end(),
                            [&](const StageParticipant& p) { return p.principal() == *who; });
}

// The preferred one if listed, else the first; never the one the work goes back to.
std::optional<Principal> choose_participant(const ExecutionStage& stage, const std::optional<Principal>& preferred,
                                            const std::optional<Principal>& excluded) {
  if (takes_part(stage, preferred) && preferred != excluded) return preferred;
  for (const auto& participant : stage.participants)
    if (participant.principal() != excluded) return participant.principal();
  return std::nullopt;
}

Error no_participant(const ExecutionStage& stage) {
  return unprocessable("No eligible " + std::string(to_text(stage.type)) + " participant is configured for this issue");
}

bool contains(const std::vector<AnyId>& list, const AnyId& id) {
  return std::find(list.begin(), list.end(), id) != list.end();
}

// The stage's participant gets the issue for review.
StageTransition pending(const ExecutionPolicy& policy, std::size_t index, ExecutionState state,
                        const Principal& participant, std::optional<Principal> return_assignee,
                        std::optional<ReviewRequest> review_request) {
  const ExecutionStage& stage = policy.stages[index];
  state.status = StageProgress::pending;
  state.current_stage_id = stage.id;
  state.current_stage_index = static_cast<int>(index);
  state.current_stage_type = stage.type;
  state.current_participant = participant;
  state.return_assignee = std::move(return_assignee);
  state.review_request = std::move(review_request);
  StageTransition out;
  out.sets_state = true;
  out.state = std::move(state);
  out.status = IssueStatus::in_review;
  out.sets_assignee = true;
  out.assignee = participant;
  out.workflow_assignment = true;
  return out;
}

// The stages are over or gone; what was under review goes back to whom it came from.
StageTransition cleared(const StageRequest& request, bool even_if_status_requested) {
  StageTransition out;
  out.sets_state = true;
  const auto& state = request.state;
  if (state && state->return_assignee && request.status == IssueStatus::in_review &&
      (even_if_status_requested || !request.requested_status)) {
    out.status = IssueStatus::in_progress;
    out.sets_assignee = true;
    out.assignee = state->return_assignee;
  }
  return out;
}

ExecutionState completed(ExecutionState state) {
  state.status = StageProgress::completed;
  state.current_stage_id.reset();
  state.current_stage_index.reset();
  state.current_stage_type.reset();
  state.current_participant.reset();
  state.review_request.reset();
  return state;
}

bool blank(std::string_view text) { return trim(text).empty(); }

Result<StageTransition> approve(const StageRequest& request, std::size_t index) {
  const ExecutionPolicy& policy = *request.policy;
  const ExecutionStage& stage = policy.stages[index];
  if (blank(request.comment)) return unprocessable("Approving a review or approval stage requires a comment");
  ExecutionState state = *request.state;
  if (!contains(state.completed_stage_ids, stage.id)) state.completed_stage_ids.push_back(stage.id);
  state.last_decision_id = request.decision_id;
  state.last_decision_outcome = ExecutionDecisionOutcome::approved;
  const StageDecision decision{request.decision_id, stage.id, stage.type, ExecutionDecisionOutcome::approved,
                               std::string(trim(request.comment))};
  std::size_t next = 0;
  while (next < policy.stages.size() && contains(state.completed_stage_ids, policy.stages[next].id)) ++next;
  StageTransition out;
  if (next == policy.stages.size()) {
    out.sets_state = true;
    out.state = completed(std::move(state));
  } else {
    const auto participant = choose_participant(policy.stages[next], request.requested_assignee, state.return_assignee);
    if (!participant) return no_participant(policy.stages[next]);
    const auto return_assignee = state.return_assignee;
    out = pending(policy, next, std::move(state), *participant, return_assignee, request.review_request);
  }
  out.decision = decision;
  return out;
}

Result<StageTransition> request_changes(const StageRequest& request, std::size_t index) {
  const ExecutionStage& stage = request.policy->stages[index];
  if (blank(request.comment)) return unprocessable("Requesting changes requires a comment");
  if (!request.state->return_assignee) return unprocessable("This execution stage has no return assignee");
  StageTransition out;
  out.sets_state = true;
  out.state = request.state;
  out.state->status = StageProgress::changes_requested;
  out.state->review_request.reset();
  out.state->last_decision_id = request.decision_id;
  out.state->last_decision_outcome = ExecutionDecisionOutcome::changes_requested;
  out.status = IssueStatus::in_progress;
  out.sets_assignee = true;
  out.assignee = request.state->return_assignee;
  out.workflow_assignment = true;
  out.decision = StageDecision{request.decision_id, stage.id, stage.type, ExecutionDecisionOutcome::changes_requested,
                               std::string(trim(request.comment))};
  return out;
}

// Rule 4: a stage waits for its participant.
Result<StageTransition> in_active_stage(const StageRequest& request, std::size_t index) {
  const ExecutionPolicy& policy = *request.policy;
  const ExecutionStage& stage = policy.stages[index];
  const ExecutionState& state = *request.state;
  auto participant = state.current_participant;
  if (!participant) participant = choose_participant(stage, std::nullopt, state.return_assignee);
  if (!participant) return no_participant(stage);
  const auto review_request = request.review_request ? request.review_request : state.review_request;
  if (!takes_part(stage, participant)) {
    const auto other = choose_participant(stage, request.requested_assignee, state.return_assignee);
    if (!other) return cleared(request, false);
    return pending(policy, index, state, *other, state.return_assignee, review_request);
  }
  const auto& status = request.requested_status;
  if (request.actor == participant && status == IssueStatus::done) return approve(request, index);
  if (request.actor == participant && status && status != IssueStatus::in_review)
    return request_changes(request, index);
  const bool drift = request.status != IssueStatus::in_review || request.assignee != participant ||
                     state.current_participant != participant;
  const bool attempt = (status && status != IssueStatus::in_review) ||
                       (request.assignee_requested && request.requested_assignee != participant);
  if (attempt && !drift)
    return unprocessable("Only the active reviewer or approver can advance the current execution stage");
  if (drift) return pending(policy, index, state, *participant, state.return_assignee, review_request);
  return StageTransition{};
}

// Rule 5: handing in starts the next stage.
Result<StageTransition> without_active_stage(const StageRequest& request) {
  const auto& status = request.requested_status;
  if (status != IssueStatus::done && status != IssueStatus::in_review) return StageTransition{};
  const ExecutionPolicy& policy = *request.policy;
  ExecutionState state = request.state.value_or(ExecutionState{});
  const auto return_assignee = state.return_assignee ? state.return_assignee : request.assignee;
  const bool again = state.status == StageProgress::changes_requested;
  auto again_index = again ? stage_index(policy, state.current_stage_id) : std::nullopt;
  bool skipped = false;
  while (true) {
    std::size_t index = 0;
    if (again_index) {
      index = *again_index;
    } else {
      while (index < policy.stages.size() && contains(state.completed_stage_ids, policy.stages[index].id)) ++index;
    }
    if (index == policy.stages.size()) break;
    const ExecutionStage& stage = policy.stages[index];
    auto preferred = request.assignee_requested ? request.requested_assignee : std::nullopt;
    if (again && !takes_part(stage, preferred)) preferred = state.current_participant;
    if (const auto participant = choose_participant(stage, preferred, return_assignee))
      return pending(policy, index, std::move(state), *participant, return_assignee, request.review_request);
    // Nobody but the executor could review: such a review is passed over.
    if (status != IssueStatus::done || stage.type != ExecutionStageType::review || !return_assignee)
      return no_participant(stage);
    state.completed_stage_ids.push_back(stage.id);
    again_index.reset();
    skipped = true;
  }
  StageTransition out;
  if (skipped) {
    state.return_assignee = return_assignee;
    out.sets_state = true;
    out.state = completed(std::move(state));
  }
  return out;
}

}  // namespace

std::optional<Principal> Principal::of(const std::optional<AgentId>& agent, const std::optional<std::string>& user) {
  if (agent) return Principal::agent(*agent);
  if (user) return Principal::user(*user);
  return std::nullopt;
}

void ParticipantInput::check(SchemaIssues& issues) const {
  const auto add = [&](const char* field, const char* message) {
    SchemaIssues::Step step(issues, json::value(field));
    issues.add("custom", message);
  };
  if (type == PrincipalType::agent) {
    if (!agent_id) add("agentId", "Agent participants require agentId");
    if (user_id) add("userId", "Agent participants cannot set userId");
  } else {
    if (!user_id) add("userId", "User participants require userId");
    if (agent_id) add("agentId", "User participants cannot set agentId");
  }
}

std::optional<ExecutionPolicy> normalise_policy(const ExecutionPolicyInput& input, MonitorScheduledBy scheduler,
                                                Random& random) {
  ExecutionPolicy policy;
  policy.mode = *input.mode;
  for (const StageInput& given : *input.stages) {
    ExecutionStage stage;
    stage.type = given.type;
    for (const ParticipantInput& p : *given.participants) {
      StageParticipant participant{AnyId(), p.type, p.agent_id,
                                   p.user_id ? std::optional<std::string>(*p.user_id) : std::nullopt};
      if (takes_part(stage, participant.principal())) continue;
      participant.id = p.id ? *p.id : random.id<AnyId>();
      stage.participants.push_back(std::move(participant));
    }
    if (stage.participants.empty()) continue;
    stage.id = given.id ? *given.id : random.id<AnyId>();
    policy.stages.push_back(std::move(stage));
  }
  if (const auto& m = input.monitor) {
    const auto text = [](const auto& field) { return field ? std::optional<std::string>(*field) : std::nullopt; };
    MonitorPlan plan{m->next_check_at, text(m->notes), scheduler,    m->kind,           text(m->service_name),
                     std::nullopt,     m->timeout_at,  std::nullopt, m->recovery_policy};
    if (m->external_ref) plan.external_ref = std::string(redacted_reference);
    if (m->max_attempts) plan.max_attempts = static_cast<int>(m->max_attempts->value);
    policy.monitor = std::move(plan);
  }
  if (policy.stages.empty() && !policy.monitor) return std::nullopt;
  return policy;
}

std::optional<MonitorPlan> monitor_of(const std::optional<ExecutionPolicy>& policy) {
  return policy ? static_cast<const std::optional<MonitorPlan>&>(policy->monitor) : std::nullopt;
}

std::optional<ExecutionPolicy> parse_policy(const std::optional<RawJson>& stored) {
  if (!stored || stored->is_null()) return std::nullopt;
  const json::value value = stored->parse();
  auto policy = decode<ExecutionPolicy>(&value);
  return policy ? std::optional(*std::move(policy)) : std::nullopt;
}

std::optional<ExecutionState> parse_state(const std::optional<RawJson>& stored) {
  if (!stored || stored->is_null()) return std::nullopt;
  const json::value value = stored->parse();
  auto state = decode<ExecutionState>(&value);
  return state ? std::optional(*std::move(state)) : std::nullopt;
}

std::optional<RawJson> stored_json(const std::optional<ExecutionPolicy>& policy) {
  return policy ? std::optional(RawJson(write_json(*policy))) : std::nullopt;
}
std::optional<RawJson> stored_json(const std::optional<ExecutionState>& state) {
  return state ? std::optional(RawJson(write_json(*state))) : std::nullopt;
}

Result<StageTransition> advance_stage(const StageRequest& request) {
  const auto& state = request.state;
  const bool staged = state && (state->status != StageProgress::idle || state->current_stage_id);
  if (!request.policy) return staged ? cleared(request, true) : StageTransition{};
  if (is_terminal(request.status) && request.requested_status && !is_terminal(*request.requested_status)) {
    StageTransition out;
    out.sets_state = staged;
    return out;
  }
  const auto index = state ? stage_index(*request.policy, state->current_stage_id) : std::nullopt;
  if (state && state->current_stage_id && !index) return cleared(request, false);
  if (state && state->status == StageProgress::pending && index) return in_active_stage(request, *index);
  return without_active_stage(request);
}

}  // namespace paperclip::domain
