#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "domain/projects/project.h"
#include "engine_fixture.h"

namespace paperclip::test {

/// The real engine, and issues of projects to work on.
class ProjectWork : public Running {
 protected:
  ProjectId project(const std::string& policy = "null") {
    domain::Project row;
    row.id = fresh<ProjectId>();
    row.company_id = company_.id;
    row.name = "Alpha";
    if (policy != "null") row.execution_workspace_policy = RawJson(policy);
    row.created_at = row.updated_at = Clock::system().now();
    add(row);
    return row.id;
  }
  ProjectWorkspaceId folder(ProjectId project, std::optional<std::string> cwd, std::optional<std::string> url = std::nullopt) {
    domain::ProjectWorkspace row;
    row.id = fresh<ProjectWorkspaceId>();
    row.company_id = company_.id;
    row.project_id = project;
    row.name = "w";
    row.cwd = std::move(cwd);
    row.repo_url = std::move(url);
    row.created_at = row.updated_at = Clock::system().now() + std::chrono::milliseconds(++folders_);
    add(row);
    return row.id;
  }
  /// A run on an issue.
  RunId work(const domain::Agent& agent, IssueId issue) {
    auto wish = request("automation");
    wish.reason = "issue_commented";
    wish.payload = json::object{{"issueId", issue.view()}};
    wish.context = json::object{{"issueId", issue.view()}, {"source", "issue.comment"}};
    const auto attempt = wake(agent.id, wish);
    EXPECT_TRUE(attempt.outcome.run_id);
    return attempt.outcome.run_id.value_or(RunId());
  }
  IssueId issue_of(ProjectId project, const domain::Agent& agent) {
    const auto issue = open_issue(domain::IssueStatus::in_progress, agent.id);
    EXPECT_TRUE(execute("update issues set project_id = :1 where id = :2", project, issue).ok());
    return issue;
  }

 private:
  int folders_ = 0;
};

}  // namespace paperclip::test
