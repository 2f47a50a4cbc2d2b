#pragma once

#include <boost/describe/class.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "base/id.h"
#include "base/json.h"
#include "base/time.h"
#include "domain/runs/heartbeat_run.h"
#include "domain/schema/table_of.h"

/// What an agent remembers between runs (spec/execution.md 1.4, 1.5).
namespace paperclip::domain {

/// The last session and the totals of an agent.
struct AgentRuntimeState {
  AgentId agent_id;
  CompanyId company_id;
  std::string adapter_type;
  std::optional<std::string> session_id;
  RawJson state_json{std::string("{}")};
  std::optional<RunId> last_run_id;
  std::optional<RunStatus> last_run_status;
  std::int64_t total_input_tokens = 0;
  std::int64_t total_output_tokens = 0;
  std::int64_t total_cached_input_tokens = 0;
  std::int64_t total_cost_cents = 0;
  std::optional<std::string> last_error;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(AgentRuntimeState, (),
                      (agent_id, company_id, adapter_type, session_id, state_json, last_run_id, last_run_status,
                       total_input_tokens, total_output_tokens, total_cached_input_tokens, total_cost_cents, last_error,
                       created_at, updated_at))
template <>
inline constexpr std::string_view table_of<AgentRuntimeState> = "agent_runtime_state";

/// The adapter's session for one task of an agent.
struct AgentTaskSession {
  TaskSessionId id;
  CompanyId company_id;
  AgentId agent_id;
  std::string adapter_type;
  std::string task_key;
  std::optional<RawJson> session_params_json;
  std::optional<std::string> session_display_id;
  std::optional<RunId> last_run_id;
  std::optional<std::string> last_error;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(AgentTaskSession, (),
                      (id, company_id, agent_id, adapter_type, task_key, session_params_json, session_display_id,
                       last_run_id, last_error, created_at, updated_at))
template <>
inline constexpr std::string_view table_of<AgentTaskSession> = "agent_task_sessions";

}  // namespace paperclip::domain
