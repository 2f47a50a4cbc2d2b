#pragma once

#include <boost/describe/enum.hpp>

/// Words that several aggregates share.
namespace paperclip::domain {

/// Who did something, as rows record it.
enum class ActorType { agent, user, system, plugin };
BOOST_DESCRIBE_ENUM(ActorType, agent, user, system, plugin)

/// Why a company, agent or project stands still.
enum class PauseReason { manual, budget, system };
BOOST_DESCRIBE_ENUM(PauseReason, manual, budget, system)

/// Who can be a member and hold grants.
enum class PrincipalType { user, agent };
BOOST_DESCRIBE_ENUM(PrincipalType, user, agent)

}  // namespace paperclip::domain
