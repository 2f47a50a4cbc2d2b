#include "base/text.h"
#include "cli/client_command.h"
#include "cli/commands/all.h"
#include "cli/commands/issue_reference.h"

namespace paperclip::cli {

namespace {

struct Listing : ClientOptions {
  std::string status, assignee, project, parent, match;
};

bool matches(const json::value& issue, const std::string& wanted) {
  for (auto key : {"identifier", "title", "description"})
    if (lower(string_at(issue, key).value_or("")).find(wanted) != std::string::npos) return true;
  return false;
}

Result<> list(Client& client, const Listing& options) {
  QueryText query;
  query.add("status", options.status)
      .add("assigneeAgentId", options.assignee)
      .add("projectId", options.project)
      .add("parentId", options.parent);
  json::value issues = TRY(client.get(query.after(path("/api/companies/{}/issues", {TRY(client.company())}))));
  if (!options.match.empty() && issues.is_array()) {
    json::array kept;
    const std::string wanted = lower(options.match);
    for (auto& issue : issues.get_array())
      if (matches(issue, wanted)) kept.push_back(std::move(issue));
    issues = std::move(kept);
  }
  client.print(issues,
               {"identifier", "id", "status", "priority", "title", "assigneeAgentId", "projectId", "updatedAt"});
  return {};
}

Result<> get(Client& client, const IssueReference& options) {
  client.print(TRY(client.get(path("/api/issues/{}", {options.issue}))));
  return {};
}

// What an issue may be made with, and changed to.
struct IssueFields {
  std::optional<std::string> title, description, status, priority, assignee, project, goal, parent, billing_code;
  std::optional<std::int64_t> request_depth;
  std::optional<std::string> blocked_by;
};

void declare_fields(OptionSet& command, IssueFields& fields) {
  command.add("--description", fields.description, "Markdown");
  command.add("--status", fields.status, "backlog, todo, in_progress, in_review, blocked, done, cancelled");
  command.add("--priority", fields.priority, "critical, high, medium, low");
  command.add("--assignee-agent-id", fields.assignee, "Agent that shall do it");
  command.add("--project-id", fields.project, "Project");
  command.add("--goal-id", fields.goal, "Goal");
  command.add("--parent-id", fields.parent, "Issue it is part of");
  command.add("--request-depth", fields.request_depth, "How many delegations led to it");
  command.add("--billing-code", fields.billing_code, "Billing code");
  command.add("--blocked-by", fields.blocked_by, "Ids of the issues it waits for, comma separated");
}

json::object body_of(const IssueFields& fields) {
  json::object body;
  put(body, "title", fields.title);
  put(body, "description", fields.description);
  put(body, "status", fields.status);
  put(body, "priority", fields.priority);
  put(body, "assigneeAgentId", fields.assignee);
  put(body, "projectId", fields.project);
  put(body, "goalId", fields.goal);
  put(body, "parentId", fields.parent);
  put(body, "requestDepth", fields.request_depth);
  put(body, "billingCode", fields.billing_code);
  if (fields.blocked_by) {
    json::array ids;
    for (const auto& id : split(*fields.blocked_by, ','))
      if (!trim(id).empty()) ids.emplace_back(trim(id));
    body["blockedByIssueIds"] = std::move(ids);
  }
  return body;
}

struct NewIssue : ClientOptions {
  IssueFields fields;
};

Result<> create(Client& client, const NewIssue& options) {
  client.print(TRY(client.post(path("/api/companies/{}/issues", {TRY(client.company())}), body_of(options.fields))));
  return {};
}

struct IssueUpdate : IssueReference {
  IssueFields fields;
  std::string comment;
  std::optional<std::string> hidden_at;
};

Result<> update(Client& client, const IssueUpdate& options) {
  json::object body = body_of(options.fields);
  put(body, "comment", options.comment);
  put(body, "hiddenAt", options.hidden_at);
  // Nothing is a value as well: an issue goes back to nobody with `--assignee-agent-id null`.
  for (auto key : {"assigneeAgentId", "projectId", "goalId", "parentId", "billingCode", "hiddenAt"})
    if (auto* value = body.if_contains(key); value != nullptr && value->get_string() == "null") *value = nullptr;
  if (body.empty()) return bad_request("Nothing to change. See `paperclip issue update --help` for what can be set.");
  client.print(TRY(client.patch(path("/api/issues/{}", {options.issue}), body)));
  return {};
}

Result<> remove(Client& client, const IssueReference& options) {
  client.print(TRY(client.remove(path("/api/issues/{}", {options.issue}))));
  return {};
}

}  // namespace

void add_issue_commands(CommandLine& line) {
  const auto group = line.group("issue", "Issues");
  add_client_command<Listing>(
      line, group, "list", "List the issues of a company", CompanyOption::taken,
      [](OptionSet& command, Listing& options) {
        command.add("--status", options.status, "One or more statuses, comma separated");
        command.add("--assignee-agent-id", options.assignee, "Only of this agent");
        command.add("--project-id", options.project, "Only of this project");
        command.add("--parent-id", options.parent, "Only parts of this issue");
        command.add("--match", options.match, "Only with this text in identifier, title or description");
      },
      list);
  add_client_command<IssueReference>(line, group, "get", "Show an issue", CompanyOption::none, declare_issue, get);
  add_client_command<NewIssue>(
      line, group, "create", "Create an issue", CompanyOption::taken,
      [](OptionSet& command, NewIssue& options) {
        command.add("--title", options.fields.title, "Title").required();
        declare_fields(command, options.fields);
      },
      create);
  add_client_command<IssueUpdate>(
      line, group, "update", "Change an issue", CompanyOption::none,
      [](OptionSet& command, IssueUpdate& options) {
        declare_issue(command, options);
        command.add("--title", options.fields.title, "Title");
        declare_fields(command, options.fields);
        command.add("--comment", options.comment, "Comment to add with the change");
        command.add("--hidden-at", options.hidden_at, "Time from which it is hidden, or null");
      },
      update);
  add_client_command<IssueReference>(line, group, "delete", "Delete an issue", CompanyOption::none, declare_issue,
                                     remove);
}

}  // namespace paperclip::cli
