#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/id.h"

namespace paperclip::domain {

/// Where the checkout of a project is kept that names no folder of its own:
/// `<instance>/projects/<company>/<project>/<repository or _default>` (spec/workspaces.md, paths).
std::filesystem::path managed_folder(const std::filesystem::path& instance_root, CompanyId company, ProjectId project,
                                     const std::optional<std::string>& repo_url);

}  // namespace paperclip::domain
