#include "adapters/claude_local/bundle.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <set>
#include <sstream>

#include "base/crypto.h"
#include "base/random.h"

namespace paperclip::adapters {

namespace fs = std::filesystem;

namespace {

std::optional<std::string> read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

// Every file below `directory` by relative path, links followed; a directory that is its own ancestor ends there.
void hash_tree(Sha256& hash, const fs::path& directory, const std::string& prefix, std::set<fs::path> ancestors) {
  std::error_code error;
  const fs::path real = fs::canonical(directory, error);
  if (error || !ancestors.insert(real).second) return;
  std::vector<fs::path> entries;
  for (const auto& entry : fs::directory_iterator(real, error)) entries.push_back(entry.path());
  std::sort(entries.begin(), entries.end());
  for (const auto& entry : entries) {
    const std::string name = prefix + entry.filename().string();
    const auto status = fs::status(entry, error);
    if (fs::is_directory(status)) {
      hash_tree(hash, entry, name + "/", ancestors);
    } else if (fs::is_regular_file(status)) {
      const auto content = read_file(entry).value_or("");
      hash.update("file:" + name + ":" + std::to_string(content.size()) + "\n");
      hash.update(content);
    }
  }
}

std::string bundle_key(const std::optional<std::string>& instructions, const std::vector<RuntimeSkill>& skills) {
  Sha256 hash;
  hash.update("paperclip-claude-prompt-bundle:v1\n");
  if (instructions)
    hash.update("instructions\n" + *instructions + "\n");
  else
    hash.update("instructions:none\n");
  for (const auto& skill : skills) {
    hash.update("skill:" + skill.key + ":" + skill.runtime_name + "\n");
    hash_tree(hash, skill.source, "", {});
  }
  return hash.finish_hex();
}

Result<void> write_file(const fs::path& path, std::string_view content) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << content;
  if (!file.flush()) return internal_error("Cannot write \"" + path.string() + "\"");
  return success();
}

// Fills a folder beside `target` and renames it there: one that exists is complete. Losing the race is fine.
template <class Fill>
Result<void> make_folder(const fs::path& target, Fill fill) {
  std::error_code error;
  if (fs::exists(target, error)) return success();
  fs::create_directories(target.parent_path(), error);
  if (error) return internal_error("Cannot create \"" + target.parent_path().string() + "\": " + error.message());
  const fs::path beside = target.string() + "." + Random::system().hex(6);
  fs::create_directory(beside, error);
  if (error) return internal_error("Cannot create \"" + beside.string() + "\": " + error.message());
  fs::permissions(beside, fs::perms::owner_all, error);
  Result<void> filled = fill(beside);
  if (filled.ok()) fs::rename(beside, target, error);
  std::error_code ignored;
  if (!filled.ok() || error) fs::remove_all(beside, ignored);
  if (!filled.ok()) return filled;
  if (error && !fs::exists(target, ignored))
    return internal_error("Cannot create \"" + target.string() + "\": " + error.message());
  return success();
}

}  // namespace

Result<PromptBundle> make_prompt_bundle(const fs::path& instance_root, const CompanyId& company,
                                        const std::optional<Instructions>& instructions,
                                        const std::vector<RuntimeSkill>& skills) {
  std::vector<RuntimeSkill> sorted = skills;
  std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.runtime_name < b.runtime_name; });
  std::optional<std::string> text;
  if (instructions) text = instructions_with_origin(*instructions);

  PromptBundle bundle;
  bundle.key = bundle_key(text, sorted);
  bundle.directory = instance_root / "companies" / company.str() / "claude-prompt-cache" / bundle.key;
  bundle.has_instructions = text.has_value();
  TRY(make_folder(bundle.directory, [&](const fs::path& folder) -> Result<void> {
    std::error_code error;
    fs::create_directories(folder / ".claude" / "skills", error);
    for (const auto& skill : sorted) {
      const fs::path link = folder / ".claude" / "skills" / skill.runtime_name;
      fs::create_directory_symlink(skill.source, link, error);
      if (error)
        return internal_error("Cannot link skill \"" + skill.key + "\" into \"" + link.string() +
                              "\": " + error.message());
    }
    return text ? write_file(folder / PromptBundle::instructions_file, *text + "\n") : success();
  }));
  return bundle;
}

Result<std::optional<fs::path>> make_config_seed(const fs::path& instance_root, const CompanyId& company,
                                                 const fs::path& config_directory) {
  static constexpr std::array names = {".credentials.json", "credentials.json", "settings.json", "settings.local.json",
                                       "CLAUDE.md"};
  std::vector<std::pair<std::string, std::string>> found;
  Sha256 hash;
  for (auto name : names) {
    auto content = read_file(config_directory / name);
    if (!content) continue;
    hash.update(std::string(name) + ":" + std::to_string(content->size()) + "\n");
    hash.update(*content);
    found.emplace_back(name, std::move(*content));
  }
  if (found.empty()) return std::optional<fs::path>();
  const fs::path target =
      instance_root / "companies" / company.str() / "claude-config-seed" / hash.finish_hex().substr(0, 16);
  TRY(make_folder(target, [&](const fs::path& folder) -> Result<void> {
    for (const auto& [name, content] : found) {
      TRY(write_file(folder / name, content));
      std::error_code error;
      fs::permissions(folder / name, fs::perms::owner_read | fs::perms::owner_write, error);
    }
    return success();
  }));
  return std::optional<fs::path>(target);
}

}  // namespace paperclip::adapters
