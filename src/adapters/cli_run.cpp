#include "adapters/cli_run.h"

#include <algorithm>

#include "adapters/config.h"
#include "os/process.h"

namespace paperclip::adapters {

CliStart start_cli_run(const RunContext& run, std::string_view default_command, std::string_view instructions_key,
                       PreparedRun& prepared) {
  CliStart start;
  start.command = config_text(run.config, "command", default_command);
  start.directory = working_directory(run);
  prepared.cwd = start.directory.path;
  prepared.timeout = seconds_setting(run.config, "timeoutSec", 0);
  prepared.grace = seconds_setting(run.config, "graceSec", 20);
  start.instructions = read_instructions(run.config, instructions_key, start.directory.path, prepared.log_notes);
  return start;
}

Result<std::vector<RuntimeSkill>> skills_of_run(const RunContext& run) {
  std::vector<RuntimeSkill> available;
  if (run.config.contains("paperclipRuntimeSkills")) {
    available = runtime_skills(run.config);
  } else {
    const auto shipped = TRY(install_bundled_skills(run.instance_root));
    for (const auto& skill : shipped)
      available.push_back({skill.key, skill.name, skill.directory.string(), true, std::nullopt});
  }
  const auto desired = desired_skills(run.config, available);
  std::erase_if(available, [&](const auto& skill) {
    return std::find(desired.begin(), desired.end(), skill.key) == desired.end();
  });
  return available;
}

Result<std::string> resolve_where_it_runs(const RunContext& run, const std::string& command, const std::string& cwd,
                                          std::string_view path) {
  if (run.place.is_remote()) return command;
  TRY(check_run_directory(cwd));
  return os::resolve_command(command, cwd, path);
}

json::object cli_invocation(const RunContext& run, const PreparedRun& prepared, CliInvocation shown) {
  return {{"adapterType", shown.type},
          {"command", shown.resolved_command},
          {"cwd", prepared.cwd},
          {"commandArgs", json::array(shown.shown_arguments.begin(), shown.shown_arguments.end())},
          {"commandNotes", std::move(shown.notes)},
          {"env", std::move(shown.environment)},
          {"prompt", shown.prompt},
          {"promptMetrics", std::move(shown.prompt_metrics)},
          {"context", run.context}};
}

CliFacts cli_facts(const RunContext& run, const PreparedRun& prepared, std::string_view tool, Billing billing,
                   const ResumeDecision& resume) {
  return {std::string(tool),
          prepared.timeout,
          std::move(billing),
          config_text(run.config, "model"),
          resume.session_id,
          run.retry_with_fresh_session,
          saved_session_params(run, "", prepared.cwd)};
}

}  // namespace paperclip::adapters
