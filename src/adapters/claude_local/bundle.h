#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "adapters/cli.h"
#include "adapters/skills.h"

/// The files a Claude run is given beside its prompt.
namespace paperclip::adapters {

/// A folder `<instance>/companies/<company>/claude-prompt-cache/<key>/` with the agent's instructions and links to its
/// skills, named by the hash of all their content: two agents with the same share one, and a session is resumed only
/// while the key stays the same (spec/adapters.md 4).
struct PromptBundle {
  std::string key;
  std::filesystem::path directory;
  bool has_instructions = false;

  static constexpr std::string_view instructions_file = "agent-instructions.md";
};

/// Makes the folder if it is not there. Fails when the disk cannot be written.
Result<PromptBundle> make_prompt_bundle(const std::filesystem::path& instance_root, const CompanyId& company,
                                        const std::optional<Instructions>& instructions,
                                        const std::vector<RuntimeSkill>& skills);

/// A copy of the login and settings files in `config_directory`, for a sandbox that has none of its own; nullopt when
/// there are none. Kept at `<instance>/companies/<company>/claude-config-seed/<hash>`, readable by the server alone.
Result<std::optional<std::filesystem::path>> make_config_seed(const std::filesystem::path& instance_root,
                                                              const CompanyId& company,
                                                              const std::filesystem::path& config_directory);

}  // namespace paperclip::adapters
