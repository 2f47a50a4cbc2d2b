#include <gtest/gtest.h>

#include "base/random.h"
#include "domain/agents/agent.h"
#include "domain/budgets/budget.h"
#include "domain/companies/company.h"
#include "domain/environments/environment.h"
#include "domain/issues/issue.h"
#include "domain/memberships/invite.h"
#include "domain/plugins/plugin.h"
#include "domain/plugins/plugin_data.h"
#include "domain/runs/run_event.h"
#include "domain_database.h"

/// What the database itself refuses or does when a row goes (spec/issues.md 1.1, environments.md 1, platform.md 5.1).
namespace paperclip::domain {
namespace {

class SchemaConstraints : public test::DomainDatabase {
 protected:
  template <class IdType>
  IdType id() {
    return Random::system().id<IdType>();
  }
  template <class Entity>
  void add(const Entity& entity) {
    const auto inserted = insert(table_of<Entity>, entity);
    ASSERT_TRUE(inserted.ok()) << inserted.error().message;
  }
  template <class Entity>
  bool refused(const Entity& entity) {
    const auto inserted = insert(table_of<Entity>, entity);
    return !inserted.ok() && inserted.error().kind == ErrorKind::conflict;
  }

  void add_company() {
    company_.id = id<CompanyId>();
    add(company_);
  }
  void add_run() {
    add_company();
    agent_.id = id<AgentId>();
    agent_.company_id = company_.id;
    add(agent_);
    run_.id = id<RunId>();
    run_.company_id = company_.id;
    run_.agent_id = agent_.id;
    add(run_);
  }
  Issue issue() {
    Issue issue;
    issue.id = id<IssueId>();
    issue.company_id = company_.id;
    return issue;
  }

