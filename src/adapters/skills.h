#pragma once

#include <boost/describe/class.hpp>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fields.h"
#include "base/json.h"
#include "base/result.h"

/// The skills of an agent: which there are, which it shall have (spec/adapters.md 3.7, spec/organisation.md 5).
namespace paperclip::adapters {

/// A skill as the server hands it to an adapter (`config.paperclipRuntimeSkills`).
struct RuntimeSkill {
  std::string key;           // `paperclipai/paperclip/paperclip`
  std::string runtime_name;  // the folder's name where it is mounted
  std::string source;        // the directory that holds its SKILL.md
  bool required = false;
  std::optional<std::string> required_reason;
};

/// Reads `config.paperclipRuntimeSkills`, sorted by key; entries without key, name or source are dropped.
std::vector<RuntimeSkill> runtime_skills(const json::object& config);

/// The keys an agent's runs get: the required ones and, if `config.paperclipSkillSync.desiredSkills` is there, those it
/// names. A reference is matched without regard to case by full key, unique runtime name, then unique last segment;
/// one that matches nothing is kept lower-cased.
std::vector<std::string> desired_skills(const json::object& config, const std::vector<RuntimeSkill>& available);

struct SkillEntry {
  std::string key;
  std::optional<std::string> runtime_name;
  bool desired = false;
  bool managed = false;
  bool required = false;
  std::optional<std::string> required_reason;
  std::string state;   // available, configured, installed, missing, stale, external
  std::string origin;  // company_managed, paperclip_required, user_installed, external_unknown
  std::string origin_label;
  std::optional<std::string> location_label;
  bool read_only = false;
  std::optional<std::string> source_path;
  std::optional<std::string> target_path;
  std::optional<std::string> detail;
};
BOOST_DESCRIBE_STRUCT(SkillEntry, (),
                      (key, runtime_name, desired, managed, required, required_reason, state, origin, origin_label,
                       location_label, read_only, source_path, target_path, detail))

struct SkillSnapshot {
  std::string adapter_type;
  bool supported = false;
  std::string mode = "unsupported";  // unsupported, persistent, ephemeral
  std::vector<std::string> desired_skills;
  std::vector<SkillEntry> entries;
  std::vector<std::string> warnings;
};
BOOST_DESCRIBE_STRUCT(SkillSnapshot, (), (adapter_type, supported, mode, desired_skills, entries, warnings))

/// The snapshot of an adapter that mounts its skills afresh for every run.
SkillSnapshot ephemeral_skill_snapshot(std::string_view adapter_type, const json::object& config);
/// The answer of an adapter without skills (spec/organisation.md 5.1).
SkillSnapshot unsupported_skill_snapshot(std::string_view adapter_type, const json::object& config);

struct BundledSkill {
  std::string name;
  std::string key;  // `paperclipai/paperclip/<name>`
  std::filesystem::path directory;
};

/// Writes the skills in the binary to `<instance root>/bundled-skills/<hash of their content>/<name>` (once; a complete
/// folder is left alone) and names them. Tools mount skills from a disk. Fails when the disk cannot be written.
Result<std::vector<BundledSkill>> install_bundled_skills(const std::filesystem::path& instance_root);

/// Name and description out of a SKILL.md's front matter.
struct SkillHeader {
  std::string name;
  std::string description;
};
SkillHeader skill_header(std::string_view markdown);

}  // namespace paperclip::adapters
