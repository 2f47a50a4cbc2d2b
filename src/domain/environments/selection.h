#pragma once

#include <optional>
#include <string_view>

#include "base/result.h"
#include "domain/environments/environment.h"
#include "store/transaction.h"

/// Which environment work happens in, and who may choose which (spec/environments.md 7).
namespace paperclip::domain {

/// Adapters that can work in a remote place as far as the contract goes; whether ours can yet is asked again at the run.
bool is_remote_adapter(std::string_view adapter_type);
/// All adapter types of the contract, in the order in which capabilities list them.
inline constexpr std::string_view adapters_in_contract[] = {"process",      "http",           "acpx_local", "claude_local", "codex_local",
                                                            "gemini_local", "opencode_local", "pi_local",   "cursor",       "openclaw_gateway"};

/// 422 unless the environment is the company's, active, of a driver that may be chosen here (`local`, and with `remote`
/// also `ssh` and `sandbox`) and not the built-in fake provider's.
Result<> check_environment_choice(store::Reader& reader, CompanyId company, EnvironmentId environment, bool remote);

/// The agent's default, as a change of an agent checks it: not whether it is archived, and in words of its own.
Result<> check_agent_environment(store::Reader& reader, CompanyId company, EnvironmentId environment, bool remote);

/// The same for an issue's settings (null for none), and that the assignee's adapter can work there.
Result<> check_issue_environment(store::Reader& reader, CompanyId company, const std::optional<RawJson>& settings,
                                 const std::optional<AgentId>& assignee);
/// The same for a project's policy, which knows no agent yet.
Result<> check_project_environment(store::Reader& reader, CompanyId company, const json::value& policy);

/// Who says where a run executes; the first that has something to say wins.
struct SelectionInputs {
  CompanyId company_id;
  std::optional<IssueId> issue_id;
  std::optional<EnvironmentId> agent_default;
};
/// The environment the issue's execution workspace names, else the issue, else its project, else the agent; nothing
/// means the company's own machine. A workspace whose config names none means that, too. May name one that is gone:
/// the run says so.
std::optional<EnvironmentId> select_environment(store::Reader& reader, const SelectionInputs& inputs);

}  // namespace paperclip::domain
