#pragma once

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

/// Files that travel inside the binary. cmake/Embed.cmake makes one function per folder.
namespace paperclip {

struct EmbeddedFile {
  std::string_view path;  // relative to the folder, `/` between its parts
  std::string_view content;
};

/// A folder as it was when the binary was built; its files are sorted by path.
class EmbeddedFolder {
 public:
  explicit EmbeddedFolder(std::vector<EmbeddedFile> sorted) : files_(std::move(sorted)) {}

  const std::vector<EmbeddedFile>& files() const { return files_; }
  /// nullptr if there is no such file.
  const EmbeddedFile* find(std::string_view path) const {
    const auto at =
        std::lower_bound(files_.begin(), files_.end(), path,
                         [](const EmbeddedFile& file, std::string_view wanted) { return file.path < wanted; });
    return at != files_.end() && at->path == path ? &*at : nullptr;
  }
  /// The names of the folders directly inside, sorted.
  std::vector<std::string_view> folders() const {
    std::vector<std::string_view> names;
    for (const auto& file : files_) {
      const auto slash = file.path.find('/');
      if (slash == std::string_view::npos) continue;
      const auto name = file.path.substr(0, slash);
      if (names.empty() || names.back() != name) names.push_back(name);
    }
    std::sort(names.begin(), names.end());  // `a-b/` comes before `a/` among the paths
    return names;
  }

 private:
  std::vector<EmbeddedFile> files_;
};

/// skills/: one folder per skill, each with a SKILL.md (spec/organisation.md 6.4).
const EmbeddedFolder& bundled_skills();
/// assets/instructions/: `default/AGENTS.md` and the four files of `ceo/` (spec/organisation.md 4.5).
const EmbeddedFolder& default_instructions();

}  // namespace paperclip
