#include "adapters/skills.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "adapters/config.h"
#include "base/crypto.h"
#include "base/embedded.h"
#include "base/random.h"
#include "base/text.h"

namespace paperclip::adapters {

namespace fs = std::filesystem;

namespace {

std::string last_segment(std::string_view key) {
  const auto slash = key.rfind('/');
  return std::string(slash == std::string_view::npos ? key : key.substr(slash + 1));
}

// The one skill the property holds for; nullptr for none or several.
template <class Property>
const RuntimeSkill* only(const std::vector<RuntimeSkill>& skills, Property property) {
  const RuntimeSkill* found = nullptr;
  for (const auto& skill : skills) {
    if (!property(skill)) continue;
    if (found != nullptr) return nullptr;
    found = &skill;
  }
  return found;
}

std::string canonical_key(std::string_view reference, const std::vector<RuntimeSkill>& skills) {
  const std::string wanted = lower(trim(reference));
  if (const auto* s = only(skills, [&](const auto& skill) { return lower(skill.key) == wanted; })) return s->key;
  if (const auto* s = only(skills, [&](const auto& skill) { return lower(skill.runtime_name) == wanted; }))
    return s->key;
  if (const auto* s = only(skills, [&](const auto& skill) { return lower(last_segment(skill.key)) == wanted; }))
    return s->key;
  return wanted;
}

SkillEntry entry_of(const RuntimeSkill& skill, bool desired) {
  SkillEntry entry;
  entry.key = skill.key;
  entry.runtime_name = skill.runtime_name;
  entry.desired = desired;
  entry.managed = true;
  entry.required = skill.required;
  entry.required_reason = skill.required_reason;
  entry.state = desired ? "configured" : "available";
  entry.origin = skill.required ? "paperclip_required" : "company_managed";
  entry.origin_label = skill.required ? "Required by Paperclip" : "Managed by Paperclip";
  entry.source_path = skill.source;
  if (desired) entry.detail = "Mounted for the next run.";
  return entry;
}

}  // namespace

std::vector<RuntimeSkill> runtime_skills(const json::object& config) {
  std::vector<RuntimeSkill> out;
  const auto* list = config.if_contains("paperclipRuntimeSkills");
  if (list == nullptr || !list->is_array()) return out;
  for (const auto& item : list->get_array()) {
    RuntimeSkill skill{text_at(item, "key").value_or(""), text_at(item, "runtimeName").value_or(""),
                       text_at(item, "source").value_or(""), false, text_at(item, "requiredReason")};
    if (const auto* required = member(item, "required")) skill.required = required->is_bool() && required->get_bool();
    // The name becomes a folder's: nothing that could lead out of it.
    const bool usable = !skill.runtime_name.empty() && skill.runtime_name.find('/') == std::string::npos &&
                        skill.runtime_name != "." && skill.runtime_name != "..";
    if (!skill.key.empty() && !skill.source.empty() && usable) out.push_back(std::move(skill));
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
  return out;
}

std::vector<std::string> desired_skills(const json::object& config, const std::vector<RuntimeSkill>& available) {
  std::vector<std::string> out;
  const auto add = [&](std::string key) {
    if (!key.empty() && std::find(out.begin(), out.end(), key) == out.end()) out.push_back(std::move(key));
  };
  for (const auto& skill : available)
    if (skill.required) add(skill.key);
  for (const auto& reference : config_list(config_object(config, "paperclipSkillSync"), "desiredSkills"))
    add(canonical_key(reference, available));
  return out;
}

SkillSnapshot ephemeral_skill_snapshot(std::string_view adapter_type, const json::object& config) {
  SkillSnapshot snapshot;
  snapshot.adapter_type = adapter_type;
  snapshot.supported = true;
  snapshot.mode = "ephemeral";
  const auto available = runtime_skills(config);
  snapshot.desired_skills = desired_skills(config, available);
  const auto desired = [&](const std::string& key) {
    return std::find(snapshot.desired_skills.begin(), snapshot.desired_skills.end(), key) !=
           snapshot.desired_skills.end();
  };
  for (const auto& skill : available) snapshot.entries.push_back(entry_of(skill, desired(skill.key)));
  for (const auto& key : snapshot.desired_skills) {
    if (std::any_of(available.begin(), available.end(), [&](const auto& skill) { return skill.key == key; })) continue;
    SkillEntry entry;
    entry.key = key;
    entry.desired = true;
    entry.managed = true;
    entry.state = "missing";
    entry.origin = "external_unknown";
    entry.origin_label = "External or unavailable";
    entry.detail = "The company has no skill of this name.";
    snapshot.entries.push_back(std::move(entry));
    snapshot.warnings.push_back("Desired skill \"" + key + "\" is not among the company's skills.");
  }
  std::sort(snapshot.entries.begin(), snapshot.entries.end(),
            [](const auto& a, const auto& b) { return a.key < b.key; });
  return snapshot;
}

SkillSnapshot unsupported_skill_snapshot(std::string_view adapter_type, const json::object& config) {
  SkillSnapshot snapshot;
  snapshot.adapter_type = adapter_type;
  snapshot.desired_skills = desired_skills(config, runtime_skills(config));
  snapshot.warnings = {"This adapter does not implement skill sync yet."};
  return snapshot;
}

Result<std::vector<BundledSkill>> install_bundled_skills(const fs::path& instance_root) {
  const EmbeddedFolder& shipped = bundled_skills();
  Sha256 hash;
  for (const auto& file : shipped.files()) {
    hash.update(std::string(file.path) + "\n" + std::to_string(file.content.size()) + "\n");
    hash.update(file.content);
  }
  const fs::path target = instance_root / "bundled-skills" / hash.finish_hex().substr(0, 16);
  std::error_code error;
  if (!fs::exists(target, error)) {
    // Written beside and renamed, so that a folder that exists is complete whoever else writes it.
    const fs::path beside = target.string() + "." + Random::system().hex(6);
    for (const auto& file : shipped.files()) {
      const fs::path path = beside / file.path;
      fs::create_directories(path.parent_path(), error);
      std::ofstream out(path, std::ios::binary);
      out << file.content;
      if (!out.flush()) return internal_error("Cannot write the bundled skills to \"" + path.string() + "\"");
    }
    fs::rename(beside, target, error);
    if (error) {
      std::error_code ignored;
      fs::remove_all(beside, ignored);
      if (!fs::exists(target, ignored))
        return internal_error("Cannot write the bundled skills to \"" + target.string() + "\": " + error.message());
    }
  }
  std::vector<BundledSkill> out;
  for (auto name : shipped.folders())
    out.push_back({std::string(name), "paperclipai/paperclip/" + std::string(name), target / name});
  return out;
}

SkillHeader skill_header(std::string_view markdown) {
  SkillHeader header;
  if (!markdown.starts_with("---\n")) return header;
  const auto end = markdown.find("\n---", 3);
  const auto front = markdown.substr(4, end == std::string_view::npos ? std::string_view::npos : end - 3);
  std::string* folded = nullptr;  // the value that indented lines continue
  for (const auto& line : split(front, '\n')) {
    if (folded != nullptr && (line.starts_with(' ') || line.starts_with('\t'))) {
      (*folded += folded->empty() ? "" : " ") += trim(line);
      continue;
    }
    folded = nullptr;
    for (auto [key, value] : {std::pair{"name:", &header.name}, std::pair{"description:", &header.description}}) {
      if (!line.starts_with(key)) continue;
      auto text = trim(std::string_view(line).substr(std::string_view(key).size()));
      if (text == ">" || text == "|" || text == ">-" || text == "|-") {
        text = {};
        folded = value;
      } else if (text.size() >= 2 && (text.front() == '"' || text.front() == '\'') && text.back() == text.front()) {
        text = text.substr(1, text.size() - 2);
      } else {
        folded = value;
      }
      *value = text;
    }
  }
  return header;
}

}  // namespace paperclip::adapters
