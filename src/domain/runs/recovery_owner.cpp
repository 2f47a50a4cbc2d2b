#include "domain/runs/recovery_owner.h"

#include <string>

#include "domain/budgets/invocation_block.h"
#include "domain/wakeups/invokable.h"

namespace paperclip::domain {

std::optional<AgentId> manager_of(store::Reader& reader, const std::optional<AgentId>& agent) {
  if (!agent) return std::nullopt;
  return reader.value<AgentId>("select reports_to from agents where id = :1", *agent);
}

std::optional<AgentId> agent_with_role(store::Reader& reader, CompanyId company, std::string_view role) {
  return reader.value<AgentId>("select id from agents where company_id = :1 and role = :2 and status not in ('paused', 'terminated', 'pending_approval') "
                               "order by created_at, id limit 1",
                               company, role);
}

std::optional<AgentId> first_able(store::Reader& reader, CompanyId company, const std::optional<ProjectId>& project,
                                  std::initializer_list<std::optional<AgentId>> candidates) {
  for (const auto& candidate : candidates) {
    if (!candidate) continue;
    const auto status = reader.value<std::string>("select status from agents where id = :1 and company_id = :2", *candidate, company);
    if (status && is_invokable(*status) && !find_invocation_block(reader, company, *candidate, project)) return candidate;
  }
  return std::nullopt;
}

}  // namespace paperclip::domain
