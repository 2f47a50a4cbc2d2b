#include "base/text.h"
#include "cli/client_command.h"
#include "cli/commands/all.h"
#include "cli/commands/issue_reference.h"

namespace paperclip::cli {

namespace {

struct NewComment : IssueReference {
  std::string body;
  bool reopen = false, resume = false;
};

Result<> comment(Client& client, const NewComment& options) {
  json::object body{{"body", options.body}};
  if (options.reopen) body["reopen"] = true;
  if (options.resume) body["resume"] = true;
  client.print(TRY(client.post(path("/api/issues/{}/comments", {options.issue}), body)));
  return {};
}

Result<> comments(Client& client, const IssueReference& options) {
  client.print(TRY(client.get(path("/api/issues/{}/comments", {options.issue}) + "?order=asc")),
               {"createdAt", "id", "authorAgentId", "authorUserId", "body"});
  return {};
}

struct Checkout : IssueReference {
  std::string agent, expected = "todo,backlog,blocked";
};

Result<> checkout(Client& client, const Checkout& options) {
  json::array statuses;
  for (const auto& status : split(options.expected, ','))
    if (!trim(status).empty()) statuses.emplace_back(trim(status));
  const json::object body{{"agentId", options.agent}, {"expectedStatuses", std::move(statuses)}};
  client.print(TRY(client.post(path("/api/issues/{}/checkout", {options.issue}), body)));
  return {};
}

Result<> release(Client& client, const IssueReference& options) {
  client.print(TRY(client.post(path("/api/issues/{}/release", {options.issue}), json::object{})));
  return {};
}

Result<> runs(Client& client, const IssueReference& options) {
  client.print(TRY(client.get(path("/api/issues/{}/runs", {options.issue}))),
               {"runId", "status", "agentId", "invocationSource", "startedAt", "finishedAt", "livenessState"});
  return {};
}

Result<> documents(Client& client, const IssueReference& options) {
  client.print(TRY(client.get(path("/api/issues/{}/documents", {options.issue}))),
               {"key", "id", "title", "latestRevisionNumber", "updatedAt"});
  return {};
}

}  // namespace

void add_issue_work_commands(CommandLine& line) {
  const auto group = line.group("issue", "Issues");
  const auto with_issue = [&](const char* name, const char* description, auto run) {
    add_client_command<IssueReference>(line, group, name, description, CompanyOption::none, declare_issue, run);
  };
  add_client_command<NewComment>(
      line, group, "comment", "Comment on an issue", CompanyOption::none,
      [](OptionSet& command, NewComment& options) {
        declare_issue(command, options);
        command.add("--body", options.body, "Markdown").required();
        command.flag("--reopen", options.reopen, "Make a closed issue todo again");
        command.flag("--resume", options.resume, "Ask the assignee to go on with it");
      },
      comment);
  with_issue("comments", "List the comments on an issue", comments);
  add_client_command<Checkout>(
      line, group, "checkout", "Take an issue for an agent", CompanyOption::none,
      [](OptionSet& command, Checkout& options) {
        declare_issue(command, options);
        command.add("--agent-id", options.agent, "Agent that takes it").required();
        command.add("--expected-statuses", options.expected, "Only if it is in one of these").with_default();
      },
      checkout);
  with_issue("release", "Give an issue back", release);
  with_issue("runs", "List the runs that worked on an issue", runs);
  with_issue("documents", "List the documents of an issue", documents);
}

}  // namespace paperclip::cli
