#pragma once

#include <gtest/gtest.h>

#include "base/random.h"
#include "domain/agents/agent.h"
#include "domain/companies/company.h"
#include "domain/issues/issue.h"
#include "domain/issues/issue_comment.h"
#include "domain/runs/claim.h"
#include "domain/runs/finalise.h"
#include "domain/wakeups/wake.h"
#include "domain_database.h"

namespace paperclip::test {

/// A company with an agent, on both engines, and the few moves that stories about runs are made of.
class Work : public DomainDatabase {
 protected:
  void SetUp() override {
    DomainDatabase::SetUp();
    if (IsSkipped()) return;
    company_.id = fresh<CompanyId>();
    company_.name = "Acme";
    add(company_);
    agent_ = hire("Worker Bee");
  }

  template <class IdType>
  IdType fresh() {
    return Random::system().id<IdType>();
  }
  template <class Entity>
  void add(const Entity& entity) {
    const auto inserted = insert(domain::table_of<Entity>, entity);
    ASSERT_TRUE(inserted.ok()) << inserted.error().message;
  }

  domain::Agent hire(const std::string& name, const std::string& runtime_config = "{}") {
    domain::Agent agent;
    agent.id = fresh<AgentId>();
    agent.company_id = company_.id;
    agent.name = name;
    agent.runtime_config = RawJson(runtime_config);
    agent.created_at = agent.updated_at = Clock::system().now();
    add(agent);
    return agent;
  }
  IssueId open_issue(domain::IssueStatus status, std::optional<AgentId> assignee, domain::IssuePriority priority = domain::IssuePriority::medium) {
    domain::Issue issue;
    issue.id = fresh<IssueId>();
    issue.company_id = company_.id;
    issue.title = "Ship it";
    issue.status = status;
    issue.priority = priority;
    issue.assignee_agent_id = assignee;
    issue.issue_number = ++issues_;
    issue.identifier = "ACM-" + std::to_string(issues_);
    issue.created_at = issue.updated_at = Clock::system().now();
    add(issue);
    return issue.id;
  }
  void block(IssueId blocked, IssueId blocker) {
    const Timestamp now = Clock::system().now();
    const auto done = execute("insert into issue_relations (id, company_id, issue_id, related_issue_id, type, created_at, updated_at) values (:1, :2, :3, :4, 'blocks', :5, :5)",
                              fresh<AnyId>(), company_.id, blocker, blocked, now);
    ASSERT_TRUE(done.ok()) << done.error().message;
  }
  CommentId comment(IssueId issue, std::string_view user) {
    domain::IssueComment row;
    row.id = fresh<CommentId>();
    row.company_id = company_.id;
    row.issue_id = issue;
    row.author_user_id = std::string(user);
    row.body = "please look";
    row.created_at = row.updated_at = Clock::system().now();
    add(row);
    return row.id;
  }

  domain::WakeRequest request(std::string source = "on_demand") {
    domain::WakeRequest wake;
    wake.source = std::move(source);
    wake.trigger_detail = "manual";
    wake.requested_by = domain::Author{"user", "ann", std::nullopt, std::nullopt};
    return wake;
  }
  domain::WakeRequest about(IssueId issue, std::string reason) {
    auto wake = request("assignment");
    wake.reason = std::move(reason);
    wake.payload = json::object{{"issueId", issue.view()}};
    wake.context = json::object{{"issueId", issue.view()}, {"source", "issue.create"}};
    return wake;
  }
  domain::WakeRequest comment_wake(IssueId issue, CommentId comment) {
    auto wake = request("automation");
    wake.reason = "issue_commented";
    wake.payload = json::object{{"issueId", issue.view()}, {"commentId", comment.view()}};
    wake.context = json::object{{"issueId", issue.view()}, {"source", "issue.comment"}, {"commentId", comment.view()}, {"wakeCommentId", comment.view()}};
    return wake;
  }

  domain::WakeAttempt wake(AgentId agent, const domain::WakeRequest& request) {
    auto attempt = database_->write([&](store::Transaction& tx) -> Result<domain::WakeAttempt> { return domain::attempt_wakeup(tx, agent, request); });
    EXPECT_TRUE(attempt.ok()) << (attempt.ok() ? "" : attempt.error().message);
    return attempt.ok() ? *std::move(attempt) : domain::WakeAttempt{};
  }
  std::vector<domain::RunSetup> claim(AgentId agent, int slots = 10) {
    auto claims = database_->write([&](store::Transaction& tx) -> Result<domain::Claims> { return domain::claim_queued_runs(tx, agent, {slots, {}}); });
    EXPECT_TRUE(claims.ok()) << (claims.ok() ? "" : claims.error().message);
    return claims.ok() ? std::move(claims->runs) : std::vector<domain::RunSetup>{};
  }
  Result<domain::Finalised> finish(const domain::RunSetup& setup, domain::RunReport report = {}) {
    report.session_before = setup.session;
    return database_->write([&](store::Transaction& tx) { return domain::finalise_run(tx, setup.run.id, setup.run.fence, report); });
  }
  domain::RunReport failure(std::string message = "boom", std::string code = {}) {
    domain::RunReport report;
    report.exit_code = 1;
    report.error_message = std::move(message);
    report.error_code = std::move(code);
    return report;
  }

  domain::HeartbeatRun run(RunId id) {
    return *database_->read([&](store::Reader& reader) { return reader.one<domain::HeartbeatRun>("select {} from heartbeat_runs where id = :1", id); });
  }
  json::value context(RunId id) { return run(id).context_snapshot->parse(); }
  domain::Issue issue(IssueId id) {
    return *database_->read([&](store::Reader& reader) { return reader.one<domain::Issue>("select {} from issues where id = :1", id); });
  }
  std::string agent_status(AgentId id) { return *value<std::string>("select status from agents where id = :1", id); }
  std::vector<domain::HeartbeatRun> runs(std::string_view status) {
    return database_->read([&](store::Reader& reader) {
      return reader.all<domain::HeartbeatRun>("select {} from heartbeat_runs where status = :1 order by created_at, id", status);
    });
  }
  std::int64_t wakeups(std::string_view status) { return *value<std::int64_t>("select count(*) from agent_wakeup_requests where status = :1", status); }

  domain::Company company_;
  domain::Agent agent_;
  int issues_ = 0;
};

}  // namespace paperclip::test
