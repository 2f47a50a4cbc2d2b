#include "domain/approvals/approvals.h"

#include <algorithm>

#include "domain/activity/activity.h"
#include "domain/agents/agents.h"
#include "domain/budgets/policies.h"
#include "domain/issues/issue_links.h"
#include "domain/redaction/redaction.h"
#include "domain/secrets/secrets.h"
#include "domain/wakeups/wake.h"

namespace paperclip::domain {

namespace {

// The approval routes record no run (spec/work-domain.md 3.5).
void log_approval(store::Transaction& tx, const CompanyScope& scope, const Approval& approval, std::string_view action, json::value details) {
  Author author = scope.author();
  author.run_id.reset();
  log_activity(tx, scope.company_id(), author, {action, "approval", approval.id.str(), std::move(details)});
}

Result<Approval> load(store::Reader& reader, const CompanyScope& scope, ApprovalId id) {
  auto approval = reader.one<Approval>("select {} from approvals where id = :1 and company_id = :2 {for update}", id, scope.company_id());
  if (!approval) return not_found("Approval not found");
  return *std::move(approval);
}

void decide(store::Transaction& tx, const CompanyScope& scope, Approval& approval, ApprovalStatus status, const std::optional<std::string>& note) {
  approval.status = status;
  approval.decision_note = note;
  approval.decided_by_user_id = scope.author().id;
  approval.decided_at = tx.now();
  approval.updated_at = tx.now();
  tx.update("approvals", approval);
}

bool is_open(const Approval& approval) { return approval.status == ApprovalStatus::pending || approval.status == ApprovalStatus::revision_requested; }

json::array id_array(const std::vector<IssueId>& ids) {
  json::array out;
  for (const auto& id : ids) out.emplace_back(id.view());
  return out;
}

Result<> normalise_hire_env(store::Reader& reader, const CompanyScope& scope, ApprovalType type, json::object& payload, bool strict_secrets) {
  if (type != ApprovalType::hire_agent) return {};
  auto* config = payload.if_contains("adapterConfig");
  if (config == nullptr || !config->is_object()) return {};
  if (const auto* env = config->get_object().if_contains("env"))
    config->get_object()["env"] = TRY(normalise_env(reader, scope, *env, strict_secrets, "adapterConfig.env"));
  return {};
}

// Activates the agent that waits for this hire, or makes one from the plan.
Result<> take_on(store::Transaction& tx, const CompanyScope& scope, const json::value& payload, const AdapterRules& adapters) {
  const auto* cents = member(payload, "budgetMonthlyCents");
  const std::int64_t budget = cents != nullptr && cents->is_int64() ? cents->get_int64() : 0;
  std::optional<AgentId> agent;
  if (const auto named = string_at(payload, "agentId")) {
    agent = AgentId::parse(*named);
    if (!agent || !tx.exists("select 1 from agents where id = :1 and company_id = :2", *agent, scope.company_id())) return {};
    tx.execute("update agents set status = 'idle', updated_at = :1 where id = :2 and status = 'pending_approval'", tx.now(), *agent);
  } else {
    NewAgent plan;
    plan.name = text_at(payload, "name").value_or("New Agent");
    plan.role = text_at(payload, "role").value_or("general");
    plan.title = text_at(payload, "title");
    plan.capabilities = text_at(payload, "capabilities");
    plan.adapter_type = text_at(payload, "adapterType").value_or("process");
    TRY(adapters.require(plan.adapter_type));
    plan.reports_to = AgentId::parse(string_at(payload, "reportsTo").value_or(""));
    if (const auto* config = member(payload, "adapterConfig"); config != nullptr && config->is_object())
      plan.adapter_config = adapters.with_defaults(plan.adapter_type, config->get_object());
    if (const auto* metadata = member(payload, "metadata"); metadata != nullptr && metadata->is_object()) plan.metadata = metadata->get_object();
    plan.budget_monthly_cents = budget;
    agent = TRY(insert_agent(tx, scope, plan));
  }
  if (budget > 0) TRY(set_monthly_agent_budget(tx, scope, *agent, budget));
  return {};
}

void wake_requester(store::Transaction& tx, const CompanyScope& scope, const Approval& approval, const std::vector<IssueId>& issues) {
  const json::value first = issues.empty() ? json::value(nullptr) : json::value(issues.front().view());
  WakeRequest request;
  request.source = "automation";
  request.trigger_detail = "system";
  request.reason = "approval_approved";
  request.requested_by = scope.author();
  request.payload = json::object{{"approvalId", approval.id.view()}, {"approvalStatus", "approved"}, {"issueId", first}, {"issueIds", id_array(issues)}};
  request.context = *request.payload;
  request.context["source"] = "approval.approved";
  request.context["taskId"] = first;
  request.context["wakeReason"] = "approval_approved";
  const auto outcome = tx.nested([&] { return enqueue_wakeup(tx, *approval.requested_by_agent_id, request); });
  json::object details{{"requesterAgentId", approval.requested_by_agent_id->view()}, {"linkedIssueIds", id_array(issues)}};
  if (outcome.ok()) details["wakeRunId"] = outcome->run_id ? json::value(outcome->run_id->view()) : json::value(nullptr);
  else details["error"] = outcome.error().message;
  log_approval(tx, scope, approval, outcome.ok() ? "approval.requester_wakeup_queued" : "approval.requester_wakeup_failed", std::move(details));
}

}  // namespace

void append_approval_json(std::string& out, const Approval& approval) {
  Approval shown = approval;
  shown.payload = RawJson(redact(approval.payload.parse()));
  append_json(out, shown);
}

std::vector<IssueId> linked_issues(store::Reader& reader, ApprovalId approval) {
  return reader.column<IssueId>("select issue_id from issue_approvals where approval_id = :1 order by created_at, issue_id", approval);
}

Result<> normalise_approval(store::Reader& reader, const CompanyScope& scope, NewApproval& approval, bool strict_secrets) {
  return normalise_hire_env(reader, scope, approval.type, approval.payload.value, strict_secrets);
}

Result<Approval> insert_approval(store::Transaction& tx, const CompanyScope& scope, const NewApproval& input) {
  if (!tx.exists("select 1 from companies where id = :1", scope.company_id())) return not_found("Company not found");
  const Author author = scope.author();
  Approval approval;
  approval.id = tx.new_id<ApprovalId>();
  approval.company_id = scope.company_id();
  approval.type = input.type;
  approval.requested_by_agent_id = input.requested_by_agent_id ? input.requested_by_agent_id : author.agent_id;
  if (approval.requested_by_agent_id &&
      !tx.exists("select 1 from agents where id = :1 and company_id = :2", *approval.requested_by_agent_id, scope.company_id()))
    return unprocessable("Requesting agent must belong to same company");
  approval.requested_by_user_id = author.user_id();
  approval.payload = input.payload.raw();
  approval.created_at = approval.updated_at = tx.now();
  tx.insert("approvals", approval);
  std::vector<IssueId> seen;
  for (const auto& issue : input.issue_ids.value) {
    if (std::find(seen.begin(), seen.end(), issue) != seen.end()) continue;
    seen.push_back(issue);
    const auto home = tx.value<CompanyId>("select company_id from issues where id = :1", issue);
    if (!home) return not_found("One or more issues not found");
    if (*home != scope.company_id()) return unprocessable("Issue and approval must belong to the same company");
    tx.insert("issue_approvals", IssueApproval{scope.company_id(), issue, approval.id, author.agent_id, author.user_id(), tx.now()});
  }
  return approval;
}

Result<Approval> approve(store::Transaction& tx, const CompanyScope& scope, ApprovalId id, const std::optional<std::string>& note, const AdapterRules& adapters) {
  Approval approval = TRY(load(tx, scope, id));
  if (approval.status == ApprovalStatus::approved) return approval;
  if (!is_open(approval)) return unprocessable("Only pending or revision requested approvals can be approved");
  decide(tx, scope, approval, ApprovalStatus::approved, note);
  if (approval.type == ApprovalType::hire_agent) TRY(take_on(tx, scope, approval.payload.parse(), adapters));
  const auto issues = linked_issues(tx, id);
  log_approval(tx, scope, approval, "approval.approved",
               json::value{{"type", to_text(approval.type)},
                           {"requestedByAgentId", approval.requested_by_agent_id ? json::value(approval.requested_by_agent_id->view()) : json::value(nullptr)},
                           {"linkedIssueIds", id_array(issues)}});
  if (approval.requested_by_agent_id) wake_requester(tx, scope, approval, issues);
  return approval;
}

Result<Approval> reject(store::Transaction& tx, const CompanyScope& scope, ApprovalId id, const std::optional<std::string>& note) {
  Approval approval = TRY(load(tx, scope, id));
  if (approval.status == ApprovalStatus::rejected) return approval;
  if (!is_open(approval)) return unprocessable("Only pending or revision requested approvals can be rejected");
  decide(tx, scope, approval, ApprovalStatus::rejected, note);
  if (approval.type == ApprovalType::hire_agent)
    if (const auto agent = AgentId::parse(string_at(approval.payload.parse(), "agentId").value_or("")))
      (void)tx.nested([&] { return terminate_agent(tx, scope, *agent); });
  log_approval(tx, scope, approval, "approval.rejected", json::value{{"type", to_text(approval.type)}});
  return approval;
}

Result<Approval> request_revision(store::Transaction& tx, const CompanyScope& scope, ApprovalId id, const std::optional<std::string>& note) {
  Approval approval = TRY(load(tx, scope, id));
  if (approval.status != ApprovalStatus::pending) return unprocessable("Only pending approvals can request revision");
  decide(tx, scope, approval, ApprovalStatus::revision_requested, note);
  log_approval(tx, scope, approval, "approval.revision_requested", json::value{{"type", to_text(approval.type)}});
  return approval;
}

Result<Approval> resubmit(store::Transaction& tx, const CompanyScope& scope, ApprovalId id, const std::optional<json::object>& payload, bool strict_secrets) {
  Approval approval = TRY(load(tx, scope, id));
  if (scope.actor().is_agent() && approval.requested_by_agent_id != scope.actor().agent_id)
    return forbidden("Only requesting agent can resubmit this approval");
  if (approval.status != ApprovalStatus::revision_requested) return unprocessable("Only revision requested approvals can be resubmitted");
  if (payload) {
    json::object next = *payload;
    TRY(normalise_hire_env(tx, scope, approval.type, next, strict_secrets));
    approval.payload = RawJson(json::value(next));
  }
  approval.status = ApprovalStatus::pending;
  approval.decision_note.reset();
  approval.decided_by_user_id.reset();
  approval.decided_at.reset();
  approval.updated_at = tx.now();
  tx.update("approvals", approval);
  log_approval(tx, scope, approval, "approval.resubmitted", json::value{{"type", to_text(approval.type)}});
  return approval;
}

Result<ApprovalComment> comment_on_approval(store::Transaction& tx, const CompanyScope& scope, ApprovalId id, const std::string& body) {
  const Approval approval = TRY(load(tx, scope, id));
  const Author author = scope.author();
  ApprovalComment comment{tx.new_id<ApprovalCommentId>(), scope.company_id(), id, author.agent_id, author.user_id(), body, tx.now(), tx.now()};
  tx.insert("approval_comments", comment);
  log_approval(tx, scope, approval, "approval.comment_added", json::value{{"commentId", comment.id.view()}});
  return comment;
}

}  // namespace paperclip::domain
