#include "domain/waiting/why_parts.h"

#include <algorithm>

#include "domain/budgets/invocation_block.h"
#include "domain/waiting/agent_waits.h"

namespace paperclip::domain {

const std::string_view why_runs =
    "select r.id, r.agent_id, a.name, r.status, true, r.context_issue_id, i.identifier, "
    "coalesce(i.execution_run_id = r.id or i.checkout_run_id = r.id, false), r.started_at, r.last_output_at, r.process_pid, r.scheduled_retry_at "
    "from heartbeat_runs r join agents a on a.id = r.agent_id left join issues i on i.id = r.context_issue_id ";

WhyWake explain_wake(store::Reader& reader, CompanyId company, const WaitingWake& wake, const std::optional<Wait>& agent_wait) {
  WhyWake out;
  out.wakeup_id = wake.id;
  out.agent_id = wake.agent_id;
  out.run_id = wake.run_id;
  out.source = wake.source;
  out.reason = wake.reason;
  out.status = wake.run_status == "scheduled_retry" ? "scheduled_retry" : wake.status;
  out.issue_id = wake.issue();
  out.requested_at = wake.requested_at;
  if (wake.requested_by_actor_type && wake.requested_by_actor_id) out.requested_by = named_author(reader, *wake.requested_by_actor_type, *wake.requested_by_actor_id);
  out.waits_for = wake_wait(reader, company, wake, agent_wait);
  return out;
}

std::optional<WhyRetry> next_retry(const std::vector<WaitingWake>& wakes) {
  const WaitingWake* first = nullptr;
  for (const auto& wake : wakes)
    if (wake.run_status == "scheduled_retry" && wake.run_id && (first == nullptr || wake.scheduled_retry_at < first->scheduled_retry_at)) first = &wake;
  if (first == nullptr) return std::nullopt;
  return WhyRetry{*first->run_id, first->issue(), first->scheduled_retry_at, first->scheduled_retry_attempt, first->scheduled_retry_reason};
}

WhyBudget explain_budget(store::Reader& reader, CompanyId company, AgentId agent, std::optional<ProjectId> project) {
  const auto block = find_invocation_block(reader, company, agent, project);
  if (!block) return {};
  return {true, block->scope_type, block->scope_id, block->reason};
}

std::optional<Wait> first_with(const std::vector<Wait>& waits, std::initializer_list<std::string_view> codes) {
  for (const auto& wait : waits)
    if (std::find(codes.begin(), codes.end(), wait.code) != codes.end()) return wait;
  return std::nullopt;
}

}  // namespace paperclip::domain
