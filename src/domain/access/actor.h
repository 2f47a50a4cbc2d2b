#pragma once

#include <boost/describe/enum.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/id.h"

/// Who calls (spec/platform.md 3.1).
namespace paperclip::domain {

enum class ActorKind { none, board, agent };
BOOST_DESCRIBE_ENUM(ActorKind, none, board, agent)

enum class ActorSource { none, local_implicit, session, board_key, agent_key, agent_jwt };
BOOST_DESCRIBE_ENUM(ActorSource, none, local_implicit, session, board_key, agent_key, agent_jwt)

/// A human's place in a company, as far as access checks need it.
struct ActorMembership {
  CompanyId company_id;
  std::string role;
  bool active = false;
};

/// The plugin that acts through the API, and for whom it says it does (spec/plugins.md 9.2).
struct PluginAuthor {
  std::string id, key;
  std::optional<AgentId> agent_id;
  std::optional<std::string> user_id;
};

struct Actor {
  ActorKind kind = ActorKind::none;
  ActorSource source = ActorSource::none;
  // board
  std::string user_id, user_name;
  std::optional<std::string> user_email;
  bool is_instance_admin = false;
  std::vector<ActorMembership> memberships;  // active ones
  // agent
  std::optional<AgentId> agent_id;
  std::optional<CompanyId> company_id;
  // either
  std::optional<AnyId> key_id;
  std::optional<RunId> run_id;  // names an existing run, or is empty
  std::optional<PluginAuthor> plugin;  // a board actor whose deeds are the plugin's

  bool is_board() const { return kind == ActorKind::board; }
  bool is_agent() const { return kind == ActorKind::agent; }
  bool is_local_implicit() const { return source == ActorSource::local_implicit; }
};

/// The author of a row: what `activity_log`, comments and wakeups store.
struct Author {
  std::string type;  // agent | user | system | plugin
  std::string id;
  std::optional<AgentId> agent_id;
  std::optional<RunId> run_id;
  std::optional<PluginAuthor> plugin = std::nullopt;

  static Author of(const Actor& actor) {
    if (actor.plugin) return {"plugin", actor.plugin->id, actor.plugin->agent_id, actor.run_id, actor.plugin};
    if (actor.is_agent()) return {"agent", actor.agent_id->str(), actor.agent_id, actor.run_id, std::nullopt};
    return {"user", actor.user_id.empty() ? "board" : actor.user_id, std::nullopt, actor.run_id, std::nullopt};
  }
  static Author system(std::string id) { return {"system", std::move(id), std::nullopt, std::nullopt, std::nullopt}; }
  /// The user id to store as creator; nothing for agents and the system.
  std::optional<std::string> user_id() const { return type == "user" ? std::optional(id) : std::nullopt; }
};

/// The implicit board of `local_trusted` (spec/platform.md 3.2).
Actor local_board();

}  // namespace paperclip::domain
