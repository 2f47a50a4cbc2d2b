#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "adapters/run.h"

/// The environment of an agent's process (spec/execution.md 7). It starts empty and is built from an allow-list: a
/// secret of the server (DATABASE_URL, BETTER_AUTH_SECRET, …) has no way in.
namespace paperclip::adapters {

using os::ChildEnvironment;

/// What of the server's environment a child may see: what every program needs (os/child_environment.h), the homes of
/// developers' tools, the given patterns (a model provider's variables for its own tool) and what the operator lists in
/// `PAPERCLIP_AGENT_ENV_PASS`: names or beginnings with `*`, separated by commas. The server's own settings stay out
/// whatever is asked for.
ChildEnvironment base_environment(const HostEnvironment& host, const std::vector<std::string_view>& patterns = {});

/// How much of the run an adapter tells its process.
struct EnvironmentScope {
  /// `context.paperclipWorkspace.cwd` is not where the command runs (the configured cwd won).
  bool hide_workspace_cwd = false;
  bool workspace_details = false;  // _STRATEGY, _BRANCH, _WORKTREE_PATH: claude_local, codex_local
  bool runtime_services = false;   // PAPERCLIP_RUNTIME_*: claude_local, codex_local
};

/// The PAPERCLIP_* variables and AGENT_HOME of a run, without the configured ones. In a remote place paths of this
/// machine are replaced by the place's or left out.
os::Environment run_environment(const RunContext& run, const EnvironmentScope& scope);

/// The few that a `process` agent gets: identity, API address, and (ours) run, task, wake reason and token.
os::Environment process_environment(const RunContext& run);

/// `config.env`: string values only. An empty value takes a variable away, but never the run's token
/// (spec/execution.md 7 rule 4).
os::Environment configured_environment(const json::object& config);

/// Sets each of the variables, in place of earlier values.
void lay_over(ChildEnvironment& environment, const os::Environment& variables);

/// The environment as shown in the `adapter.invoke` event: secrets masked, `HOME` and the resolved command added.
json::object shown_environment(const os::Environment& set_by_adapter, const ChildEnvironment& whole,
                               const std::vector<std::string>& secret_names, std::string_view resolved_command,
                               const std::vector<std::string_view>& also_show = {});

/// The server's address for agents, from its own environment (spec/execution.md 7).
std::string agent_api_url(const HostEnvironment& host);

}  // namespace paperclip::adapters
