#pragma once

#include <string_view>
#include <vector>

#include "domain/waiting/wait.h"
#include "store/reader.h"

namespace paperclip::domain {

/// What keeps everything that is queued for the agent, the first first; empty if a queued run could start.
std::vector<Wait> agent_waits(store::Reader& reader, CompanyId company, AgentId agent, const MachineSlots& machine);

/// Who did this last to the entity, by the audit trail.
std::optional<WaitAuthor> last_author(store::Reader& reader, CompanyId company, std::string_view action, std::string_view entity_id);
/// The author with the name people know.
WaitAuthor named_author(store::Reader& reader, std::string type, std::string id);

}  // namespace paperclip::domain
