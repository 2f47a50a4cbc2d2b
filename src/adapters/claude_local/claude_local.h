#pragma once

#include "adapters/adapter.h"

namespace paperclip::adapters {

/// Claude Code in print mode (spec/adapters.md 4).
class ClaudeLocalAdapter final : public Adapter {
 public:
  std::string_view type() const override { return "claude_local"; }
  Capabilities capabilities() const override {
    return {.supports_instructions_bundle = true,
            .supports_skills = true,
            .supports_local_agent_jwt = true,
            .supports_model_profiles = true};
  }
  bool runs_remotely() const override { return true; }
  /// Enabled, but never rotated for its size: the tool compacts its own context.
  CompactionDefaults compaction() const override { return {.enabled = true}; }

  Result<PreparedRun> prepare(const RunContext& run) const override;
  std::optional<json::object> session_params(const json::value& raw) const override;
  std::vector<Model> models(const HostEnvironment& host) const override;
  std::vector<ModelProfile> model_profiles() const override;
  std::string documentation() const override;
  std::vector<Check> test(const SelfTest& test) const override;
  SkillSnapshot skills(const json::object& config, const HostEnvironment& host) const override;
};

}  // namespace paperclip::adapters
