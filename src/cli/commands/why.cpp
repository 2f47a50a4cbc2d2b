#include <fmt/format.h>
#include <fmt/ostream.h>

#include "cli/client_command.h"
#include "cli/commands/agent_path.h"
#include "cli/commands/all.h"
#include "cli/commands/issue_reference.h"

/// "Why is it not running?", as sentences.
namespace paperclip::cli {

namespace {

std::string text_of(const json::value& object, std::string_view key) { return text_at(object, key).value_or(""); }

// One reason to wait on a line of its own, and below it what is known of it.
void print_wait(std::ostream& out, const json::value& wait, std::string_view indent) {
  fmt::print(out, "{}- {} [{}]\n", indent, text_of(wait, "message"), text_of(wait, "code"));
  if (const auto since = text_at(wait, "since")) fmt::print(out, "{}  since {}\n", indent, *since);
  if (const auto* by = member(wait, "by"); by != nullptr && by->is_object()) fmt::print(out, "{}  by {}\n", indent, text_at(*by, "name").value_or(text_of(*by, "id")));
  if (const auto until = text_at(wait, "until")) fmt::print(out, "{}  until {}\n", indent, *until);
  fmt::print(out, "{}  ends with {}\n", indent, text_of(wait, "endedBy"));
  if (const auto run = text_at(wait, "runId")) fmt::print(out, "{}  run {}\n", indent, *run);
}

template <class Visit>
void each(const json::value& object, std::string_view key, Visit visit) {
  const auto* list = member(object, key);
  if (list == nullptr || !list->is_array()) return;
  for (const auto& item : list->get_array()) visit(item);
}

void explain(Client& client, const json::value& why) {
  if (client.as_json()) return client.print(why);
  std::ostream& out = client.around().out;
  fmt::print(out, "{}\n", text_of(why, "summary"));
  if (const auto* holder = member(why, "holder"); holder != nullptr && holder->is_object())
    fmt::print(out, "held by run {} of {} ({})\n", text_of(*holder, "runId"), text_of(*holder, "agentName"), text_of(*holder, "status"));
  each(why, "runs", [&](const json::value& run) {
    fmt::print(out, "run {} of {} since {}", text_of(run, "runId"), text_of(run, "agentName"), text_of(run, "startedAt"));
    if (const auto issue = text_at(run, "issueIdentifier")) fmt::print(out, " on {}", *issue);
    fmt::print(out, "\n");
  });
  bool first = true;
  each(why, "waitsFor", [&](const json::value& wait) {
    if (first) fmt::print(out, "waits for:\n");
    first = false;
    print_wait(out, wait, "");
  });
  first = true;
  each(why, "queue", [&](const json::value& wake) {
    if (first) fmt::print(out, "queue:\n");
    first = false;
    fmt::print(out, "  {} {} requested {}\n", text_of(wake, "status"), text_at(wake, "reason").value_or(text_of(wake, "source")), text_of(wake, "requestedAt"));
    if (const auto* wait = member(wake, "waitsFor"); wait != nullptr && wait->is_object()) print_wait(out, *wait, "    ");
  });
  if (const auto* retry = member(why, "nextRetry"); retry != nullptr && retry->is_object()) fmt::print(out, "next retry at {}\n", text_of(*retry, "at"));
  if (const auto* timer = member(why, "nextTimer"); timer != nullptr && timer->is_object()) fmt::print(out, "next timer at {}\n", text_of(*timer, "at"));
  if (const auto* refusal = member(why, "lastRefusal"); refusal != nullptr && refusal->is_object())
    fmt::print(out, "last refused wake: {} at {}\n", text_of(*refusal, "code"), text_of(*refusal, "at"));
}

Result<> why_agent(Client& client, const AgentReference& options) {
  const json::value answer = TRY(client.get(agent_path(client, "/api/agents/{}/why", options.agent)));
  explain(client, answer);
  return {};
}

Result<> why_issue(Client& client, const IssueReference& options) {
  const json::value answer = TRY(client.get(path("/api/issues/{}/why", {options.issue})));
  explain(client, answer);
  return {};
}

}  // namespace

void add_why_commands(CommandLine& line) {
  add_client_command<AgentReference>(line, line.group("agent", "Agents"), "why", "Explain why an agent runs or does not", CompanyOption::taken, declare_agent, why_agent);
  add_client_command<IssueReference>(line, line.group("issue", "Issues"), "why", "Explain why an issue is worked on or is not", CompanyOption::none, declare_issue, why_issue);
}

}  // namespace paperclip::cli
