#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "adapters/run.h"

/// The environment of an agent's process (spec/execution.md 7). It starts empty and is built from an allow-list: a secret
/// of the server (DATABASE_URL, BETTER_AUTH_SECRET, …) has no way in.
namespace paperclip::adapters {

/// What of the server's environment a child may see: the things every program needs (PATH, HOME, locale, proxies,
/// certificates, tool homes), `PAPERCLIP_LISTEN_*` and `PAPERCLIP_RUNTIME_API_URL`, the given name prefixes (a model
/// provider's variables for its own tool) and the names the operator lists in `PAPERCLIP_AGENT_ENV_PASS`, separated by
/// commas. A default PATH is supplied.
ChildEnvironment base_environment(const HostEnvironment& host, const std::vector<std::string_view>& prefixes = {});

/// How much of the run an adapter tells its process.
struct EnvironmentScope {
  /// `context.paperclipWorkspace.cwd` is not where the command runs (the configured cwd won).
  bool hide_workspace_cwd = false;
  bool workspace_details = false;  // _STRATEGY, _BRANCH, _WORKTREE_PATH: claude_local, codex_local
  bool runtime_services = false;   // PAPERCLIP_RUNTIME_*: claude_local, codex_local
};

/// The PAPERCLIP_* variables and AGENT_HOME of a run, without the configured ones. In a remote place paths of this
/// machine are replaced by the place's or left out.
ChildEnvironment run_environment(const RunContext& run, const EnvironmentScope& scope);

/// The few that a `process` agent gets: identity, API address, and (ours) run, task, wake reason and token.
ChildEnvironment process_environment(const RunContext& run);

/// Lays `config.env` (string values only) over the environment. The run's token gives way to a configured key; the
/// variables that would make a Claude CLI think it runs inside another are removed.
void apply_configured_environment(ChildEnvironment& environment, const RunContext& run);

/// The environment as shown in the `adapter.invoke` event: secrets masked, `HOME` and the resolved command added.
json::object shown_environment(const ChildEnvironment& set_by_adapter, const ChildEnvironment& whole,
                               const std::vector<std::string>& secret_names, std::string_view resolved_command,
                               const std::vector<std::string_view>& also_show = {});

/// The server's address for agents, from its own environment (spec/execution.md 7).
std::string agent_api_url(const HostEnvironment& host);

/// The value, or empty.
std::string_view variable(const std::map<std::string, std::string, std::less<>>& environment, std::string_view name);

}  // namespace paperclip::adapters
