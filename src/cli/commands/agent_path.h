#pragma once

#include <string>
#include <string_view>

#include "base/id.h"
#include "cli/client.h"
#include "cli/command_line.h"

namespace paperclip::cli {

/// An agent is named by its id, or by its shortname together with its company.
struct AgentReference : ClientOptions {
  std::string agent;
};

inline void declare_agent(OptionSet& command, AgentReference& options) {
  command.add("agent", options.agent, "Agent id, or shortname together with a company").required();
}

inline std::string agent_path(const Client& client, std::string_view pattern, const std::string& agent) {
  QueryText query;
  if (!AgentId::parse(agent) && client.has_company()) query.add("companyId", *client.company());
  return query.after(path(pattern, {agent}));
}

}  // namespace paperclip::cli
