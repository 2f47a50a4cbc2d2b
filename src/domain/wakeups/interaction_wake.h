#pragma once

#include <optional>

#include "base/json.h"
#include "domain/access/actor.h"
#include "store/reader.h"

namespace paperclip::domain {

/// Who asked for a wake, as far as the check below needs it.
struct WakeOrigin {
  std::optional<std::string> actor_type, actor_id;  // the direct requester
  std::optional<AgentId> agent_id;
  std::optional<RunId> run_id;
  std::optional<WakeupId> wakeup_id;
};

/// True if the context is about a comment that exists on the issue and whose author asked for the wake: then the agent
/// may be talked to although its subtree is paused (spec/execution.md 4.4, work-domain.md 10.6).
bool is_verified_interaction(store::Reader& reader, CompanyId company, IssueId issue, const json::object& context,
                             const WakeOrigin& origin);

}  // namespace paperclip::domain
