#include "domain/schema/parts.h"

/// Why wakes wait, and what limits on runs look at (OURS; domain/waiting, domain/budgets).
namespace paperclip::domain::schema {

const std::string_view waiting = R"sql(
create table wakeup_waits (
  wakeup_id {id} primary key references agent_wakeup_requests (id) on delete cascade,
  company_id {id} not null references companies (id),
  agent_id {id} not null references agents (id),
  code {text} not null,
  message {text} not null,
  since {timestamp} not null
){strict};
create index wakeup_waits_agent_idx on wakeup_waits (agent_id);
create index wakeup_waits_company_idx on wakeup_waits (company_id);

-- Limits on the number and the time of runs look at those of a window.
create index heartbeat_runs_company_started_idx on heartbeat_runs (company_id, started_at) where started_at is not null;
create index heartbeat_runs_agent_started_idx on heartbeat_runs (agent_id, started_at) where started_at is not null;
)sql";

}  // namespace paperclip::domain::schema
