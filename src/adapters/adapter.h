#pragma once

#include <boost/describe/class.hpp>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/result.h"
#include "adapters/run.h"
#include "adapters/self_test.h"
#include "adapters/skills.h"
#include "base/json.h"
#include "base/result.h"

namespace paperclip::adapters {

/// What the adapter list tells clients (spec/platform.md 11.3); the members' names are the wire's.
struct Capabilities {
  bool supports_instructions_bundle = false;
  bool supports_skills = false;
  bool supports_local_agent_jwt = false;
  bool requires_materialized_runtime_skills = false;
  bool supports_model_profiles = false;
};
BOOST_DESCRIBE_STRUCT(Capabilities, (),
                      (supports_instructions_bundle, supports_skills, supports_local_agent_jwt,
                       requires_materialized_runtime_skills, supports_model_profiles))

/// When a session is given up for a new one (spec/execution.md 15.4). 0 means never for that reason.
struct CompactionDefaults {
  bool enabled = false;
  std::int64_t max_session_runs = 0;
  std::int64_t max_raw_input_tokens = 0;
  std::int64_t max_session_age_hours = 0;
};

struct Model {
  std::string id;
  std::string label;
};
BOOST_DESCRIBE_STRUCT(Model, (), (id, label))

/// A named set of configuration values laid over the agent's (spec/adapters.md 15). The only key is `cheap`.
struct ModelProfile {
  std::string key;
  std::string label;
  std::string description;
  JsonObject adapter_config;
  std::string source = "adapter_default";
};
BOOST_DESCRIBE_STRUCT(ModelProfile, (), (key, label, description, adapter_config, source))

enum class RunForm { command, http_call };

/// One kind of agent: says which command with which input, and turns output into a result. It starts nothing, waits for
/// nothing and never touches the database; it may read the agent's instruction file and write caches below the
/// instance's root. One object per kind, shared by all threads.
///
///   config + context ──prepare──▶ PreparedRun ──(the runner)──▶ bytes ──OutputParser──▶ AdapterResult
///                  ╰─prepare_call──▶ HttpCall ──(the client)──▶ HttpOutcome ──finish_call─────╯
class Adapter {
 public:
  virtual ~Adapter() = default;

  virtual std::string_view type() const = 0;
  virtual Capabilities capabilities() const { return {}; }
  virtual RunForm form() const { return RunForm::command; }
  /// The server makes a token for the run. Wider than what `supportsLocalAgentJwt` tells: our process agents get one.
  virtual bool wants_run_token() const { return capabilities().supports_local_agent_jwt; }
  /// False: may only run on this machine; a remote place is refused before the run (spec/environments.md 7.4).
  virtual bool runs_remotely() const { return false; }
  virtual CompactionDefaults compaction() const { return {}; }
  /// The key in the configuration that names the instructions file.
  virtual std::string_view instructions_path_key() const { return "instructionsFilePath"; }

  /// Fails when the run cannot be started as configured; the message becomes the run's error.
  virtual Result<PreparedRun> prepare(const RunContext& run) const;
  virtual Result<HttpCall> prepare_call(const RunContext& run) const;
  virtual AdapterResult finish_call(const HttpCall& call, const HttpOutcome& outcome) const;

  /// What of a stored or reported session is kept; nullopt when it names none (spec/adapters.md 3.5). Applied on the
  /// way into the database and on the way out.
  virtual std::optional<json::object> session_params(const json::value& raw) const;
  virtual std::string session_display_id(const json::object& params) const;

  /// The configuration of a new agent of this kind (spec/adapters.md 2.2).
  virtual json::object with_defaults(json::object config) const { return config; }
  virtual std::vector<Model> models(const HostEnvironment&) const { return {}; }
  virtual std::vector<ModelProfile> model_profiles() const { return {}; }
  /// `{fields:[…]}` for the agent form; nullopt when the form is built in.
  virtual std::optional<json::value> config_schema() const { return std::nullopt; }
  /// Markdown for `/llms/agent-configuration/<type>.txt`.
  virtual std::string documentation() const = 0;
  virtual std::vector<Check> test(const SelfTest& test) const = 0;
  /// What the agent's skills page shows. Adapters without skills answer "unsupported".
  virtual SkillSnapshot skills(const json::object& config, const HostEnvironment& host) const;
};

}  // namespace paperclip::adapters
