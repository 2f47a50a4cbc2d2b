#pragma once

#include <boost/describe/class.hpp>
#include <string>
#include <string_view>

#include "base/id.h"
#include "base/json.h"

namespace paperclip::domain {

/// What wakes and claims look at of an agent.
struct WakeAgent {
  AgentId id;
  CompanyId company_id;
  std::string name;
  std::string status;
  std::string adapter_type;
  RawJson runtime_config;
};
BOOST_DESCRIBE_STRUCT(WakeAgent, (), (id, company_id, name, status, adapter_type, runtime_config))

/// Paused, terminated and not yet approved agents take no work; one in error does (spec/execution.md 2.3).
inline bool is_invokable(std::string_view agent_status) {
  return agent_status != "paused" && agent_status != "terminated" && agent_status != "pending_approval";
}

/// How an issue names the agent that executes it: trimmed, lower case.
std::string agent_name_key(std::string_view name);

}  // namespace paperclip::domain
