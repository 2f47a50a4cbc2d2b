#pragma once

#include <string>

#include "domain/waiting/wait.h"
#include "store/reader.h"

/// "Why is it not running?" in one answer (OURS).
namespace paperclip::domain {

/// The agent as `GET /api/agents/{id}/why` tells it:
/// `{agentId, name, status, state, summary, waitsFor[], runs[], queue[], queueLength, nextRetry, nextTimer, pause, budget,
/// lastRefusal}`; `state` is `running`, `waiting`, `stopped` or `idle`. At most 50 of the queue are shown, oldest first.
/// False if there is no such agent.
bool append_agent_why(std::string& out, store::Reader& reader, AgentId agent, const MachineSlots& machine);

/// The issue as `GET /api/issues/{id}/why` tells it:
/// `{issueId, identifier, title, status, state, summary, assignee, holder, waitsFor[], runs[], queue[], queueLength,
/// nextRetry, nextCheckAt, pause, budget, lastRun}`; `state` is `running`, `waiting`, `closed` or `idle`.
bool append_issue_why(std::string& out, store::Reader& reader, IssueId issue, const MachineSlots& machine);

}  // namespace paperclip::domain
