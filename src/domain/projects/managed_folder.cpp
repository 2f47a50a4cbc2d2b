#include "domain/projects/managed_folder.h"

#include "domain/projects/workspaces.h"

namespace paperclip::domain {

namespace {

std::string path_segment(std::string_view text) {
  std::string out;
  for (char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
    if (plain) out += c;
    else if (out.empty() || out.back() != '-') out += '-';
  }
  while (!out.empty() && out.front() == '-') out.erase(0, 1);
  while (!out.empty() && out.back() == '-') out.pop_back();
  return out == "." || out == ".." ? std::string() : out;
}

}  // namespace

std::filesystem::path managed_folder(const std::filesystem::path& instance_root, CompanyId company, ProjectId project,
                                     const std::optional<std::string>& repo_url) {
  const auto repository = repository_name(repo_url);
  std::string name = repository ? path_segment(*repository) : std::string();
  if (name.empty()) name = "_default";
  return instance_root / "projects" / company.str() / project.str() / name;
}

}  // namespace paperclip::domain
