#include <chrono>

#include "base/write_json.h"
#include "domain/wakeups/heartbeat_policy.h"
#include "domain/waiting/agent_waits.h"
#include "domain/waiting/why.h"
#include "domain/waiting/why_parts.h"

namespace paperclip::domain {

namespace {

constexpr std::size_t most_shown = 50;
constexpr int most_read = 1000;

struct AskedAgent {
  AgentId id;
  CompanyId company_id;
  std::string name, status;
  RawJson runtime_config;
  std::optional<Timestamp> last_heartbeat_at;
  Timestamp created_at;
};
BOOST_DESCRIBE_STRUCT(AskedAgent, (), (id, company_id, name, status, runtime_config, last_heartbeat_at, created_at))

struct NextTimer {
  Timestamp at;
  std::int64_t interval_sec = 0;
};
BOOST_DESCRIBE_STRUCT(NextTimer, (), (at, interval_sec))

std::optional<NextTimer> next_timer(const AskedAgent& agent) {
  const auto policy = heartbeat_policy(agent.runtime_config.parse());
  if (!policy.enabled || policy.interval.count() <= 0) return std::nullopt;
  return NextTimer{agent.last_heartbeat_at.value_or(agent.created_at) + policy.interval, policy.interval.count()};
}

struct Refusal {
  WakeupId wakeup_id;
  std::optional<std::string> code;
  std::optional<std::string> message;
  Timestamp at;
};
BOOST_DESCRIBE_STRUCT(Refusal, (), (wakeup_id, code, message, at))

bool is_stop(const Wait& wait) { return wait.code != "agent_limit" && wait.code != "machine_full"; }

std::string plural(std::size_t count, const char* word) { return std::to_string(count) + " " + word + (count == 1 ? "" : "s"); }

}  // namespace

bool append_agent_why(std::string& out, store::Reader& reader, AgentId id, const MachineSlots& machine) {
  const auto agent = reader.one<AskedAgent>("select {} from agents where id = :1", id);
  if (!agent) return false;
  const auto waits = agent_waits(reader, agent->company_id, id, machine);
  const std::optional<Wait> first = waits.empty() ? std::nullopt : std::optional(waits.front());
  const auto runs = reader.all<WhyRun>(std::string(why_runs) + "where r.agent_id = :1 and r.status = 'running' order by r.started_at, r.id", id);
  const auto wakes = reader.all<WaitingWake>(std::string(waiting_wakes) + " and w.company_id = :1 and w.agent_id = :2 order by w.requested_at, w.id limit :3", agent->company_id, id, most_read);
  std::vector<WhyWake> queue;
  for (std::size_t i = 0; i < wakes.size() && i < most_shown; ++i) queue.push_back(explain_wake(reader, agent->company_id, wakes[i], first));

  const bool stopped = first && is_stop(*first);
  std::string state = stopped ? "stopped" : !runs.empty() ? "running" : !wakes.empty() ? "waiting" : "idle";
  const auto timer = next_timer(*agent);
  std::string summary;
  if (stopped) summary = first->message + " It ends with " + first->ended_by + ".";
  else if (!runs.empty()) summary = agent->name + " has " + plural(runs.size(), "run") + " under way" + (wakes.empty() ? "." : " and " + plural(wakes.size(), "wake") + " waiting. ");
  else if (!wakes.empty()) summary = plural(wakes.size(), "wake") + " waiting. ";
  else summary = "Nothing is queued for " + agent->name + "; it waits to be woken by an assignment, a comment" + (timer ? ", its timer or by hand." : " or by hand.");
  if (!stopped && !queue.empty()) summary += "The oldest: " + queue.front().waits_for.message;
  // The newest wake that led to nothing, if nothing was accepted since.
  const auto refusal = reader.one<Refusal>(
      "select id, reason, error, requested_at from agent_wakeup_requests where company_id = :1 and agent_id = :2 and status = 'skipped' order by requested_at desc, id desc limit 1",
      agent->company_id, id);
  JsonObjectWriter(out)
      .field("agentId", agent->id)
      .field("name", agent->name)
      .field("status", agent->status)
      .field("state", state)
      .field("summary", summary)
      .field("waitsFor", waits)
      .field("runs", runs)
      .field("queue", queue)
      .field("queueLength", wakes.size())
      .field("nextRetry", next_retry(wakes))
      .field("nextTimer", stopped ? std::nullopt : timer)
      .field("pause", first_with(waits, {"agent_paused", "company_paused"}))
      .field("budget", explain_budget(reader, agent->company_id, id, std::nullopt))
      .field("lastRefusal", refusal)
      .end();
  return true;
}

}  // namespace paperclip::domain
