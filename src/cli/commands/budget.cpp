#include "cli/client_command.h"
#include "cli/commands/agent_path.h"
#include "cli/commands/all.h"

/// Budgets of money, and limits beside it (tokens, runs, time, runs without progress).
namespace paperclip::cli {

namespace {

Result<> overview(Client& client, const NoMore&) {
  client.print(TRY(client.get(path("/api/companies/{}/budgets/overview", {TRY(client.company())}))));
  return {};
}

Result<> limits(Client& client, const NoMore&) {
  const json::value answer = TRY(client.get(path("/api/companies/{}/limits", {TRY(client.company())})));
  const auto* list = member(answer, "limits");
  client.print(list != nullptr ? *list : json::value(json::array()),
               {"policyId", "scopeType", "scopeName", "metric", "windowKind", "amount", "observedAmount", "status", "paused"});
  return {};
}

struct Limit : ClientOptions {
  std::string agent, metric, window;
  std::int64_t amount = 0;
};

Result<> set_limit(Client& client, const Limit& options) {
  json::object body{{"scopeType", options.agent.empty() ? "company" : "agent"}, {"metric", options.metric}, {"amount", options.amount}};
  if (!options.agent.empty()) {
    const json::value agent = TRY(client.get(agent_path(client, "/api/agents/{}", options.agent)));
    put(body, "scopeId", text_at(agent, "id").value_or(options.agent));
  }
  put(body, "windowKind", options.window);
  client.print(TRY(client.put(path("/api/companies/{}/limits", {TRY(client.company())}), body)));
  return {};
}

struct Resolution : ClientOptions {
  std::string incident, note;
  std::optional<std::int64_t> raise_to;
};

Result<> resolve(Client& client, const Resolution& options) {
  json::object body{{"action", options.raise_to ? "raise_budget_and_resume" : "keep_paused"}};
  put(body, "amount", options.raise_to);
  put(body, "decisionNote", options.note);
  client.print(TRY(client.post(path("/api/companies/{}/budget-incidents/{}/resolve", {TRY(client.company()), options.incident}), body)));
  return {};
}

}  // namespace

void add_budget_commands(CommandLine& line) {
  const auto group = line.group("budget", "Budgets and limits");
  add_client_command<NoMore>(line, group, "overview", "Show a company's budgets and open incidents", CompanyOption::taken, nothing_more, overview);
  add_client_command<NoMore>(line, group, "limits", "List the limits on tokens, runs and time", CompanyOption::taken, nothing_more, limits);
  add_client_command<Limit>(
      line, group, "limit", "Set a limit for the company or one agent", CompanyOption::taken,
      [](OptionSet& command, Limit& options) {
        command.add("--metric", options.metric, "tokens, runs, wall_seconds or fruitless_runs").required();
        command.add("--amount", options.amount, "How many per window; 0 takes the limit off").required();
        command.add("--window", options.window, "utc_hour, utc_day (if left out), calendar_month_utc or lifetime");
        command.add("--agent", options.agent, "Only this agent: id or shortname");
      },
      set_limit);
  add_client_command<Resolution>(
      line, group, "resolve", "Answer a budget incident: raise the amount and go on, or keep the scope paused", CompanyOption::taken,
      [](OptionSet& command, Resolution& options) {
        command.add("incident", options.incident, "Incident id").required();
        command.add("--raise-to", options.raise_to, "New amount; without it the scope stays paused");
        command.add("--note", options.note, "Why");
      },
      resolve);
}

}  // namespace paperclip::cli
