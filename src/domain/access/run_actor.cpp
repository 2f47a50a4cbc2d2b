#include "domain/access/run_actor.h"

#include <boost/describe/class.hpp>

#include "store/database.h"

namespace paperclip::domain {

namespace {

using namespace std::chrono_literals;

struct AgentRow {
  CompanyId company_id;
  std::string status;
};
BOOST_DESCRIBE_STRUCT(AgentRow, (), (company_id, status))

struct RunRow {
  std::string status;
  std::optional<Timestamp> finished_at;
};
BOOST_DESCRIBE_STRUCT(RunRow, (), (status, finished_at))

// OURS: what a run may do ends this long after it (the reference lets its token live to its expiry).
constexpr auto grace_after_run = 60s;

}  // namespace

std::optional<Actor> run_actor(store::Reader& reader, AgentId agent, CompanyId company, RunId run, Timestamp now) {
  const auto row = reader.one<AgentRow>("select company_id, status from agents where id = :1", agent);
  if (!row || row->company_id != company || row->status == "terminated" || row->status == "pending_approval") return std::nullopt;
  const auto known = reader.one<RunRow>("select status, finished_at from heartbeat_runs where id = :1", run);
  if (known && known->finished_at && *known->finished_at + grace_after_run < now) return std::nullopt;
  Actor actor;
  actor.kind = ActorKind::agent;
  actor.source = ActorSource::agent_jwt;
  actor.agent_id = agent;
  actor.company_id = company;
  if (known) actor.run_id = run;
  return actor;
}

}  // namespace paperclip::domain
