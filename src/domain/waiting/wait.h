#pragma once

#include <boost/describe/class.hpp>
#include <optional>
#include <string>

#include "base/id.h"
#include "base/time.h"
#include "domain/schema/table_of.h"

/// Reasons to wait (OURS).
namespace paperclip::domain {

/// Who did something: as activity names them, with the name people know.
struct WaitAuthor {
  std::string type;  // user | agent | system | plugin
  std::string id;
  std::optional<std::string> name;
};
BOOST_DESCRIBE_STRUCT(WaitAuthor, (), (type, id, name))

/// One reason why work does not go on now. Codes: `agent_paused`, `agent_terminated`, `agent_pending_approval`,
/// `company_paused`, `budget_exhausted`, `agent_limit`, `machine_full`, `issue_being_left`, `directory_in_use`, `retry_scheduled`,
/// `issue_executing`, `issue_free`, `starting`; for issues also `backlog`, `closed`, `unassigned`, `assigned_to_user`,
/// `tree_hold`, `project_paused`, `blocked_by_issue`, `marked_blocked`, `review`, `interaction_pending`,
/// `approval_pending`, `monitor_scheduled`, `nothing_queued`.
struct Wait {
  std::string code;
  std::string message;
  std::optional<Timestamp> since;
  std::string ended_by;             // what has to happen, in words
  std::optional<Timestamp> until;   // ends by itself then
  std::optional<WaitAuthor> by;     // who made it wait
  std::optional<RunId> run_id;      // the run that is in the way, or that waits for its time
  std::optional<AgentId> agent_id;
  std::optional<IssueId> issue_id;  // the issue that has to be done first
  std::optional<std::string> entity_id;  // hold, approval, interaction, scope of a budget
};
BOOST_DESCRIBE_STRUCT(Wait, (), (code, message, since, ended_by, until, by, run_id, agent_id, issue_id, entity_id))

/// Why a wake that was accepted has no running run yet: written by the tick, gone when the wake goes on.
struct WakeupWait {
  WakeupId wakeup_id;
  CompanyId company_id;
  AgentId agent_id;
  std::string code;
  std::string message;
  Timestamp since;  // this reason, not the wait as a whole
};
BOOST_DESCRIBE_STRUCT(WakeupWait, (), (wakeup_id, company_id, agent_id, code, message, since))
template <>
inline constexpr std::string_view table_of<WakeupWait> = "wakeup_waits";

/// What this machine takes; known to the engine only.
struct MachineSlots {
  std::size_t live = 0;
  std::size_t limit = 0;  // 0: unknown
  bool full() const { return limit > 0 && live >= limit; }
};

}  // namespace paperclip::domain
