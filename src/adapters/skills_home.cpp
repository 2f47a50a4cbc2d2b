#include "adapters/skills_home.h"

#include <algorithm>

#include "base/crypto.h"
#include "base/random.h"

namespace paperclip::adapters {

namespace fs = std::filesystem;

namespace {

struct Found {
  bool something = false;  // also a link to nothing
  bool link = false;
  bool reachable = false;
  fs::path target;  // of a link, absolute
};

Found look_at(const fs::path& path) {
  Found found;
  std::error_code error;
  const auto status = fs::symlink_status(path, error);
  found.something = fs::exists(status);
  found.link = fs::is_symlink(status);
  found.reachable = fs::exists(path, error);
  if (!found.link) return found;
  const fs::path target = fs::read_symlink(path, error);
  found.target = (target.is_absolute() ? target : path.parent_path() / target).lexically_normal();
  return found;
}

bool leads_to(const Found& found, const RuntimeSkill& skill) {
  return found.link && found.target == fs::path(skill.source).lexically_normal();
}

bool belongs_to_an_agent(const Found& found) { return found.target.string().find("/.agents/skills/") != std::string::npos; }

const RuntimeSkill* named(const std::vector<RuntimeSkill>& skills, std::string_view name) {
  const auto at = std::find_if(skills.begin(), skills.end(), [&](const auto& skill) { return skill.runtime_name == name; });
  return at == skills.end() ? nullptr : &*at;
}

std::vector<fs::path> sorted_entries(const fs::path& folder) {
  std::vector<fs::path> out;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) out.push_back(entry.path());
  std::sort(out.begin(), out.end());
  return out;
}

void describe(SkillEntry& entry, const RuntimeSkill& skill, const fs::path& skills_home, std::string_view location) {
  const fs::path target = skills_home / skill.runtime_name;
  const Found found = look_at(target);
  entry.target_path = target.string();
  entry.location_label = std::string(location);
  entry.detail = std::nullopt;
  if (leads_to(found, skill) && found.reachable) {
    entry.state = entry.desired ? "installed" : "stale";
    if (!entry.desired) entry.detail = "Linked, but no longer wanted; it goes with the next run.";
  } else if (found.something && found.reachable) {
    entry.state = "external";
    entry.managed = false;
    entry.detail = "Something else of this name stands there already and is left alone.";
  } else {
    entry.state = entry.desired ? "missing" : "available";
    if (entry.desired) entry.detail = "It is linked when the next run starts.";
  }
}

SkillEntry entry_of_a_person(const fs::path& path, std::string_view location) {
  SkillEntry entry;
  entry.key = path.filename().string();
  entry.runtime_name = entry.key;
  entry.state = "external";
  entry.origin = "user_installed";
  entry.origin_label = "User-installed";
  entry.location_label = std::string(location);
  entry.read_only = true;
  entry.target_path = path.string();
  entry.detail = "Installed by hand; Paperclip does not touch it.";
  return entry;
}

}  // namespace

std::vector<std::string> link_skills(const fs::path& skills_home, const std::vector<RuntimeSkill>& wanted,
                                     const std::vector<RuntimeSkill>& available) {
  std::vector<std::string> notes;
  std::error_code error;
  const auto complain = [&](const std::string& what, const fs::path& path) {
    notes.push_back("[paperclip] Warning: could not " + what + " \"" + path.string() + "\": " + error.message());
  };
  fs::create_directories(skills_home, error);
  if (error) {
    complain("create the skills folder", skills_home);
    return notes;
  }
  for (const auto& path : sorted_entries(skills_home)) {
    const Found found = look_at(path);
    if (!found.link || named(wanted, path.filename().string()) != nullptr) continue;
    const RuntimeSkill* ours = named(available, path.filename().string());
    if (belongs_to_an_agent(found) || (ours != nullptr && leads_to(found, *ours)))
      if (!fs::remove(path, error) && error) complain("remove the skill link", path);
  }
  for (const auto& skill : wanted) {
    const fs::path path = skills_home / skill.runtime_name;
    const Found found = look_at(path);
    if (found.reachable || (found.something && !found.link)) continue;
    // Made beside and renamed: two runs that start at once each see a whole link.
    const fs::path beside = skills_home / ("." + skill.runtime_name + "." + Random::system().hex(6));
    fs::create_directory_symlink(skill.source, beside, error);
    if (!error) fs::rename(beside, path, error);
    if (error) complain("link the skill as", path);
  }
  return notes;
}

SkillSnapshot persistent_skill_snapshot(std::string_view adapter_type, const json::object& config,
                                        const fs::path& skills_home, std::string_view location) {
  SkillSnapshot snapshot = ephemeral_skill_snapshot(adapter_type, config);
  snapshot.mode = "persistent";
  const auto available = runtime_skills(config);
  for (auto& entry : snapshot.entries) {
    const auto at = std::find_if(available.begin(), available.end(), [&](const auto& skill) { return skill.key == entry.key; });
    if (at != available.end()) describe(entry, *at, skills_home, location);
  }
  for (const auto& path : sorted_entries(skills_home)) {
    const std::string name = path.filename().string();
    std::error_code error;
    if (name.starts_with('.') || named(available, name) != nullptr || !fs::is_directory(path, error)) continue;
    snapshot.entries.push_back(entry_of_a_person(path, location));
  }
  std::sort(snapshot.entries.begin(), snapshot.entries.end(),
            [](const auto& a, const auto& b) { return a.key < b.key; });
  return snapshot;
}

Result<fs::path> make_skill_set(const fs::path& instance_root, std::string_view company,
                                const std::vector<RuntimeSkill>& skills) {
  Sha256 hash;
  for (const auto& skill : skills) hash.update(skill.runtime_name + "\n" + skill.source + "\n");
  const fs::path target =
      instance_root / "companies" / company / "skill-sets" / hash.finish_hex().substr(0, 16);
  std::error_code error;
  fs::create_directories(target, error);
  if (error) return internal_error("Cannot create \"" + target.string() + "\": " + error.message());
  const auto notes = link_skills(target, skills, skills);
  if (!notes.empty()) return internal_error(notes.front());
  return target;
}

}  // namespace paperclip::adapters
