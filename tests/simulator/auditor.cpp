#include "auditor.h"

#include "base/text.h"
#include "domain/wakeups/heartbeat_policy.h"
#include "heartbeat/run_log.h"

namespace paperclip::simulator {

using domain::RunStatus;

namespace {

struct RunRow {
  RunId id;
  AgentId agent_id;
  RunStatus status;
  std::optional<IssueId> context_issue_id;
};
BOOST_DESCRIBE_STRUCT(RunRow, (), (id, agent_id, status, context_issue_id))

struct AgentRow {
  AgentId id;
  std::string status;
  RawJson runtime_config;
};
BOOST_DESCRIBE_STRUCT(AgentRow, (), (id, status, runtime_config))

/// What the log holds of a stream, the server's own words left out.
std::string logged(const std::string& log, std::string_view stream) {
  std::string out;
  for (const auto& line : split(log, '\n')) {
    if (line.empty()) continue;
    const auto parsed = parse_json(line);
    if (!parsed.ok()) return "broken line: " + std::string(line);
    if (text_at(*parsed, "stream") != stream) continue;
    const auto* chunk = member(*parsed, "chunk");
    if (chunk == nullptr || std::string_view(chunk->get_string()).starts_with("[paperclip] ")) continue;
    out += std::string_view(chunk->get_string());
  }
  return out;
}

}  // namespace

std::optional<std::string> Auditor::first(store::Reader& reader, std::string_view complaint, std::string_view sql) {
  const auto found = reader.value<std::string>(sql);
  if (!found) return std::nullopt;
  return std::string(complaint) + ": " + *found;
}

std::optional<std::string> Auditor::after_commit() {
  return database_.read([&](store::Reader& reader) -> std::optional<std::string> {
    if (auto complaint = first(reader, "two runs work on one issue",
                               "select cast(context_issue_id as text) from heartbeat_runs where status = 'running' and context_issue_id is not null "
                               "group by context_issue_id having count(*) > 1"))
      return complaint;
    if (auto complaint = first(reader, "an agent that is stopped has a running run",
                               "select cast(r.id as text) from heartbeat_runs r join agents a on a.id = r.agent_id where r.status = 'running' "
                               "and a.status in ('paused', 'terminated', 'pending_approval') and coalesce(a.pause_reason, '') <> 'budget'"))
      return complaint;
    if (auto complaint = past_a_hard_stop(reader)) return complaint;
    if (auto complaint = first(reader, "a run that is over holds a lease",
                               "select cast(r.id as text) from environment_leases l join heartbeat_runs r on r.id = l.heartbeat_run_id "
                               "where l.status = 'active' and r.status not in ('running', 'cancelled')"))
      return complaint;
    if (auto complaint = first(reader, "a run that is over holds its issue",
                               "select cast(i.id as text) || ' by ' || cast(r.id as text) || ' ' || r.status from issues i join heartbeat_runs r on r.id = i.execution_run_id "
                               "where r.status in ('succeeded', 'failed', 'timed_out') or (r.status = 'cancelled' and not exists "
                               "(select 1 from environment_leases l where l.heartbeat_run_id = r.id and l.status = 'active'))"))
      return complaint;
    if (auto complaint = first(reader, "an accepted wake has no run",
                               "select cast(w.id as text) || ' ' || w.status from agent_wakeup_requests w left join heartbeat_runs r on r.id = w.run_id "
                               "where (w.status = 'queued' and (r.id is null or r.status not in ('queued', 'scheduled_retry'))) "
                               "or (w.status = 'claimed' and (r.id is null or r.status <> 'running'))"))
      return complaint;
    if (auto complaint = first(reader, "a parked wake waits for nobody",
                               "select cast(w.id as text) from agent_wakeup_requests w where w.status = 'deferred_issue_execution' and not exists "
                               "(select 1 from heartbeat_runs r where (cast(r.context_issue_id as text) = w.payload ->> 'issueId' or r.id = (select i.execution_run_id from issues i where cast(i.id as text) = w.payload ->> 'issueId')) and "
                               "(r.status in ('queued', 'scheduled_retry', 'running') or exists (select 1 from environment_leases l where l.heartbeat_run_id = r.id and l.status = 'active')))"))
      return complaint;

    std::map<AgentId, int> running;
    int all = 0;
    for (const auto& run : reader.all<RunRow>("select {} from heartbeat_runs where status not in ('queued', 'scheduled_retry')")) {
      if (run.status == RunStatus::running) {
        ++running[run.agent_id];
        ++all;
      }
      const auto known = ended_.find(run.id);
      if (known != ended_.end() && known->second != run.status)
        return "run " + run.id.str() + " was " + std::string(to_text(known->second)) + " and is " + std::string(to_text(run.status));
      if (!domain::is_live(run.status)) ended_.emplace(run.id, run.status);
    }
    if (all > max_live_runs_) return "more runs than the machine takes: " + std::to_string(all);
    for (const auto& agent : reader.all<AgentRow>("select {} from agents")) {
      const int limit = domain::heartbeat_policy(agent.runtime_config.parse()).max_concurrent_runs;
      if (running[agent.id] > limit) return "agent " + agent.id.str() + " has " + std::to_string(running[agent.id]) + " runs, and may have " + std::to_string(limit);
    }

    std::map<IssueId, RunId> at_work;
    for (const auto& [id, process] : machine_.processes()) {
      if (!process->alive) continue;
      const auto issue = reader.value<IssueId>("select context_issue_id from heartbeat_runs where id = :1 and context_issue_id is not null", id);
      if (issue && !at_work.emplace(*issue, id).second)
        return "two processes work on issue " + issue->str() + ": " + id.str() + " and " + at_work.at(*issue).str();
    }
    return std::nullopt;
  });
}

std::optional<std::string> Auditor::while_idle(std::int64_t served_since) {
  constexpr std::int64_t bound_ms = 60'000;
  const std::int64_t now = clock_.steady_ms();
  return database_.read([&](store::Reader& reader) -> std::optional<std::string> {
    int all = 0;
    std::map<AgentId, int> running;
    std::set<RunId> claimable;
    const auto runs = reader.all<RunRow>("select {} from heartbeat_runs r where status in ('queued', 'running') or exists (select 1 from environment_leases l "
                                         "where l.heartbeat_run_id = r.id and l.status = 'active')");
    std::set<IssueId> taken;
    for (const auto& run : runs) {
      if (run.status != RunStatus::queued) ++all;
      if (run.status == RunStatus::running) ++running[run.agent_id];
      if (run.status != RunStatus::queued && run.context_issue_id) taken.insert(*run.context_issue_id);
    }
    if (all < max_live_runs_)
      for (const auto& agent : reader.all<AgentRow>("select {} from agents where status in ('active', 'idle', 'running', 'error')")) {
        if (running[agent.id] >= domain::heartbeat_policy(agent.runtime_config.parse()).max_concurrent_runs) continue;
        for (const auto& run : runs)
          if (run.status == RunStatus::queued && run.agent_id == agent.id && !(run.context_issue_id && taken.contains(*run.context_issue_id))) claimable.insert(run.id);
      }
    std::erase_if(claimable_since_, [&](const auto& item) { return !claimable.contains(item.first); });
    for (const auto& id : claimable) {
      const auto since = claimable_since_.emplace(id, now).first->second;
      if (now - std::max(since, served_since) > bound_ms) return "run " + id.str() + " could start for " + std::to_string((now - since) / 1000) + " s and does not";
    }
    for (const auto& [id, process] : machine_.processes()) {
      if (!process->alive || !process->killed_at) continue;
      if (now > *process->killed_at + bound_ms) return "process of " + id.str() + " outlives its cancel";
    }
    for (const auto& id : reader.column<RunId>("select id from heartbeat_runs where status = 'cancelled'"))
      if (const auto found = machine_.processes().find(id); found != machine_.processes().end() && found->second->alive && !found->second->term_sent)
        if (now - std::max(found->second->started_at, served_since) > 10 * bound_ms) return "the process of the cancelled run " + id.str() + " goes on";
    return std::nullopt;
  });
}

std::string Auditor::rows() {
  return database_.read([&](store::Reader& reader) {
    std::string out;
    for (const char* sql :
         {"select 'run ' || r.id || ' ' || r.status || ' issue ' || coalesce(r.context_issue_id, '-') || ' agent ' || r.agent_id || ' ' || "
          "coalesce(r.context_snapshot ->> 'wakeReason', '-') || ' ' || coalesce(r.error_code, '') || ' ' || r.created_at from heartbeat_runs r order by r.created_at, r.id",
          "select 'wake ' || id || ' ' || status || ' run ' || coalesce(run_id, '-') || ' agent ' || agent_id || ' ' || coalesce(reason, '-') || ' issue ' || "
          "coalesce(payload ->> 'issueId', '-') || ' ' || requested_at from agent_wakeup_requests order by requested_at, id",
          "select 'issue ' || id || ' ' || status || ' assignee ' || coalesce(assignee_agent_id, '-') || ' execution ' || coalesce(execution_run_id, '-') || ' checkout ' || "
          "coalesce(checkout_run_id, '-') from issues order by created_at, id",
          "select 'lease ' || id || ' ' || status || ' run ' || heartbeat_run_id from environment_leases where status = 'active'",
          "select 'agent ' || id || ' ' || status || ' ' || runtime_config from agents order by id"})
      for (const auto& line : reader.column<std::string>(sql)) out += line + "\n";
    return out;
  });
}

std::optional<std::string> Auditor::at_rest(const std::filesystem::path& logs) {
  auto complaint = database_.read([&](store::Reader& reader) -> std::optional<std::string> {
    if (auto left = first(reader, "a lease is left", "select cast(id as text) from environment_leases where status = 'active'")) return left;
    if (auto left = first(reader, "a run is left", "select cast(id as text) || ' ' || status from heartbeat_runs where status in ('queued', 'running', 'scheduled_retry')")) return left;
    if (auto left = first(reader, "a wake is unanswered", "select cast(id as text) || ' ' || status from agent_wakeup_requests where status in ('queued', 'claimed', 'deferred_issue_execution')"))
      return left;
    if (auto left = first(reader, "a lock is left", "select cast(id as text) from issues where execution_run_id is not null")) return left;
    if (auto left = first(reader, "an agent is still said to run", "select cast(id as text) from agents where status = 'running'")) return left;
    return std::nullopt;
  });
  if (complaint) return complaint;
  if (!machine_.processes().empty()) return "a process or its directory is left: " + machine_.processes().begin()->first.str();
  for (const auto& [id, process] : machine_.past()) {
    if (machine_.starts_of(id) > 1) continue;  // its log holds both
    const auto ref = database_.read([&](store::Reader& reader) { return reader.value<std::string>("select log_ref from heartbeat_runs where id = :1 and log_ref is not null", id); });
    if (!ref) continue;
    const auto log = heartbeat::read_run_log(logs, *ref, 0, 1 << 20);
    if (!log) return "run " + id.str() + " has no log: " + log.error().message;
    for (const auto& [stream, name] : {std::pair(environments::OutputStream::stdout_, "stdout"), std::pair(environments::OutputStream::stderr_, "stderr")}) {
      std::string said;
      for (const auto& chunk : process->output)
        if (chunk.stream == stream) said += chunk.bytes;
      if (logged(log->content, name) != said) return "the log of " + id.str() + " has \"" + logged(log->content, name) + "\" on " + name + ", the agent said \"" + said + "\"";
    }
  }
  return std::nullopt;
}

}  // namespace paperclip::simulator
