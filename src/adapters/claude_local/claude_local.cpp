#include "adapters/claude_local/claude_local.h"

#include <algorithm>

#include "adapters/claude_local/bundle.h"
#include "adapters/claude_local/invocation.h"
#include "adapters/claude_local/outcome.h"
#include "adapters/cli_run.h"
#include "adapters/config.h"
#include "adapters/template.h"
#include "base/text.h"

namespace paperclip::adapters {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view place_key = "claude";

class ClaudeOutput final : public CliOutput {
 public:
  using CliOutput::CliOutput;
  bool terminal_result_seen() const override { return stream_.transcript().result.has_value(); }

 private:
  void read(std::string_view out) override { stream_.feed(out); }

  CliVerdict judge(const CliEvidence& evidence) override {
    stream_.finish();
    const ClaudeTranscript& transcript = stream_.transcript();
    return {judge_claude_run({transcript, evidence}), transcript.session_id, is_unknown_claude_session(transcript),
            transcript.result.has_value()};
  }

  ClaudeStream stream_;
};

struct Layout {
  std::string bundle_directory;
  std::string instructions_file;
  std::vector<PlaceAsset> assets;
  std::string config_directory;  // CLAUDE_CONFIG_DIR in the place, or empty
};

fs::path host_config_directory(const HostEnvironment& host) {
  if (const auto configured = trim(os::value_in(host, "CLAUDE_CONFIG_DIR")); !configured.empty())
    return fs::path(configured);
  return fs::path(os::value_in(host, "HOME")) / ".claude";
}

// Where the run's files stand where it runs.
Result<Layout> lay_out(const RunContext& run, const PromptBundle& bundle) {
  Layout layout;
  layout.bundle_directory = bundle.directory.string();
  if (run.place.is_remote()) {
    const std::string root = runtime_root(run.place, place_key);
    layout.bundle_directory = root + "/skills";
    layout.assets.push_back({"skills", bundle.directory, layout.bundle_directory});
    const bool configured = !config_text(config_object(run.config, "env"), "CLAUDE_CONFIG_DIR").empty();
    if (run.place.kind == PlaceKind::sandbox && !configured) {
      layout.config_directory = root + "/config";
      if (auto seed = TRY(make_config_seed(run.instance_root, run.agent.company_id, host_config_directory(run.host))))
        layout.assets.push_back({"config", *seed, layout.config_directory, true});
    }
  }
  if (bundle.has_instructions)
    layout.instructions_file = layout.bundle_directory + "/" + std::string(PromptBundle::instructions_file);
  return layout;
}

std::string resume_refusal(const json::object& saved, const std::string& key, const std::string& cwd) {
  const auto saved_key = text_at(json::value(saved), "promptBundleKey").value_or("");
  if (saved_key.empty() || saved_key == key) return {};
  return "was started with other instructions or skills and will not be resumed in \"" + cwd + "\".";
}

}  // namespace

Result<PreparedRun> ClaudeLocalAdapter::prepare(const RunContext& run) const {
  PreparedRun prepared;
  const CliStart start = start_cli_run(run, "claude", instructions_path_key(), prepared);
  const auto& [command, directory, instructions] = start;
  prepared.terminal_result_grace = std::chrono::milliseconds(static_cast<std::int64_t>(
      std::clamp(config_number(run.config, "terminalResultCleanupGraceMs", 5000), 0.0, 3600000.0)));

  const PromptBundle bundle =
      TRY(make_prompt_bundle(run.instance_root, run.agent.company_id, instructions, TRY(skills_of_run(run))));
  Layout layout = TRY(lay_out(run, bundle));
  prepared.assets = std::move(layout.assets);

  os::Environment ours = run_environment(
      run, {.hide_workspace_cwd = directory.configured, .workspace_details = true, .runtime_services = true});
  if (!layout.config_directory.empty()) ours.emplace_back("CLAUDE_CONFIG_DIR", layout.config_directory);
  // Claude refuses to skip permissions as root unless it is told that it runs in a sandbox, which here is the truth.
  if (run.place.kind == PlaceKind::sandbox) ours.emplace_back("IS_SANDBOX", "1");
  for (auto& entry : configured_environment(run.config)) ours.push_back(std::move(entry));
  ChildEnvironment environment = claude_base_environment(run);
  lay_over(environment, ours);

  const ResumeDecision resume = decide_resume(run, "Claude", directory.path, [&](const json::object& saved) {
    return resume_refusal(saved, bundle.key, directory.path);
  });
  if (!resume.log_note.empty()) prepared.log_notes.push_back(resume.log_note);
  const bool resumed = !resume.session_id.empty();

  const std::string resolved = TRY(resolve_where_it_runs(run, command, directory.path, environment.value("PATH")));
  prepared.argv = claude_arguments(run.config, uses_bedrock(environment.variables()),
                                   {resume.session_id, layout.instructions_file, layout.bundle_directory});
  prepared.argv.insert(prepared.argv.begin(), command);

  const PromptParts parts = prompt_parts(run, resumed);
  prepared.stdin_text =
      join_sections({parts.bootstrap, parts.wake, parts.session_handoff, parts.task, parts.heartbeat});

  json::array notes;
  if (instructions && !resumed)
    notes.emplace_back("Agent instructions from " + instructions->path +
                       " are passed with --append-system-prompt-file.");
  if (instructions && resumed)
    notes.emplace_back("The resumed session already holds the agent instructions; they are not passed again.");
  prepared.invocation = cli_invocation(
      run, prepared,
      {type(),
       resolved,
       {prepared.argv.begin() + 1, prepared.argv.end()},
       std::move(notes),
       shown_environment(ours, environment, run.secret_environment_names, resolved, {"CLAUDE_CONFIG_DIR"}),
       *prepared.stdin_text,
       prompt_metrics(parts, *prepared.stdin_text, instructions ? instructions->text : "")});

  CliFacts facts = cli_facts(run, prepared, "Claude", claude_billing(environment.variables()), resume);
  facts.session_params["promptBundleKey"] = bundle.key;
  prepared.environment = std::move(environment).variables();
  prepared.parser = std::make_unique<ClaudeOutput>(std::move(facts));
  return prepared;
}

