#pragma once

#include <optional>

#include "base/time.h"
#include "domain/access/actor.h"

namespace paperclip::store {
class Reader;
}

namespace paperclip::domain {

/// The agent as its run acts: by the run's token, or through the callback bridge. nullopt for an agent that may not act
/// (any more), of another company, or whose run ended more than a minute ago (OURS). `run_id` is set if the run exists.
std::optional<Actor> run_actor(store::Reader& reader, AgentId agent, CompanyId company, RunId run, Timestamp now);

}  // namespace paperclip::domain
