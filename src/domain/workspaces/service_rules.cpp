#include "domain/workspaces/service_rules.h"

#include <set>

#include "domain/agents/agent.h"

namespace paperclip::domain {

namespace {

struct Reporting {
  AgentId id;
  std::optional<AgentId> reports_to;
};
BOOST_DESCRIBE_STRUCT(Reporting, (), (id, reports_to))

// The agent and everybody below it, without those who left.
std::vector<AgentId> subtree(store::Reader& reader, CompanyId company, AgentId root) {
  const auto all = reader.all<Reporting>("select {} from agents where company_id = :1 and status <> 'terminated' limit 10000", company);
  std::set<AgentId> found{root};
  for (bool grew = true; grew;) {
    grew = false;
    for (const auto& one : all)
      if (one.reports_to && found.contains(*one.reports_to) && found.insert(one.id).second) grew = true;
  }
  return {found.begin(), found.end()};
}

}  // namespace

Result<> require_service_control(store::Reader& reader, const CompanyScope& scope, const ServiceOwner& owner) {
  if (!scope.actor().is_agent()) return {};
  const AgentId agent = *scope.actor().agent_id;
  if (reader.exists("select 1 from agents where id = :1 and role = 'ceo'", agent)) return {};
  const auto agents = subtree(reader, scope.company_id(), agent);
  if (reader.exists("select 1 from issues where company_id = :1 and hidden_at is null and status in ('backlog', 'todo', 'in_progress', 'in_review', 'blocked') "
                    "and assignee_agent_id in {list :2} and (project_workspace_id = :3 or execution_workspace_id = :4 or id = :5)",
                    scope.company_id(), agents, owner.project_workspace_id.value_or(ProjectWorkspaceId()),
                    owner.execution_workspace_id.value_or(ExecutionWorkspaceId()), owner.source_issue_id.value_or(IssueId())))
    return {};
  return forbidden("Missing permission to manage workspace runtime services");
}

void save_service(store::Transaction& tx, WorkspaceRuntimeService row) {
  row.updated_at = row.last_used_at = tx.now();
  if (tx.update(table_of<WorkspaceRuntimeService>, row) > 0) return;
  row.created_at = tx.now();
  tx.insert(table_of<WorkspaceRuntimeService>, row);
}

void end_service(store::Transaction& tx, RuntimeServiceId id, RuntimeServiceStatus status, HealthStatus health) {
  tx.execute("update workspace_runtime_services set status = :1, health_status = :2, stopped_at = :3, updated_at = :3 "
             "where id = :4 and status in ('starting', 'running')",
             status, health, tx.now(), id);
}

}  // namespace paperclip::domain