std::optional<json::object> ClaudeLocalAdapter::session_params(const json::value& raw) const {
  return cli_session_params(raw, {"promptBundleKey"});
}

std::vector<Model> ClaudeLocalAdapter::models(const HostEnvironment& host) const {
  if (uses_bedrock(host)) {
    return {{"us.anthropic.claude-opus-4-6-v1", "Bedrock Claude Opus 4.6"},
            {"us.anthropic.claude-sonnet-4-5-20250929-v2:0", "Bedrock Claude Sonnet 4.5"},
            {"us.anthropic.claude-haiku-4-5-20251001-v1:0", "Bedrock Claude Haiku 4.5"}};
  }
  return {{"claude-opus-4-7", "Claude Opus 4.7"},
          {"claude-opus-4-6", "Claude Opus 4.6"},
          {"claude-sonnet-4-6", "Claude Sonnet 4.6"},
          {"claude-haiku-4-6", "Claude Haiku 4.6"},
          {"claude-sonnet-4-5-20250929", "Claude Sonnet 4.5"},
          {"claude-haiku-4-5-20251001", "Claude Haiku 4.5"}};
}

std::vector<ModelProfile> ClaudeLocalAdapter::model_profiles() const {
  return {{"cheap", "Cheap", "A smaller model with low effort, for work that does not need the agent's own.",
           JsonObject{{{"model", "claude-sonnet-4-6"}, {"effort", "low"}}}}};
}

SkillSnapshot ClaudeLocalAdapter::skills(const json::object& config, const HostEnvironment&) const {
  return ephemeral_skill_snapshot(type(), config);
}

std::string ClaudeLocalAdapter::documentation() const {
  return R"(# claude_local

Runs Claude Code on the machine (or in the environment) the agent is placed in: one `claude --print` for every heartbeat,
with its session resumed per task. The command must be installed and logged in there, or ANTHROPIC_API_KEY be set.

Use it for agents that write code or work in files. Do not use it where no Claude Code can be installed, or for a worker
with its own loop (see process and http).

## Configuration (adapterConfig)

- model (string): a model id; the tool's default otherwise.
- effort (string): low, medium, high, …
- instructionsFilePath (string): the agent's instructions; managed for you through the instructions bundle.
- maxTurnsPerRun (number, 0 = no limit): the run ends with max_turns_exhausted and is continued in a fresh session.
- dangerouslySkipPermissions (boolean, true): nobody is there to answer permission prompts.
- chrome (boolean, false): the tool's browser integration.
- command (string, claude), extraArgs (list of strings): another program or further arguments.
- cwd (string, absolute): where to work when no project workspace is chosen.
- env (object of strings or secret references): variables for the tool.
- timeoutSec (number, 0 = no limit), graceSec (number, 20): when it is stopped, and how long it may take to end.
- terminalResultCleanupGraceMs (number, 5000): how long the process may linger after its final result.
- promptTemplate, bootstrapPromptTemplate (string): replace the heartbeat prompt, or go before the first one of a session.
  New agents use the instructions bundle instead.

## Notes

- Changing the instructions or the skills starts a fresh session.
- The prompt arrives on stdin; skills are mounted with --add-dir for each run and leave nothing behind in your home.
- As root the tool refuses to skip permissions unless IS_SANDBOX=1 is set.
)";
}

}  // namespace paperclip::adapters
