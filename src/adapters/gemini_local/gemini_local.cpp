#include "adapters/gemini_local/gemini_local.h"

#include <algorithm>
#include <cstdlib>

#include "adapters/cli_run.h"
#include "adapters/config.h"
#include "adapters/gemini_local/invocation.h"
#include "adapters/gemini_local/stream.h"
#include "adapters/skills_home.h"
#include "adapters/template.h"
#include "base/text.h"

namespace paperclip::adapters {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view place_key = "gemini";
constexpr std::string_view skills_folder = ".gemini/skills";

// The kernel takes 128 KiB for one argument, its closing NUL included.
constexpr std::size_t longest_argument = 127u << 10;
constexpr std::string_view prompt_on_stdin = "Follow the instructions above.";

class GeminiOutput final : public CliOutput {
 public:
  using CliOutput::CliOutput;

 private:
  void read(std::string_view out) override { stream_.feed(out); }
  CliVerdict judge(const CliEvidence& evidence) override {
    stream_.finish();
    return judge_gemini_run(stream_.transcript(), evidence);
  }
  GeminiStream stream_;
};

// The names of the run's variables: the tool does not show them to its model.
std::string environment_note(const os::Environment& environment) {
  std::vector<std::string> names;
  for (const auto& entry : environment)
    if (entry.first.starts_with("PAPERCLIP_")) names.push_back(entry.first);
  if (names.empty()) return {};
  std::sort(names.begin(), names.end());
  std::string list;
  for (const auto& name : names) (list += list.empty() ? "" : ", ") += name;
  return "Paperclip runtime note:\nThese environment variables are set in this run: " + list +
         "\nDo not take them for missing; look at them in your shell before you say so.";
}

std::string api_note(const os::Environment& environment) {
  if (os::value_in(environment, "PAPERCLIP_API_URL").empty() || os::value_in(environment, "PAPERCLIP_API_KEY").empty()) return {};
  return R"(Paperclip API note:
Talk to the API with curl through run_shell_command. To read:
  curl -s -H "Authorization: Bearer $PAPERCLIP_API_KEY" "$PAPERCLIP_API_URL/api/agents/me"
Whatever changes something also names the run:
  curl -s -X PATCH -H "Authorization: Bearer $PAPERCLIP_API_KEY" -H "X-Paperclip-Run-Id: $PAPERCLIP_RUN_ID" -H "Content-Type: application/json" -d '{"status":"done","comment":"..."}' "$PAPERCLIP_API_URL/api/issues/$PAPERCLIP_TASK_ID")";
}

// On this machine and on an SSH host the home is the user's own; a sandbox gets one among the run's files.
Result<void> mount_skills(const RunContext& run, const std::vector<RuntimeSkill>& skills, const ChildEnvironment& environment,
                          PreparedRun& prepared) {
  if (run.place.is_remote()) {
    const std::string home = run.place.kind == PlaceKind::sandbox ? runtime_root(run.place, place_key) : "~";
    const auto set = TRY(make_skill_set(run.instance_root, run.agent.company_id.view(), skills));
    prepared.assets.push_back({"skills", set, home + "/" + std::string(skills_folder), true});
    return success();
  }
  const fs::path home(std::string(environment.value("HOME")));
  if (!home.is_absolute()) return success();
  for (auto& note : link_skills(home / skills_folder, skills, runtime_skills(run.config))) prepared.log_notes.push_back(std::move(note));
  return success();
}

}  // namespace

