#include "domain/waiting/note_waits.h"

#include <chrono>
#include <map>
#include <set>

#include "domain/waiting/agent_waits.h"
#include "domain/waiting/run_waits.h"

namespace paperclip::domain {

namespace {

constexpr std::chrono::seconds grace{60};
/// Of one agent, in one turn: oldest first, so the rest has its turn soon.
constexpr int most_noted = 2000;

std::optional<Wait> first_wait(store::Reader& reader, CompanyId company, AgentId agent, const MachineSlots& machine) {
  auto waits = agent_waits(reader, company, agent, machine);
  if (waits.empty()) return std::nullopt;
  return std::move(waits.front());
}

std::vector<WaitingWake> waiting_of(store::Reader& reader, CompanyId company, AgentId agent) {
  return reader.all<WaitingWake>(std::string(waiting_wakes) + " and w.company_id = :1 and w.agent_id = :2 order by w.requested_at, w.id limit :3", company, agent, most_noted);
}

std::map<WakeupId, std::string> noted_codes(store::Reader& reader, AgentId agent) {
  std::map<WakeupId, std::string> codes;
  using Noted = std::pair<WakeupId, std::string>;
  reader.each<Noted>("select wakeup_id, code from wakeup_waits where agent_id = :1", [&](const Noted& row) { codes.insert(row); }, agent);
  return codes;
}

template <class Visit>
void each_unnoted(store::Reader& reader, CompanyId company, AgentId agent, const MachineSlots& machine, Visit visit) {
  const auto agent_wait = first_wait(reader, company, agent, machine);
  const auto noted = noted_codes(reader, agent);
  for (const auto& wake : waiting_of(reader, company, agent)) {
    const Wait wait = wake_wait(reader, company, wake, agent_wait);
    const auto before = noted.find(wake.id);
    if (before != noted.end() && before->second == wait.code) continue;
    if (!visit(wake, wait, before != noted.end())) return;
  }
}

bool is_left_alone(store::Reader& reader, CompanyId company, IssueId issue) {
  return !reader.exists("select 1 from heartbeat_runs where context_issue_id = :1 and company_id = :2 and status in ('queued', 'running', 'scheduled_retry')", issue, company) &&
         !reader.exists("select 1 from environment_leases l join heartbeat_runs r on r.id = l.heartbeat_run_id "
                        "where l.issue_id = :1 and l.status = 'active' and r.status = 'cancelled'", issue);
}

}  // namespace

WaitsToNote find_waits_to_note(store::Reader& reader, const MachineSlots& machine) {
  WaitsToNote found;
  using Owner = std::pair<CompanyId, AgentId>;
  for (const auto& [company, agent] : reader.all<Owner>(
           "select company_id, agent_id from heartbeat_runs where status in ('queued', 'scheduled_retry') "
           "union select company_id, agent_id from agent_wakeup_requests where status = 'deferred_issue_execution'")) {
    bool unnoted = false;
    each_unnoted(reader, company, agent, machine, [&](const WaitingWake&, const Wait&, bool) {
      unnoted = true;
      return false;
    });
    if (unnoted) found.agents.emplace_back(company, agent);
  }
  std::set<IssueId> seen;
  using ParkedWake = std::pair<CompanyId, RawJson>;
  for (const auto& [company, payload] : reader.all<ParkedWake>(
           "select company_id, payload from agent_wakeup_requests where status = 'deferred_issue_execution' and requested_at <= :1 order by requested_at, id",
           reader.now() - grace)) {
    const auto text = text_at(payload.parse(), "issueId");
    const auto issue = text ? IssueId::parse(*text) : std::nullopt;
    if (issue && seen.insert(*issue).second && is_left_alone(reader, company, *issue)) found.orphaned.emplace_back(company, *issue);
  }
  found.stale = reader.exists("select 1 from wakeup_waits x join agent_wakeup_requests w on w.id = x.wakeup_id "
                              "where w.status not in ('queued', 'deferred_issue_execution')");
  return found;
}

void note_waits(store::Transaction& tx, CompanyId company, AgentId agent, const MachineSlots& machine) {
  each_unnoted(tx, company, agent, machine, [&](const WaitingWake& wake, const Wait& wait, bool noted) {
    if (noted)
      tx.execute("update wakeup_waits set code = :1, message = :2, since = :3 where wakeup_id = :4", wait.code, wait.message, tx.now(), wake.id);
    else
      tx.insert(table_of<WakeupWait>, WakeupWait{wake.id, company, agent, wait.code, wait.message, wait.since.value_or(tx.now())});
    return true;
  });
}

void forget_stale_waits(store::Transaction& tx) {
  tx.execute("delete from wakeup_waits where wakeup_id in (select w.id from agent_wakeup_requests w join wakeup_waits x on x.wakeup_id = w.id "
             "where w.status not in ('queued', 'deferred_issue_execution'))");
}

}  // namespace paperclip::domain
