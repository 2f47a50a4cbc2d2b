#include "cli/demo/agent.h"

#include <fmt/format.h>

#include <ostream>
#include <thread>

#include "base/text.h"
#include "base/time.h"

namespace paperclip::cli::demo {

Result<Seat> Seat::take(const Surroundings& around) {
  for (const char* name : {"PAPERCLIP_API_URL", "PAPERCLIP_API_KEY", "PAPERCLIP_RUN_ID"})
    if (around.variable(name).empty())
      return bad_request(fmt::format(
          "{} is not set. This program is started by a Paperclip server, as an agent of `paperclip demo`.", name));
  Seat seat(around, Client(around, around.variable("PAPERCLIP_API_URL"), around.variable("PAPERCLIP_API_KEY"),
                           around.variable("PAPERCLIP_RUN_ID")));
  const json::value me = TRY(seat.api_.get("/api/agents/me"));
  seat.agent_id_ = string_at(me, "id").value_or("");
  seat.company_id_ = string_at(me, "companyId").value_or("");
  seat.name_ = string_at(me, "name").value_or("");
  seat.task_id_ = around.variable("PAPERCLIP_TASK_ID");
  seat.wake_reason_ = around.variable("PAPERCLIP_WAKE_REASON");
  seat.run_id_ = around.variable("PAPERCLIP_RUN_ID");
  seat.pace_ = std::chrono::milliseconds(std::atoi(around.variable("PAPERCLIP_DEMO_PACE_MS").c_str()));
  return seat;
}

Result<json::value> Seat::task() { return api_.get(path("/api/issues/{}", {task_id_})); }

Result<bool> Seat::check_out() {
  const json::object body{{"agentId", agent_id_},
                          {"expectedStatuses", json::array{"todo", "backlog", "blocked", "in_review", "in_progress"}}};
  auto taken = api_.post(path("/api/issues/{}/checkout", {task_id_}), body);
  if (taken) return true;
  if (taken.error().kind == ErrorKind::conflict) return false;
  return std::move(taken).error();
}

Result<> Seat::comment(const std::string& markdown) {
  TRY(api_.post(path("/api/issues/{}/comments", {task_id_}), json::object{{"body", markdown}}));
  return {};
}

Result<> Seat::write_document(const std::string& key, const std::string& title, const std::string& markdown) {
  const auto where = path("/api/issues/{}/documents/{}", {task_id_, key});
  json::object body{{"title", title}, {"format", "markdown"}, {"body", markdown}};
  if (auto known = api_.get(where))
    body["baseRevisionId"] = string_at(*known, "latestRevisionId").value_or("");
  else if (known.error().kind != ErrorKind::not_found)
    return std::move(known).error();
  TRY(api_.put(where, body));
  return {};
}

Result<> Seat::report_cost(const std::string& model, std::int64_t numbers) {
  // The price list of this company: a cent for each half million numbers looked at.
  TRY(api_.post(path("/api/companies/{}/cost-events", {company_id_}),
                json::object{{"agentId", agent_id_},
                             {"issueId", task_id_},
                             {"heartbeatRunId", run_id_},
                             {"provider", "local-cpu"},
                             {"model", model},
                             {"billingType", "metered_api"},
                             {"inputTokens", numbers},
                             {"outputTokens", 0},
                             {"costCents", std::max<std::int64_t>(1, numbers / 500000)},
                             {"occurredAt", to_iso(Clock::system().now())}}));
  return {};
}

Result<> Seat::finish(const std::string& status, const std::string& comment) {
  TRY(api_.patch(path("/api/issues/{}", {task_id_}), json::object{{"status", status}, {"comment", comment}}));
  return {};
}

void Seat::say(const std::string& line) {
  around_.out << line << std::endl;
  if (pace_.count() > 0) std::this_thread::sleep_for(pace_);
}

std::string fact(const json::value& issue, std::string_view name) {
  for (const auto& line : split(string_at(issue, "description").value_or(""), '\n'))
    if (const auto text = trim(line); text.starts_with(name) && text.substr(name.size()).starts_with(':'))
      return std::string(trim(text.substr(name.size() + 1)));
  return {};
}

Result<std::uint32_t> limit_of(const json::value& issue) {
  const auto text = fact(issue, "below");
  const auto limit = std::strtoul(text.c_str(), nullptr, 10);
  if (limit < 100 || limit > 100'000'000)
    return bad_request(
        "The issue does not say below which number (a line `below: 2000000`, from 100 to 100000000), but '" + text +
        "'.");
  return static_cast<std::uint32_t>(limit);
}

}  // namespace paperclip::cli::demo
