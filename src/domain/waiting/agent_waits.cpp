#include "domain/waiting/agent_waits.h"

#include "base/json.h"
#include "domain/budgets/invocation_block.h"
#include "domain/wakeups/heartbeat_policy.h"

namespace paperclip::domain {

namespace {

struct Standing {
  std::string name, status;
  std::optional<std::string> pause_reason;
  std::optional<Timestamp> paused_at;
  RawJson runtime_config;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(Standing, (), (name, status, pause_reason, paused_at, runtime_config, updated_at))

struct Running {
  RunId id;
  std::optional<Timestamp> started_at;
};
BOOST_DESCRIBE_STRUCT(Running, (), (id, started_at))

struct HardStop {
  std::string id;
  Timestamp created_at, window_end;
  std::string metric;
};
BOOST_DESCRIBE_STRUCT(HardStop, (), (id, created_at, window_end, metric))

std::optional<HardStop> hard_stop(store::Reader& reader, CompanyId company, std::string_view scope_type, std::string_view scope_id) {
  return reader.one<HardStop>("select {} from budget_incidents where company_id = :1 and scope_type = :2 and cast(scope_id as text) = :3 "
                              "and threshold_type = 'hard' and status <> 'dismissed' order by created_at desc, id desc limit 1",
                              company, scope_type, scope_id);
}

Wait paused(store::Reader& reader, CompanyId company, AgentId id, const Standing& agent) {
  Wait wait;
  wait.code = "agent_paused";
  wait.since = agent.paused_at;
  wait.agent_id = id;
  if (agent.pause_reason == "budget") {
    wait.message = agent.name + " is paused because a budget or limit of its own was used up.";
    wait.ended_by = "raising the budget or limit, or resolving its incident";
    wait.by = WaitAuthor{"system", "budget_service", std::nullopt};
    if (const auto stop = hard_stop(reader, company, "agent", id.view())) wait.entity_id = stop->id;
  } else {
    wait.message = agent.name + " is paused.";
    wait.ended_by = "resuming the agent";
    wait.by = last_author(reader, company, "agent.paused", id.view());
  }
  return wait;
}

// A scope's budget; a company's or a project's pause too.
Wait blocked(store::Reader& reader, CompanyId company, const InvocationBlock& block) {
  Wait wait;
  const bool by_hand = block.reason.find("budget") == std::string::npos && block.reason.find("limit") == std::string::npos;
  wait.code = by_hand ? "company_paused" : "budget_exhausted";
  wait.message = block.reason;
  wait.entity_id = block.scope_id;
  if (by_hand) {
    wait.since = reader.value<Timestamp>("select coalesce(paused_at, updated_at) from companies where id = :1", company);
    wait.ended_by = "setting the company's status to active";
    wait.by = last_author(reader, company, "company.updated", company.view());
    return wait;
  }
  wait.ended_by = "raising the " + block.scope_type + "'s budget or limit, or resolving its incident";
  if (const auto stop = hard_stop(reader, company, block.scope_type, block.scope_id)) {
    wait.since = stop->created_at;
    if (stop->metric != "billed_cents") wait.until = stop->window_end;
  }
  return wait;
}

}  // namespace

WaitAuthor named_author(store::Reader& reader, std::string type, std::string id) {
  WaitAuthor author{std::move(type), std::move(id), std::nullopt};
  if (author.type == "agent") author.name = reader.value<std::string>("select name from agents where cast(id as text) = :1", author.id);
  if (author.type == "user") author.name = reader.value<std::string>("select name from \"user\" where id = :1", author.id);
  return author;
}

std::optional<WaitAuthor> last_author(store::Reader& reader, CompanyId company, std::string_view action, std::string_view entity_id) {
  const auto row = reader.one<std::pair<std::string, std::string>>(
      "select actor_type, actor_id from activity_log where company_id = :1 and action = :2 and entity_id = :3 order by created_at desc, ordinal desc limit 1",
      company, action, entity_id);
  if (!row) return std::nullopt;
  return named_author(reader, row->first, row->second);
}

std::vector<Wait> agent_waits(store::Reader& reader, CompanyId company, AgentId id, const MachineSlots& machine) {
  std::vector<Wait> waits;
  const auto agent = reader.one<Standing>("select {} from agents where id = :1 and company_id = :2", id, company);
  if (!agent) return waits;
  if (agent->status == "paused") waits.push_back(paused(reader, company, id, *agent));
  if (agent->status == "terminated") {
    Wait wait{"agent_terminated", agent->name + " was terminated.", agent->updated_at, "giving the work to another agent", {}, {}, {}, id, {}, {}};
    wait.by = last_author(reader, company, "agent.terminated", id.view());
    waits.push_back(std::move(wait));
  }
  if (agent->status == "pending_approval")
    waits.push_back({"agent_pending_approval", agent->name + " was hired and waits for the board's approval.", agent->updated_at, "approving the hire", {}, {}, {}, id, {}, {}});
  if (const auto block = find_invocation_block(reader, company, id, std::nullopt); block && !(block->scope_type == "agent" && agent->status == "paused"))
    waits.push_back(blocked(reader, company, *block));
  const auto running = reader.all<Running>("select {} from heartbeat_runs where agent_id = :1 and status = 'running' order by started_at, id", id);
  const auto limit = static_cast<std::size_t>(heartbeat_policy(agent->runtime_config.parse()).max_concurrent_runs);
  if (running.size() >= limit) {
    Wait wait;
    wait.code = "agent_limit";
    wait.message = agent->name + " has " + std::to_string(running.size()) + " of at most " + std::to_string(limit) + (limit == 1 ? " run" : " runs") + " under way.";
    wait.ended_by = "the end of one of its runs";
    wait.since = running.back().started_at;
    wait.run_id = running.front().id;
    wait.agent_id = id;
    waits.push_back(std::move(wait));
  } else if (machine.full()) {
    waits.push_back({"machine_full", "This machine has all of its " + std::to_string(machine.limit) + " places for runs taken.", std::nullopt, "the end of any run here", {}, {}, {}, {}, {}, {}});
  }
  return waits;
}

}  // namespace paperclip::domain
