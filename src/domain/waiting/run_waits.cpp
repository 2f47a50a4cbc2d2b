#include "domain/waiting/run_waits.h"

#include <algorithm>

#include "domain/environments/held_directory.h"

namespace paperclip::domain {

namespace {

struct Holder {
  RunId id;
  AgentId agent_id;
  std::string name, status;
  std::optional<Timestamp> started_at;
};
BOOST_DESCRIBE_STRUCT(Holder, (), (id, agent_id, name, status, started_at))

constexpr std::string_view holder_columns = "select r.id, r.agent_id, a.name, r.status, r.started_at from heartbeat_runs r join agents a on a.id = r.agent_id ";

// A cancelled run whose process is not gone yet still has the issue.
std::optional<Holder> leaving(store::Reader& reader, IssueId issue) {
  return reader.one<Holder>(std::string(holder_columns) + "join environment_leases l on l.heartbeat_run_id = r.id "
                            "where l.issue_id = :1 and l.status = 'active' and r.status = 'cancelled' order by r.created_at, r.id limit 1",
                            issue);
}

std::optional<Holder> executing(store::Reader& reader, CompanyId company, IssueId issue) {
  return reader.one<Holder>(std::string(holder_columns) + "where r.context_issue_id = :1 and r.company_id = :2 and r.status in ('queued', 'running', 'scheduled_retry') "
                            "order by case when r.status = 'running' then 0 else 1 end, r.created_at, r.id limit 1",
                            issue, company);
}

Wait retry_wait(const WaitingWake& wake) {
  Wait wait;
  wait.code = "retry_scheduled";
  wait.message = "Attempt " + std::to_string(wake.scheduled_retry_attempt) + " waits for its time (" + wake.scheduled_retry_reason.value_or("retry") + ").";
  wait.since = wake.requested_at;
  wait.until = wake.scheduled_retry_at;
  wait.ended_by = "the time of the retry";
  wait.run_id = wake.run_id;
  return wait;
}

Wait parked_wait(store::Reader& reader, CompanyId company, const WaitingWake& wake) {
  Wait wait;
  wait.since = wake.requested_at;
  wait.issue_id = wake.issue();
  const auto holder = wait.issue_id ? executing(reader, company, *wait.issue_id) : std::nullopt;
  if (!holder) {
    wait.code = "issue_free";
    wait.message = "It was parked behind another run of its issue; none is left.";
    wait.ended_by = "the next turn of the scheduler";
    return wait;
  }
  wait.code = "issue_executing";
  wait.message = "A run of " + holder->name + " has the issue (" + holder->status + ").";
  wait.ended_by = "the end of that run";
  wait.run_id = holder->id;
  wait.agent_id = holder->agent_id;
  if (holder->started_at) wait.since = std::max(wake.requested_at, *holder->started_at);
  return wait;
}

// Another run works in the directory that is its workspace. Of another company nothing is told but that.
std::optional<Wait> directory_wait(store::Reader& reader, CompanyId company, const WaitingWake& wake) {
  const auto directory = in_place_directory_of_queued(reader, company, wake.agent_id, wake.issue());
  const auto run = directory ? holder_of(reader, *directory) : std::nullopt;
  if (!run || run == wake.run_id) return std::nullopt;
  Wait wait;
  wait.code = "directory_in_use";
  wait.since = wake.queued_at;
  wait.ended_by = "the end of that run";
  const auto holder = reader.one<Holder>(std::string(holder_columns) + "where r.id = :1 and r.company_id = :2", *run, company);
  wait.message = (holder ? "A run of " + holder->name : std::string("A run of another company")) + " works in " + *directory + ", which is its workspace: one run at a time.";
  if (holder) {
    wait.run_id = holder->id;
    wait.agent_id = holder->agent_id;
    if (holder->started_at) wait.since = std::max(wake.queued_at, *holder->started_at);
  }
  return wait;
}

}  // namespace

std::optional<IssueId> WaitingWake::issue() const {
  if (context_issue_id) return context_issue_id;
  if (!payload) return std::nullopt;
  const auto text = text_at(payload->parse(), "issueId");
  return text ? IssueId::parse(*text) : std::nullopt;
}

const std::string_view waiting_wakes =
    "select w.id, w.agent_id, w.source, w.reason, w.status, w.payload, w.requested_by_actor_type, w.requested_by_actor_id, w.requested_at, w.run_id, "
    "r.status, r.context_issue_id, r.scheduled_retry_at, coalesce(r.scheduled_retry_attempt, 0), r.scheduled_retry_reason, "
    "coalesce(r.created_at, w.requested_at) from agent_wakeup_requests w left join heartbeat_runs r on r.id = w.run_id "
    "where w.status in ('queued', 'deferred_issue_execution')";

Wait wake_wait(store::Reader& reader, CompanyId company, const WaitingWake& wake, const std::optional<Wait>& agent_wait) {
  if (wake.status == "deferred_issue_execution") return parked_wait(reader, company, wake);
  if (wake.run_status == "scheduled_retry") return retry_wait(wake);
  if (agent_wait) {
    Wait wait = *agent_wait;
    // It did not wait for that before it was there.
    wait.since = wait.since ? std::max(*wait.since, wake.queued_at) : wake.queued_at;
    return wait;
  }
  if (const auto issue = wake.issue())
    if (const auto holder = leaving(reader, *issue)) {
      Wait wait;
      wait.code = "issue_being_left";
      wait.message = "A cancelled run of " + holder->name + " still has a process on the issue.";
      wait.since = wake.queued_at;
      wait.ended_by = "the end of that process";
      wait.run_id = holder->id;
      wait.agent_id = holder->agent_id;
      return wait;
    }
  if (auto wait = directory_wait(reader, company, wake)) return *std::move(wait);
  return {"starting", "Nothing keeps it: it is about to start.", wake.queued_at, "the engine's next look at the queue", {}, {}, {}, {}, {}, {}};
}

}  // namespace paperclip::domain
