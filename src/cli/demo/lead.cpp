#include <fmt/format.h>

#include <algorithm>

#include "cli/demo/agent.h"
#include "cli/demo/primes.h"

/// The lead: splits its issue among the workers, and closes it when they are done and the sum is right.
namespace paperclip::cli::demo {

namespace {

struct Part {
  const char* study;
  const char* title;
  const char* criterion;
};

constexpr Part parts[] = {
    {"count", "Count the primes", "The number of primes below the limit, for each power of ten"},
    {"gap", "Find the widest gap", "The two neighbouring primes that are furthest apart"},
    {"twins", "Count the twin primes", "The number of pairs that differ by two, and the last pair"}};

// Those who report to us, in the order of their names.
Result<std::vector<std::pair<std::string, std::string>>> workers_of(Seat& seat) {
  std::vector<std::pair<std::string, std::string>> workers;
  const json::value agents = TRY(seat.api().get(path("/api/companies/{}/agents", {seat.company_id()})));
  for (const auto& agent : agents.as_array())
    if (string_at(agent, "reportsTo") == seat.agent_id())
      workers.emplace_back(string_at(agent, "name").value_or(""), string_at(agent, "id").value_or(""));
  std::sort(workers.begin(), workers.end());
  if (workers.empty()) return conflict("Nobody reports to " + seat.name() + ": there is no one to delegate to.");
  return workers;
}

Result<json::value> delegate(Seat& seat, const std::string& title, const std::string& study, std::uint32_t limit,
                             const std::string& criterion, const std::pair<std::string, std::string>& worker,
                             const json::array& waits_for) {
  json::object body{{"title", title},
                    {"description", fmt::format("study: {}\nbelow: {}\n", study, limit)},
                    {"status", "todo"},  // a backlog issue wakes nobody
                    {"priority", "high"},
                    {"assigneeAgentId", worker.second},
                    {"acceptanceCriteria", json::array{json::value(criterion)}},
                    {"blockParentUntilDone", true}};
  if (!waits_for.empty()) body["blockedByIssueIds"] = waits_for;
  const json::value child = TRY(seat.api().post(path("/api/issues/{}/children", {seat.task_id()}), body));
  seat.say(fmt::format("{} \"{}\" goes to {}", string_at(child, "identifier").value_or(""), title, worker.first));
  return child;
}

Result<int> split_up(Seat& seat, const json::value& issue) {
  const std::uint32_t limit = TRY(limit_of(issue));
  const auto workers = TRY(workers_of(seat));
  seat.say(fmt::format("{} people report to me; three studies, then one page from all of them", workers.size()));
  std::string plan = fmt::format("# Plan\n\nAn almanac of the primes below {}.\n\n", grouped(limit));
  for (std::size_t i = 0; i < std::size(parts); ++i)
    plan += fmt::format("{}. {} ({})\n", i + 1, parts[i].title, workers[i % workers.size()].first);
  plan += fmt::format("{}. Write the almanac, once these are done ({})\n", std::size(parts) + 1, workers.front().first);
  TRY(seat.write_document("plan", "Plan", plan));
  json::array studies;
  std::string list;
  for (std::size_t i = 0; i < std::size(parts); ++i) {
    const json::value child = TRY(delegate(seat, fmt::format("{} below {}", parts[i].title, grouped(limit)),
                                           parts[i].study, limit, parts[i].criterion, workers[i % workers.size()], {}));
    studies.push_back(child.at("id"));
    list += fmt::format("\n- {}", string_at(child, "identifier").value_or(""));
  }
  const json::value page = TRY(delegate(seat, "Write the almanac", "almanac", limit,
                                        "One page with the results of all studies", workers.front(), studies));
  list += fmt::format("\n- {}", string_at(page, "identifier").value_or(""));
  TRY(seat.finish("blocked", "Split into parts; I close this when they are done." + list));
  seat.say("waiting for them");
  return 0;
}

Result<int> close(Seat& seat, const json::value& issue, const json::array& children) {
  const std::uint32_t limit = TRY(limit_of(issue));
  std::string almanac;
  for (const auto& child : children)
    if (auto page = seat.api().get(path("/api/issues/{}/documents/almanac", {string_at(child, "id").value_or("")})))
      almanac = string_at(*page, "body").value_or("");
  if (almanac.empty()) return conflict("All parts are done, but none has the almanac.");
  seat.say("all parts are done; counting again before I sign");
  const std::string counted = grouped(count_primes_below(limit));
  TRY(seat.report_cost("segmented-sieve", limit / 2));
  if (almanac.find(counted) == std::string::npos) {
    TRY(seat.finish("blocked",
                    fmt::format("The almanac is wrong: I count {} primes below {}.", counted, grouped(limit))));
    return conflict("The almanac does not have " + counted + ", which is what I count.");
  }
  TRY(seat.write_document("almanac", "Almanac", almanac));
  TRY(seat.finish("done",
                  fmt::format("Published. Counted again and agreed: {} primes below {}.", counted, grouped(limit))));
  seat.say(fmt::format("agreed: {} primes; published", counted));
  return 0;
}

}  // namespace

Result<int> run_lead(Seat& seat) {
  if (seat.task_id().empty()) {
    seat.say("woken without a task; nothing to do");
    return 0;
  }
  const json::value issue = TRY(seat.task());
  seat.say(fmt::format("{}: {} ({})", string_at(issue, "identifier").value_or(""),
                       string_at(issue, "title").value_or(""),
                       seat.wake_reason().empty() ? "on demand" : seat.wake_reason()));
  if (!TRY(seat.check_out())) {
    seat.say("somebody else has it");
    return 0;
  }
  const json::value children =
      TRY(seat.api().get(path("/api/companies/{}/issues", {seat.company_id()}) + "?parentId=" + seat.task_id()));
  if (children.as_array().empty()) return split_up(seat, issue);
  std::size_t open = 0;
  for (const auto& child : children.as_array())
    open += string_at(child, "status") != "done" && string_at(child, "status") != "cancelled";
  if (open == 0) return close(seat, issue, children.as_array());
  TRY(seat.finish("blocked", fmt::format("{} parts are still open.", open)));
  return 0;
}

}  // namespace paperclip::cli::demo
