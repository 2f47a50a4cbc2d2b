#include "cli/client_command.h"
#include "cli/commands/all.h"

namespace paperclip::cli {

namespace {

struct ActivityFilter : ClientOptions {
  std::string agent, entity_type, entity;
};

Result<> activity(Client& client, const ActivityFilter& options) {
  QueryText query;
  query.add("agentId", options.agent).add("entityType", options.entity_type).add("entityId", options.entity);
  client.print(TRY(client.get(query.after(path("/api/companies/{}/activity", {TRY(client.company())})))),
               {"id", "action", "actorType", "actorId", "entityType", "entityId", "createdAt"});
  return {};
}

Result<> dashboard(Client& client, const NoMore&) {
  client.print(TRY(client.get(path("/api/companies/{}/dashboard", {TRY(client.company())}))));
  return {};
}

Result<> costs(Client& client, const NoMore&) {
  client.print(TRY(client.get(path("/api/companies/{}/costs/summary", {TRY(client.company())}))));
  return {};
}

Result<> costs_by_agent(Client& client, const NoMore&) {
  client.print(TRY(client.get(path("/api/companies/{}/costs/by-agent", {TRY(client.company())}))),
               {"agentId", "agentName", "agentStatus", "costCents", "inputTokens", "outputTokens"});
  return {};
}

Result<> goals(Client& client, const NoMore&) {
  client.print(TRY(client.get(path("/api/companies/{}/goals", {TRY(client.company())}))),
               {"id", "title", "level", "status", "parentId"});
  return {};
}

struct NewGoal : ClientOptions {
  std::string title, description, level, status, parent;
};

Result<> create_goal(Client& client, const NewGoal& options) {
  json::object body{{"title", options.title}};
  put(body, "description", options.description);
  put(body, "level", options.level);
  put(body, "status", options.status);
  put(body, "parentId", options.parent);
  client.print(TRY(client.post(path("/api/companies/{}/goals", {TRY(client.company())}), body)));
  return {};
}

}  // namespace

void add_overview_commands(CommandLine& line) {
  add_client_command<ActivityFilter>(
      line, line.group("activity", "What happened"), "list", "List what happened, newest first", CompanyOption::taken,
      [](OptionSet& command, ActivityFilter& options) {
        command.add("--agent-id", options.agent, "Only by this agent");
        command.add("--entity-type", options.entity_type, "Only to entities of this type: issue, agent, …");
        command.add("--entity-id", options.entity, "Only to this entity");
      },
      activity);
  add_client_command<NoMore>(line, line.group("dashboard", "A company at a glance"), "get", "Show the figures",
                             CompanyOption::taken, nothing_more, dashboard);
  const auto money = line.group("costs", "What the agents cost");
  add_client_command<NoMore>(line, money, "summary", "Spending and budget", CompanyOption::taken, nothing_more, costs);
  add_client_command<NoMore>(line, money, "by-agent", "Spending of each agent", CompanyOption::taken, nothing_more,
                             costs_by_agent);
  const auto group = line.group("goal", "Goals");
  add_client_command<NoMore>(line, group, "list", "List the goals of a company", CompanyOption::taken, nothing_more,
                             goals);
  add_client_command<NewGoal>(
      line, group, "create", "Create a goal", CompanyOption::taken,
      [](OptionSet& command, NewGoal& options) {
        command.add("--title", options.title, "Title").required();
        command.add("--description", options.description, "Markdown");
        command.add("--level", options.level, "company, team, agent or task");
        command.add("--status", options.status, "planned, active, achieved or cancelled");
        command.add("--parent-id", options.parent, "Goal it is part of");
      },
      create_goal);
}

}  // namespace paperclip::cli
