#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/cli.h"
#include "adapters/cli_output.h"
#include "adapters/environment.h"
#include "adapters/prompt.h"
#include "adapters/skills.h"

/// How the command line agents put a run together: what each of them does in the same way (spec/adapters.md 3).
namespace paperclip::adapters {

/// What a run begins with.
struct CliStart {
  std::string command;  // as configured
  WorkingDirectory directory;
  std::optional<Instructions> instructions;
};
/// Reads command, directory, times and instructions out of the configuration; fills in those of `prepared`.
CliStart start_cli_run(const RunContext& run, std::string_view default_command, std::string_view instructions_key,
                       PreparedRun& prepared);

/// The skills of the run: those of the given ones that it shall have. A run that was given none (a test, an embedding)
/// gets the shipped ones.
Result<std::vector<RuntimeSkill>> skills_of_run(const RunContext& run);

/// The command as it will be found on this machine; fails when it will not. In a remote place the runner finds out.
Result<std::string> resolve_where_it_runs(const RunContext& run, const std::string& command, const std::string& cwd,
                                          std::string_view path);

/// What the `adapter.invoke` event shows beside the command itself (spec/adapters.md 1.3).
struct CliInvocation {
  std::string_view type;
  std::string resolved_command;
  std::vector<std::string> shown_arguments;  // argv without the command; a prompt in it left out
  json::array notes;
  json::object environment;
  std::string_view prompt;
  json::object prompt_metrics;
};
json::object cli_invocation(const RunContext& run, const PreparedRun& prepared, CliInvocation shown);

/// What a parser is told of the run; `session_params` are ready for further members.
CliFacts cli_facts(const RunContext& run, const PreparedRun& prepared, std::string_view tool, Billing billing,
                   const ResumeDecision& resume);

}  // namespace paperclip::adapters
