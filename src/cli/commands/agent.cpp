#include <fmt/format.h>

#include "cli/client_command.h"
#include "cli/commands/agent_path.h"
#include "cli/commands/all.h"

namespace paperclip::cli {

namespace {

Result<> list(Client& client, const NoMore&) {
  const json::value agents = TRY(client.get(path("/api/companies/{}/agents", {TRY(client.company())})));
  client.print(agents,
               {"id", "name", "role", "status", "adapterType", "reportsTo", "budgetMonthlyCents", "spentMonthlyCents"});
  return {};
}

Result<> get(Client& client, const AgentReference& options) {
  client.print(TRY(client.get(agent_path(client, "/api/agents/{}", options.agent))));
  return {};
}

struct NewAgent : ClientOptions {
  std::string name, role, title, reports_to, capabilities, adapter_type, adapter_config, runtime_config, command, cwd;
  std::vector<std::string> args;
  std::optional<std::int64_t> budget;
};

void declare_new_agent(OptionSet& command, NewAgent& options) {
  command.add("--name", options.name, "Name").required();
  command.add("--role", options.role, "ceo, cto, engineer, designer, …");
  command.add("--title", options.title, "Job title");
  command.add("--reports-to", options.reports_to, "Id of its manager");
  command.add("--capabilities", options.capabilities, "What it can do, for those who delegate");
  command.add("--adapter-type", options.adapter_type, "process, http, claude_local, … (process)");
  command.add("--adapter-config", options.adapter_config, "JSON object");
  command.add("--runtime-config", options.runtime_config, "JSON object");
  command.add("--command", options.command, "Program of the adapter: adapterConfig.command");
  command.add("--arg", options.args, "One argument of the program, may be repeated: adapterConfig.args");
  command.add("--cwd", options.cwd, "Directory it works in: adapterConfig.cwd");
  command.add("--budget-monthly-cents", options.budget, "Monthly budget in cents; 0 is none");
}

Result<> create(Client& client, const NewAgent& options) {
  json::object body{{"name", options.name}};
  put(body, "role", options.role);
  put(body, "title", options.title);
  put(body, "reportsTo", options.reports_to);
  put(body, "capabilities", options.capabilities);
  put(body, "adapterType", options.adapter_type);
  put(body, "budgetMonthlyCents", options.budget);
  json::object adapter;
  if (!options.adapter_config.empty()) adapter = TRY(json_object_option("--adapter-config", options.adapter_config));
  put(adapter, "command", options.command);
  put(adapter, "cwd", options.cwd);
  if (!options.args.empty()) adapter["args"] = json::array(options.args.begin(), options.args.end());
  if (!adapter.empty()) body["adapterConfig"] = std::move(adapter);
  if (!options.runtime_config.empty())
    body["runtimeConfig"] = TRY(json_object_option("--runtime-config", options.runtime_config));
  client.print(TRY(client.post(path("/api/companies/{}/agents", {TRY(client.company())}), body)));
  return {};
}

Result<> remove(Client& client, const AgentReference& options) {
  client.print(TRY(client.remove(agent_path(client, "/api/agents/{}", options.agent))));
  return {};
}

struct Wake : AgentReference {
  std::string reason, issue;
  bool fresh_session = false;
};

Result<> wake(Client& client, const Wake& options) {
  json::object body{{"source", "on_demand"}, {"triggerDetail", "manual"}};
  put(body, "reason", options.reason);
  if (!options.issue.empty()) body["payload"] = json::object{{"issueId", options.issue}};
  if (options.fresh_session) body["forceFreshSession"] = true;
  client.print(TRY(client.post(agent_path(client, "/api/agents/{}/wakeup", options.agent), body)));
  return {};
}

}  // namespace

void add_agent_commands(CommandLine& line) {
  const auto group = line.group("agent", "Agents");
  const auto with_agent = [&](const char* name, const char* description, auto run) {
    add_client_command<AgentReference>(line, group, name, description, CompanyOption::taken, declare_agent, run);
  };
  const auto lifecycle = [&](const char* verb, const char* description) {
    with_agent(verb, description, [verb](Client& client, const AgentReference& options) -> Result<> {
      client.print(
          TRY(client.post(agent_path(client, std::string("/api/agents/{}/") + verb, options.agent), json::object{})));
      return {};
    });
  };
  add_client_command<NoMore>(line, group, "list", "List the agents of a company", CompanyOption::taken, nothing_more,
                             list);
  with_agent("get", "Show an agent", get);
  add_client_command<NewAgent>(line, group, "create", "Create an agent", CompanyOption::taken, declare_new_agent,
                               create);
  lifecycle("pause", "Stop an agent and its live runs until it is resumed");
  lifecycle("resume", "Let a paused agent work again");
  lifecycle("approve", "Let a hired agent begin");
  lifecycle("terminate", "End an agent for good: its keys and live runs go, its history stays");
  with_agent("delete", "Delete an agent and its history", remove);
  add_client_command<Wake>(
      line, group, "wake", "Wake an agent; `heartbeat run` also follows what it does", CompanyOption::taken,
      [](OptionSet& command, Wake& options) {
        declare_agent(command, options);
        command.add("--reason", options.reason, "Why, as the agent is told");
        command.add("--issue-id", options.issue, "The issue it shall work on");
        command.flag("--fresh-session", options.fresh_session, "Do not resume its session");
      },
      wake);
}

}  // namespace paperclip::cli
