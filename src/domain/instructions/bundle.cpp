#include "domain/instructions/bundle.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/embedded.h"
#include "base/text.h"
#include "os/files.h"

namespace paperclip::domain {

namespace fs = std::filesystem;

namespace {

constexpr std::array junk_directories = {".git", ".nox", ".pytest_cache", ".ruff_cache", ".tox", ".venv", "__pycache__", "node_modules", "venv"};

bool is_junk_file(const std::string& name) {
  return name == ".DS_Store" || name == "Thumbs.db" || name == "Desktop.ini" || name.starts_with("._") || name.ends_with(".pyc") || name.ends_with(".pyo");
}

std::string language_of(const std::string& path) {
  static const std::map<std::string, std::string> by_extension = {
      {".md", "markdown"}, {".json", "json"}, {".yaml", "yaml"}, {".yml", "yaml"}, {".ts", "typescript"}, {".tsx", "typescript"},
      {".js", "javascript"}, {".jsx", "javascript"}, {".mjs", "javascript"}, {".cjs", "javascript"}, {".sh", "bash"}, {".py", "python"}, {".toml", "toml"}};
  const auto at = by_extension.find(lower(fs::path(path).extension().string()));
  return at == by_extension.end() ? "text" : at->second;
}

fs::path expanded(const std::string& text) {
  if (text != "~" && !text.starts_with("~/")) return text;
  const char* home = std::getenv("HOME");
  return fs::path(home == nullptr ? "/" : home) / text.substr(std::min<std::size_t>(2, text.size()));
}

bool is_inside(const fs::path& path, const fs::path& root) {
  const auto relative = path.lexically_normal().lexically_relative(root.lexically_normal());
  return !relative.empty() && *relative.begin() != "..";
}

void collect(const fs::path& root, const fs::path& at, std::vector<std::string>& out) {
  std::error_code problem;
  for (const auto& entry : fs::directory_iterator(at, problem)) {
    const std::string name = entry.path().filename().string();
    const auto status = entry.symlink_status(problem);
    if (fs::is_directory(status)) {
      if (std::find(junk_directories.begin(), junk_directories.end(), name) == junk_directories.end()) collect(root, entry.path(), out);
    } else if (fs::is_regular_file(status) && !is_junk_file(name)) {
      out.push_back(entry.path().lexically_relative(root).generic_string());
    }
  }
}

std::vector<std::string> files_below(const fs::path& root) {
  std::vector<std::string> out;
  std::error_code problem;
  if (fs::is_directory(root, problem)) collect(root, root, out);
  std::sort(out.begin(), out.end());
  return out;
}

// A link in an external bundle must not lead out of it.
Result<fs::path> resolved_inside(const fs::path& root, const std::string& path) {
  std::error_code problem;
  const fs::path real_root = fs::weakly_canonical(root, problem), real = fs::weakly_canonical(root / path, problem);
  if (!is_inside(real, real_root)) return unprocessable("Instructions file path must stay within the bundle root");
  return real;
}

BundleFile summary(const Bundle& bundle, const std::string& path, std::uint64_t size) {
  BundleFile file;
  file.path = path;
  file.size = size;
  file.language = language_of(path);
  file.markdown = file.language == "markdown";
  file.is_entry_file = path == bundle.entry_file;
  file.deprecated = file.virtual_ = path == legacy_prompt_file;
  return file;
}

// Managed files on the disk win over stale or missing metadata (spec/organisation.md 4.2 step 3).
void recover(Bundle& bundle) {
  const auto files = files_below(bundle.managed_root);
  if (files.empty() || bundle.mode == BundleMode::external) return;
  const auto has = [&](std::string_view name) { return std::find(files.begin(), files.end(), name) != files.end(); };
  const std::string entry = has(bundle.entry_file) ? bundle.entry_file : has(default_entry_file) ? std::string(default_entry_file) : files.front();
  if (bundle.root && *bundle.root != bundle.managed_root)
    bundle.warnings.push_back("Recovered managed instructions from disk at " + bundle.managed_root.string() + "; ignoring stale configured root " +
                              bundle.root->string() + ".");
  if (bundle.root && entry != bundle.entry_file)
    bundle.warnings.push_back("Recovered managed instructions entry file from disk as " + entry + "; previous entry " + bundle.entry_file + " was missing.");
  bundle.root = bundle.managed_root;
  bundle.mode = BundleMode::managed;
  bundle.entry_file = entry;
}

}  // namespace

fs::path managed_bundle_root(const fs::path& instance_root, std::string_view company, std::string_view agent) {
  return instance_root / "companies" / company / "agents" / agent / "instructions";
}

Result<std::string> bundle_path(std::string_view text) {
  std::string path(text);
  std::replace(path.begin(), path.end(), '\\', '/');
  path = fs::path(path).lexically_normal().generic_string();
  while (path.starts_with('/')) path.erase(0, 1);
  if (path.empty() || path == "." || path == ".." || path.starts_with("../") || path.ends_with('/'))
    return unprocessable("Instructions file path must stay within the bundle root");
  return path;
}

Bundle derive_bundle(const json::value& config, const fs::path& managed_root) {
  Bundle bundle;
  bundle.managed_root = managed_root;
  bundle.legacy_prompt = text_at(config, "promptTemplate");
  bundle.legacy_bootstrap_prompt = text_at(config, "bootstrapPromptTemplate").has_value();
  if (const auto mode = text_at(config, "instructionsBundleMode")) bundle.mode = parse_enum<BundleMode>(*mode);
  if (const auto root = text_at(config, "instructionsRootPath")) bundle.root = expanded(*root);
  if (const auto entry = text_at(config, "instructionsEntryFile")) {
    if (auto path = bundle_path(*entry)) bundle.entry_file = *path;
    else bundle.warnings.push_back("Ignored invalid instructions entry file \"" + *entry + "\".");
  }
  if (!bundle.root) {
    auto file = text_at(config, "instructionsFilePath");
    if (!file) file = text_at(config, "agentsMdPath");
    if (file) {
      fs::path path = expanded(*file);
      if (path.is_relative()) {
        const auto cwd = text_at(config, "cwd");
        if (cwd && fs::path(*cwd).is_absolute()) {
          path = fs::path(*cwd) / path;
          bundle.warnings.push_back("Using the relative instructions path \"" + *file + "\" below the agent's working directory.");
        } else {
          bundle.warnings.push_back("Ignored the relative instructions path \"" + *file + "\": the agent has no absolute working directory.");
          path.clear();
        }
      }
      if (!path.empty()) {
        bundle.root = path.parent_path();
        bundle.entry_file = path.filename().string();
        bundle.mode = is_inside(path, managed_root) ? BundleMode::managed : BundleMode::external;
      }
    }
  }
  recover(bundle);
  if (bundle.root && !bundle.mode) bundle.mode = *bundle.root == managed_root ? BundleMode::managed : BundleMode::external;
  std::error_code problem;
  if (bundle.root && !fs::is_directory(*bundle.root, problem))
    bundle.warnings.push_back("Instructions root does not exist: " + bundle.root->string());
  return bundle;
}

std::vector<BundleFile> list_bundle_files(const Bundle& bundle) {
  std::vector<BundleFile> out;
  if (bundle.root)
    for (const auto& path : files_below(*bundle.root)) {
      std::error_code problem;
      const auto size = fs::file_size(*bundle.root / path, problem);
      out.push_back(summary(bundle, path, problem ? 0 : size));
    }
  if (bundle.legacy_prompt) out.push_back(summary(bundle, std::string(legacy_prompt_file), bundle.legacy_prompt->size()));
  return out;
}

BundleFile describe_bundle_file(const Bundle& bundle, const std::string& path, std::string_view content) {
  return summary(bundle, path, content.size());
}

Result<std::string> read_bundle_file(const Bundle& bundle, const std::string& path) {
  if (path == legacy_prompt_file && bundle.legacy_prompt) return *bundle.legacy_prompt;
  if (!bundle.root) return not_found("Agent instructions bundle is not configured");
  const fs::path file = TRY(resolved_inside(*bundle.root, path));
  std::error_code problem;
  if (!fs::is_regular_file(file, problem)) return not_found("Instructions file not found");
  auto content = os::read_file(file);
  if (!content) return not_found("Instructions file not found");
  return content;
}

Result<> write_bundle_file(const fs::path& root, const std::string& path, std::string_view content) {
  TRY(os::make_directories(root));
  const fs::path file = TRY(resolved_inside(root, path));
  TRY(os::make_directories(file.parent_path()));
  return os::write_file_atomically(file, content, 0644);
}

Result<> delete_bundle_file(const Bundle& bundle, const std::string& path) {
  if (path == legacy_prompt_file) return unprocessable("Cannot delete the legacy promptTemplate pseudo-file");
  if (!bundle.root) return not_found("Agent instructions bundle is not configured");
  if (path == bundle.entry_file) return unprocessable("Cannot delete the bundle entry file");
  const fs::path file = TRY(resolved_inside(*bundle.root, path));
  std::error_code problem;
  if (!fs::is_regular_file(file, problem) || !fs::remove(file, problem)) return not_found("Instructions file not found");
  return {};
}

json::object with_bundle_keys(json::object config, BundleMode mode, const fs::path& root, const std::string& entry) {
  config["instructionsBundleMode"] = to_text(mode);
  config["instructionsRootPath"] = root.string();
  config["instructionsEntryFile"] = entry;
  config["instructionsFilePath"] = (root / entry).string();
  return config;
}

json::object with_derived_bundle_keys(json::object config, const fs::path& managed_root) {
  const auto file = text_at(json::value(config), "instructionsFilePath");
  if (!file) {
    for (const char* key : {"instructionsBundleMode", "instructionsRootPath", "instructionsEntryFile", "instructionsFilePath"}) config.erase(key);
    return config;
  }
  const fs::path path = expanded(*file);
  if (path.is_relative()) return config;
  return with_bundle_keys(std::move(config), is_inside(path, managed_root) ? BundleMode::managed : BundleMode::external, path.parent_path(),
                          path.filename().string());
}

std::map<std::string, std::string> default_instruction_files(std::string_view role) {
  const std::string folder = role == "ceo" ? "ceo/" : "default/";
  std::map<std::string, std::string> out;
  for (const auto& file : default_instructions().files())
    if (file.path.starts_with(folder)) out.emplace(file.path.substr(folder.size()), file.content);
  return out;
}

}  // namespace paperclip::domain
