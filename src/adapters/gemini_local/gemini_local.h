#pragma once

#include "adapters/adapter.h"

namespace paperclip::adapters {

/// The Gemini CLI with a prompt in its arguments (spec/adapters.md 7).
class GeminiLocalAdapter final : public Adapter {
 public:
  std::string_view type() const override { return "gemini_local"; }
  Capabilities capabilities() const override {
    return {.supports_instructions_bundle = true,
            .supports_skills = true,
            .supports_local_agent_jwt = true,
            .requires_materialized_runtime_skills = true,
            .supports_model_profiles = true};
  }
  bool runs_remotely() const override { return true; }
  CompactionDefaults compaction() const override {
    return {.enabled = true, .max_session_runs = 200, .max_raw_input_tokens = 2'000'000, .max_session_age_hours = 72};
  }

  Result<PreparedRun> prepare(const RunContext& run) const override;
  std::optional<json::object> session_params(const json::value& raw) const override;
  json::object with_defaults(json::object config) const override;
  std::vector<Model> models(const HostEnvironment& host) const override;
  std::vector<ModelProfile> model_profiles() const override;
  std::string documentation() const override;
  std::vector<Check> test(const SelfTest& test) const override;
  SkillSnapshot skills(const json::object& config, const HostEnvironment& host) const override;
};

}  // namespace paperclip::adapters