  Company company_;
  Agent agent_;
  HeartbeatRun run_;
};

TEST_P(SchemaConstraints, A_run_that_goes_frees_the_issue_it_held) {
  add_run();
  auto held = issue();
  held.checkout_run_id = held.execution_run_id = run_.id;
  add(held);
  ASSERT_TRUE(execute("delete from heartbeat_runs where id = :1", run_.id).ok());
  const auto after =
      database_->read([&](store::Reader& r) { return r.one<Issue>("select {} from issues where id = :1", held.id); });
  ASSERT_TRUE(after);
  EXPECT_FALSE(after->checkout_run_id);
  EXPECT_FALSE(after->execution_run_id);
}

TEST_P(SchemaConstraints, An_environment_that_goes_takes_its_leases_and_is_no_agents_default) {
  add_run();
  Environment environment;
  environment.id = id<EnvironmentId>();
  environment.company_id = company_.id;
  environment.driver = EnvironmentDriver::ssh;
  add(environment);
  EnvironmentLease lease;
  lease.id = id<LeaseId>();
  lease.company_id = company_.id;
  lease.environment_id = environment.id;
  add(lease);
  ASSERT_TRUE(execute("update agents set default_environment_id = :1", environment.id).ok());
  ASSERT_TRUE(execute("delete from environments where id = :1", environment.id).ok());
  EXPECT_EQ(value<int>("select count(*) from environment_leases"), 0);
  EXPECT_EQ(value<std::string>("select default_environment_id from agents"), std::nullopt);
}

TEST_P(SchemaConstraints, A_company_has_one_local_environment_and_any_number_of_others) {
  add_company();
  Environment environment;
  environment.company_id = company_.id;
  environment.id = id<EnvironmentId>();
  add(environment);
  environment.id = id<EnvironmentId>();
  EXPECT_TRUE(refused(environment));
  for (int i = 0; i < 2; ++i) {
    environment.id = id<EnvironmentId>();
    environment.driver = EnvironmentDriver::ssh;
    add(environment);
  }
}

TEST_P(SchemaConstraints, A_routine_has_one_open_execution_per_fingerprint_once_a_run_holds_it) {
  add_run();
  auto first = issue();
  first.origin_kind = "routine_execution";
  first.origin_id = "routine-1";
  first.status = IssueStatus::todo;
  add(first);
  auto second = first;
  second.id = id<IssueId>();
  add(second);  // neither is held yet
  ASSERT_TRUE(execute("update issues set execution_run_id = :1 where id = :2", run_.id, first.id).ok());
  EXPECT_FALSE(execute("update issues set execution_run_id = :1 where id = :2", run_.id, second.id).ok());
  ASSERT_TRUE(execute("update issues set status = 'done' where id = :1", first.id).ok());
  EXPECT_TRUE(execute("update issues set execution_run_id = :1 where id = :2", run_.id, second.id).ok());
}

TEST_P(SchemaConstraints, An_open_recovery_issue_exists_once_per_cause_unless_hidden) {
  add_company();
  for (const char* kind : {"harness_liveness_escalation", "stale_active_run_evaluation", "issue_productivity_review",
                           "stranded_issue_recovery"}) {
    auto recovery = issue();
    recovery.origin_kind = kind;
    recovery.origin_id = "cause";
    add(recovery);
    auto again = recovery;
    again.id = id<IssueId>();
    EXPECT_TRUE(refused(again)) << kind;
    again.hidden_at = Timestamp{1};
    add(again);
    again.hidden_at.reset();
    again.id = id<IssueId>();
    again.status = IssueStatus::cancelled;
    add(again);
  }
}

TEST_P(SchemaConstraints, A_human_waits_once_whatever_the_case_of_the_address) {
  add_company();
  JoinRequest request;
  request.company_id = company_.id;
  request.request_type = JoinRequestType::human;
  request.request_email_snapshot = "Ada@Example.org";
  const auto ask = [&] {
    Invite invite;
    invite.id = id<InviteId>();
    invite.token_hash = invite.id.str();
    add(invite);
    request.invite_id = invite.id;
    request.id = id<JoinRequestId>();
  };
  ask();
  add(request);
  ask();
  request.request_email_snapshot = "ada@example.org";
  EXPECT_TRUE(refused(request));
  ASSERT_TRUE(execute("update join_requests set status = 'rejected'").ok());
  add(request);
}

TEST_P(SchemaConstraints, A_plugins_state_without_a_scope_id_exists_once) {
  Plugin plugin;
  plugin.id = id<PluginId>();
  plugin.manifest_json = RawJson(std::string("{}"));
  add(plugin);
  PluginState state;
  state.plugin_id = plugin.id;
  state.scope_kind = "instance";
  state.state_key = "cursor";
  state.value_json = RawJson(std::string("null"));
  state.id = id<AnyId>();
  add(state);
  state.id = id<AnyId>();
  EXPECT_TRUE(refused(state));
  state.scope_id = "one";
  add(state);
}

TEST_P(SchemaConstraints, A_runs_events_are_numbered_once_each) {
  add_run();
  NewHeartbeatRunEvent event;
  event.company_id = company_.id;
  event.run_id = run_.id;
  event.agent_id = agent_.id;
  event.seq = 1;
  event.stream = OutputStream::stdout_;
  ASSERT_TRUE(insert(table_of<HeartbeatRunEvent>, event).ok());
  EXPECT_FALSE(insert(table_of<HeartbeatRunEvent>, event).ok());
  event.seq = 2;
  ASSERT_TRUE(insert(table_of<HeartbeatRunEvent>, event).ok());
  EXPECT_EQ(value<std::string>("select stream from heartbeat_run_events where seq = 2"), "stdout");
  EXPECT_EQ(value<std::int64_t>("select max(id) - min(id) from heartbeat_run_events") > 0, true);
}

TEST_P(SchemaConstraints, A_dismissed_incident_leaves_its_place_to_another) {
  add_company();
  BudgetPolicy policy;
  policy.id = id<BudgetPolicyId>();
  policy.company_id = company_.id;
  policy.window_kind = BudgetWindow::calendar_month_utc;
  add(policy);
  BudgetIncident incident;
  incident.id = id<BudgetIncidentId>();
  incident.company_id = company_.id;
  incident.policy_id = policy.id;
  add(incident);
  auto again = incident;
  again.id = id<BudgetIncidentId>();
  EXPECT_TRUE(refused(again));
  ASSERT_TRUE(execute("update budget_incidents set status = 'dismissed'").ok());
  add(again);
}

/// Each query that runs on every wake, claim, tick or page must find its rows by index (SQLite; PostgreSQL chooses by
/// statistics, which an empty table does not have).
TEST_P(SchemaConstraints, Hot_queries_find_their_rows_by_index) {
  if (!sqlite()) GTEST_SKIP() << "PostgreSQL plans by statistics";
  const char* id = "'00000000-0000-4000-8000-000000000001'";
  const std::vector<std::string> queries{
      "heartbeat_runs where context_issue_id = ID order by created_at desc",
      "heartbeat_runs where agent_id = ID and status = 'queued' order by created_at",
      "heartbeat_runs where status in ('queued', 'running', 'scheduled_retry') and agent_id = ID",
      "heartbeat_runs where status = 'running'",
      "heartbeat_runs where company_id = ID order by created_at desc limit 50",
      "heartbeat_runs where agent_id = ID order by created_at desc limit 50",
      "heartbeat_run_events where run_id = ID and seq > 5 order by seq",
      "agent_wakeup_requests where company_id = ID and status = 'deferred_issue_execution' order by requested_at",
      "agent_wakeup_requests where run_id = ID",
      "agent_api_keys where key_hash = 'x'",
      "board_api_keys where key_hash = 'x'",
      "issues where company_id = ID order by created_at desc limit 500",
      "issues where company_id = ID and status in ('todo', 'in_progress')",
      "issues where company_id = ID and assignee_agent_id = ID and status = 'todo'",
      "issues where company_id = ID and assignee_user_id = 'u' and status = 'todo'",
      "issues where identifier = 'PAP-1'",
      "issues where parent_id = ID",
      "issues where project_id = ID",
      "issues where execution_run_id = ID",
      "issues where checkout_run_id = ID",
      "issues where company_id = ID and origin_kind = 'routine_execution' and origin_id = 'x'",
      "issues where monitor_next_check_at <= '2026-05-03T10:11:12.345Z'",
      "issue_comments where issue_id = ID order by created_at",
      "issue_comments where created_by_run_id = ID",
      "issue_relations where issue_id = ID",
      "issue_relations where related_issue_id = ID",
      "issue_read_states where issue_id = ID and user_id = 'u'",
      "issue_documents where issue_id = ID and key = 'plan'",
      "issue_thread_interactions where issue_id = ID order by created_at",
      "activity_log where company_id = ID order by created_at desc, ordinal desc limit 100",
      "activity_log where entity_type = 'issue' and entity_id = 'x' order by created_at desc, ordinal desc",
      "activity_log where run_id = ID",
      "cost_events where company_id = ID and occurred_at >= '2026-05-01T00:00:00.000Z'",
      "cost_events where agent_id = ID and occurred_at >= '2026-05-01T00:00:00.000Z'",
      "cost_events where issue_id = ID",
      "environment_leases where heartbeat_run_id = ID",
      "company_memberships where principal_type = 'user' and principal_id = 'u' and status = 'active'",
      "routine_triggers where next_run_at <= '2026-05-03T10:11:12.345Z'",
      "routine_runs where linked_issue_id = ID",
      "budget_policies where company_id = ID",
      "plugin_jobs where next_run_at <= '2026-05-03T10:11:12.345Z'",
  };
  for (auto query : queries) {
    for (auto at = query.find("ID"); at != std::string::npos; at = query.find("ID", at)) query.replace(at, 2, id);
    using Step = std::tuple<int, int, int, std::string>;
    const auto plan =
        database_->read([&](store::Reader& r) { return r.all<Step>("explain query plan select * from " + query); });
    EXPECT_FALSE(plan.empty()) << query;
    for (const auto& [step, parent, unused, detail] : plan) {
      EXPECT_EQ(detail.find("SCAN"), std::string::npos) << query << "\n  " << detail;
      EXPECT_EQ(detail.find("TEMP B-TREE"), std::string::npos) << query << "\n  " << detail;
    }
  }
}

ON_BOTH_ENGINES(SchemaConstraints);

}  // namespace
}  // namespace paperclip::domain
