#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/skills.h"

/// Skills of the tools that only look for them in a folder of the home directory: `~/.gemini/skills` and its like. What
/// stands there stays between runs and belongs to everybody who uses the tool (spec/adapters.md 3.7, persistent).
namespace paperclip::adapters {

/// Links each of the run's skills by its runtime name. What a person put there, folder or link, is left alone; a link to
/// nothing is replaced; a link to an agent's own skills (`/.agents/skills/`) that the run shall not have is taken away, and
/// so is one to a skill of `available` that is not among `wanted`. Returns lines for the run's log: what could not be done.
std::vector<std::string> link_skills(const std::filesystem::path& skills_home, const std::vector<RuntimeSkill>& wanted,
                                     const std::vector<RuntimeSkill>& available);

/// What the skills page of an agent of such a tool shows. `location` is how people know the folder: `~/.gemini/skills`.
SkillSnapshot persistent_skill_snapshot(std::string_view adapter_type, const json::object& config,
                                        const std::filesystem::path& skills_home, std::string_view location);

/// A folder that holds a link for each skill, to be brought to a place elsewhere (links are followed on the way):
/// `<instance>/companies/<company>/skill-sets/<hash>`. Fails when the disk cannot be written.
Result<std::filesystem::path> make_skill_set(const std::filesystem::path& instance_root, std::string_view company,
                                             const std::vector<RuntimeSkill>& skills);

}  // namespace paperclip::adapters