Result<PreparedRun> GeminiLocalAdapter::prepare(const RunContext& run) const {
  PreparedRun prepared;
  const CliStart start = start_cli_run(run, "gemini", instructions_path_key(), prepared);
  const auto& instructions = start.instructions;
  const auto skills = TRY(skills_of_run(run));

  os::Environment ours = run_environment(run, {.hide_workspace_cwd = start.directory.configured});
  if (run.place.kind == PlaceKind::sandbox) ours.emplace_back("HOME", runtime_root(run.place, place_key));
  for (auto& entry : configured_environment(run.config)) ours.push_back(std::move(entry));
  ChildEnvironment environment = gemini_base_environment(run);
  lay_over(environment, ours);
  TRY(mount_skills(run, skills, environment, prepared));

  const ResumeDecision resume = decide_resume(run, "Gemini", start.directory.path);
  if (!resume.log_note.empty()) prepared.log_notes.push_back(resume.log_note);
  const std::string resolved =
      TRY(resolve_where_it_runs(run, start.command, start.directory.path, environment.value("PATH")));

  const PromptParts parts = prompt_parts(run, !resume.session_id.empty());
  const std::string prompt = join_sections({instructions ? instructions_with_origin(*instructions) : "", parts.bootstrap, parts.wake,
                                            parts.session_handoff, environment_note(environment.variables()),
                                            api_note(environment.variables()), parts.heartbeat});
  const bool fits = prompt.size() <= longest_argument;
  if (!fits) prepared.stdin_text = prompt;
  prepared.argv = gemini_arguments(run.config, {resume.session_id, "yolo", fits ? std::string_view(prompt) : prompt_on_stdin});
  prepared.argv.insert(prepared.argv.begin(), start.command);

  CliInvocation shown{type(), resolved, {prepared.argv.begin() + 1, prepared.argv.end()}, {}, {}, prompt, {}};
  if (fits) shown.shown_arguments.back() = "<prompt " + std::to_string(utf16_length(prompt)) + " chars>";
  shown.notes.emplace_back(fits ? "The prompt is passed with --prompt." : "The prompt is too long for an argument and is passed on stdin.");
  if (instructions) shown.notes.emplace_back("Agent instructions from " + instructions->path + " stand first in the prompt.");
  shown.environment = shown_environment(ours, environment, run.secret_environment_names, resolved);
  shown.prompt_metrics = prompt_metrics(parts, prompt, instructions ? instructions->text : "");
  prepared.invocation = cli_invocation(run, prepared, std::move(shown));

  prepared.parser = std::make_unique<GeminiOutput>(cli_facts(run, prepared, "Gemini", gemini_billing(environment.variables()), resume));
  prepared.environment = std::move(environment).variables();
  return prepared;
}

std::optional<json::object> GeminiLocalAdapter::session_params(const json::value& raw) const { return cli_session_params(raw); }

json::object GeminiLocalAdapter::with_defaults(json::object config) const {
  if (config_text(config, "model").empty()) config["model"] = "auto";
  return config;
}

std::vector<Model> GeminiLocalAdapter::models(const HostEnvironment&) const {
  return {{"auto", "Auto"},
          {"gemini-2.5-pro", "Gemini 2.5 Pro"},
          {"gemini-2.5-flash", "Gemini 2.5 Flash"},
          {"gemini-2.5-flash-lite", "Gemini 2.5 Flash Lite"},
          {"gemini-2.0-flash", "Gemini 2.0 Flash"},
          {"gemini-2.0-flash-lite", "Gemini 2.0 Flash Lite"}};
}

std::vector<ModelProfile> GeminiLocalAdapter::model_profiles() const {
  return {{"cheap", "Cheap", "A smaller model, for work that does not need the agent's own.",
           JsonObject{{{"model", "gemini-2.5-flash-lite"}}}}};
}

SkillSnapshot GeminiLocalAdapter::skills(const json::object& config, const HostEnvironment& host) const {
  std::string home = config_text(config_object(config, "env"), "HOME");
  if (home.empty()) home = os::value_in(host, "HOME");
  return persistent_skill_snapshot(type(), config, fs::path(home) / skills_folder, "~/" + std::string(skills_folder));
}

std::string GeminiLocalAdapter::documentation() const {
  return R"(# gemini_local

Runs the Gemini CLI on the machine (or in the environment) the agent is placed in: one `gemini --prompt` for every heartbeat,
with its session resumed per task. The command must be installed and logged in there, or GEMINI_API_KEY be set.

Use it for agents that write code or work in files. Do not use it where no Gemini CLI can be installed, or for a worker with
its own loop (see process and http).

## Configuration (adapterConfig)

- model (string, auto): a model id; `auto` leaves the choice to the tool.
- sandbox (boolean, false): the tool's own sandbox.
- instructionsFilePath (string): the agent's instructions; managed for you through the instructions bundle.
- command (string, gemini), extraArgs (list of strings): another program or further arguments.
- cwd (string, absolute): where to work when no project workspace is chosen.
- env (object of strings or secret references): variables for the tool.
- timeoutSec (number, 0 = no limit), graceSec (number, 20): when it is stopped, and how long it may take to end.
- promptTemplate, bootstrapPromptTemplate (string): replace the heartbeat prompt, or go before the first one of a session.
  New agents use the instructions bundle instead.

## Notes

- The instructions stand first in every prompt. A prompt that is too long for an argument arrives on stdin.
- Skills are linked into `~/.gemini/skills` of the user the agents run as and stay there; what people put there is left alone.
  In a sandbox they stand in a home of the run's own, so that a login in the image is not seen: set GEMINI_API_KEY.
- Tools run without asking (`--approval-mode yolo`), and the workspace counts as trusted.
- Exit code 53 is the tool's turn limit: the next run starts a fresh session.
)";
}

}  // namespace paperclip::adapters
