#include "cli/demo/company.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "base/deadline.h"
#include "cli/demo/primes.h"

namespace paperclip::cli::demo {

namespace {

std::string text_of(const json::value& object, std::string_view key) { return string_at(object, key).value_or(""); }

Result<std::string> hire(Client& client, Company& company, const Plan& plan, const char* name, const char* title,
                         const char* part, const std::string& manager) {
  const bool leads = manager.empty();
  json::object body{{"name", name},
                    {"role", leads ? "ceo" : "researcher"},
                    {"title", title},
                    {"adapterType", "process"},
                    {"adapterConfig",
                     json::object{{"command", plan.program},
                                  {"args", json::array{"demo-agent", part}},
                                  {"cwd", plan.directory},
                                  {"env", json::object{{"PAPERCLIP_DEMO_PACE_MS", std::to_string(plan.pace.count())}}},
                                  {"timeoutSec", 60}}}};
  if (!leads) body["reportsTo"] = manager;
  const json::value agent = TRY(client.post(path("/api/companies/{}/agents", {company.id}), body));
  const std::string id = text_of(agent, "id");
  company.agents[id] = text_of(agent, "name");
  return id;
}

}  // namespace

Result<Company> found_company(Client& client, const Plan& plan) {
  Company company;
  const json::value made = TRY(client.post(
      "/api/companies", json::object{{"name", "Prime Press"}, {"description", "A publisher of small almanacs."}}));
  company.id = text_of(made, "id");
  company.name = text_of(made, "name");
  company.issue_prefix = text_of(made, "issuePrefix");
  const json::value goal = TRY(client.post(
      path("/api/companies/{}/goals", {company.id}),
      json::object{{"title", "Publish almanacs that can be trusted"}, {"level", "company"}, {"status", "active"}}));
  const std::string lead = TRY(hire(client, company, plan, "Hypatia", "Publisher", "lead", {}));
  TRY(hire(client, company, plan, "Euclid", "Counter", "worker", lead));
  TRY(hire(client, company, plan, "Gauss", "Surveyor", "worker", lead));
  TRY(hire(client, company, plan, "Germain", "Number theorist", "worker", lead));
  const std::string limit = grouped(plan.limit);
  const json::value issue =
      TRY(client.post(path("/api/companies/{}/issues", {company.id}),
                      json::object{{"title", fmt::format("Publish an almanac of the primes below {}", limit)},
                                   {"description", fmt::format("One page: how many there are, the widest gap, the "
                                                               "twins. Count twice before it goes out.\n\nbelow: {}\n",
                                                               plan.limit)},
                                   {"status", "todo"},
                                   {"priority", "high"},
                                   {"goalId", text_of(goal, "id")},
                                   {"assigneeAgentId", lead}}));
  company.top_issue_id = text_of(issue, "id");
  company.top_identifier = text_of(issue, "identifier");
  return company;
}

void pause_agents(Client& client, const Company& company) {
  for (const auto& [id, name] : company.agents) (void)client.post(path("/api/agents/{}/pause", {id}), json::object{});
  // Their runs are cancelled; what they still write must not meet a directory that is being removed.
  for (const Deadline patience = Deadline::in(std::chrono::seconds(10)); !patience.passed();) {
    const auto live = client.get(path("/api/companies/{}/live-runs", {company.id}));
    if (!live || !live->is_array()) return;
    // One that is queued for a paused agent does nothing.
    if (std::none_of(live->get_array().begin(), live->get_array().end(),
                     [](const json::value& run) { return text_of(run, "status") == "running"; }))
      return;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

}  // namespace paperclip::cli::demo
