#include "domain/issues/issue_rows.h"

#include "base/text.h"
#include "domain/agents/agents.h"
#include "domain/goals/goals.h"
#include "domain/issues/reference_text.h"

namespace paperclip::domain {

namespace {

struct AgentStatusRow {
  CompanyId company_id;
  std::string status;
};
BOOST_DESCRIBE_STRUCT(AgentStatusRow, (), (company_id, status))

struct AgentNameRow {
  AgentId id;
  std::string name;
};
BOOST_DESCRIBE_STRUCT(AgentNameRow, (), (id, name))

using IssueAddress = std::pair<IssueId, CompanyId>;

}  // namespace

std::optional<LocatedIssue> locate_issue(store::Reader& reader, std::string_view reference) {
  std::optional<IssueAddress> found;
  if (is_strict_uuid(reference)) {
    found = reader.one<IssueAddress>("select id, company_id from issues where id = :1", *IssueId::parse(reference));
  } else if (is_issue_identifier(reference)) {
    found = reader.one<IssueAddress>("select id, company_id from issues where identifier = :1", upper(reference));
  }
  if (!found) return std::nullopt;
  return LocatedIssue{found->first, found->second};
}

Result<Issue> load_issue(store::Reader& reader, CompanyId company, IssueId id) {
  auto issue = reader.one<Issue>("select {} from issues where id = :1 and company_id = :2", id, company);
  if (!issue) return not_found("Issue not found");
  return *std::move(issue);
}

Result<Issue> lock_issue(store::Transaction& tx, CompanyId company, IssueId id) {
  auto issue = tx.one<Issue>("select {} from issues where id = :1 and company_id = :2 {for update}", id, company);
  if (!issue) return not_found("Issue not found");
  return *std::move(issue);
}

Result<> require_assignable_agent(store::Reader& reader, CompanyId company, AgentId agent) {
  const auto row = reader.one<AgentStatusRow>("select {} from agents where id = :1", agent);
  if (!row) return not_found("Assignee agent not found");
  if (row->company_id != company) return unprocessable("Assignee must belong to same company");
  if (row->status == "pending_approval") return conflict("Cannot assign work to pending approval agents");
  if (row->status == "terminated") return conflict("Cannot assign work to terminated agents");
  return {};
}

Result<> require_assignable_user(store::Reader& reader, CompanyId company, std::string_view user) {
  if (!reader.exists(
          "select 1 from company_memberships where company_id = :1 and principal_type = 'user' and principal_id = :2 "
          "and status = 'active'",
          company, user))
    return not_found("Assignee user not found");
  return {};
}

Result<AgentId> find_agent_reference(store::Reader& reader, CompanyId company, std::string_view reference) {
  if (const auto id = AgentId::parse(reference)) {
    if (!reader.exists("select 1 from agents where id = :1 and company_id = :2", *id, company))
      return not_found("Agent not found");
    return *id;
  }
  const std::string wanted = url_key(reference, "");
  std::optional<AgentId> found;
  bool ambiguous = false;
  reader.each<AgentNameRow>(
      "select {} from agents where company_id = :1 and status <> 'terminated'",
      [&](const AgentNameRow& row) {
        if (wanted.empty() || url_key(row.name, row.id.view()) != wanted) return;
        ambiguous = ambiguous || found.has_value();
        found = row.id;
      },
      company);
  if (ambiguous) return conflict("Agent shortname is ambiguous in this company. Use the agent ID.");
  if (!found) return not_found("Agent not found");
  return *found;
}

std::optional<GoalId> default_goal(store::Reader& reader, CompanyId company, const std::optional<ProjectId>& project) {
  if (project)
    return reader.value<GoalId>("select goal_id from projects where id = :1 and company_id = :2", *project, company);
  return default_company_goal(reader, company);
}

Result<> require_own_references(store::Reader& reader, CompanyId company, const std::optional<ProjectId>& project,
                                const std::optional<GoalId>& goal, const std::optional<IssueId>& parent) {
  if (project && !reader.exists("select 1 from projects where id = :1 and company_id = :2", *project, company))
    return unprocessable("Project must belong to the same company");
  if (goal && !reader.exists("select 1 from goals where id = :1 and company_id = :2", *goal, company))
    return unprocessable("Goal must belong to the same company");
  if (parent && !reader.exists("select 1 from issues where id = :1 and company_id = :2", *parent, company))
    return unprocessable("Parent issue must belong to the same company");
  return {};
}

bool run_is_over(store::Reader& reader, RunId run) {
  return !reader.exists(
      "select 1 from heartbeat_runs where id = :1 and status in ('queued', 'running', 'scheduled_retry')", run);
}

void note_run_activity(store::Transaction& tx, const CompanyScope& scope) {
  const auto& run = scope.actor().run_id;
  if (!run) return;
  if (!tx.exists("select 1 from heartbeat_runs where id = :1 and company_id = :2 and status = 'running' and error_code "
                 "= 'process_detached'",
                 *run, scope.company_id()))
    return;
  tx.execute("update heartbeat_runs set error = null, error_code = null, updated_at = :2 where id = :1", *run,
             tx.now());
}

bool isolated_workspaces_enabled(store::Reader& reader) {
  static const auto sql = [](const store::Dialect& dialect) {
    return "select 1 from instance_settings where singleton_key = 'default' and " +
           dialect.json_bool("experimental", "enableIsolatedWorkspaces");
  };
  return reader.exists(sql(reader.dialect()));
}

}  // namespace paperclip::domain
