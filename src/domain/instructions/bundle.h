#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "base/write_json.h"

/// An agent's instruction files: where they are, reading and writing them (spec/organisation.md 4). Files, so never used
/// inside a transaction; what is decided here is stored by `with_bundle_keys` afterwards.
namespace paperclip::domain {

enum class BundleMode { managed, external };
BOOST_DESCRIBE_ENUM(BundleMode, managed, external)

inline constexpr std::string_view default_entry_file = "AGENTS.md";
/// The pseudo-file under which an inline prompt template shows.
inline constexpr std::string_view legacy_prompt_file = "promptTemplate.legacy.md";

/// What an agent's configuration and the disk say about its bundle (spec/organisation.md 4.2).
struct Bundle {
  std::optional<BundleMode> mode;
  std::optional<std::filesystem::path> root;
  std::filesystem::path managed_root;
  std::string entry_file{default_entry_file};
  std::vector<std::string> warnings;
  std::optional<std::string> legacy_prompt;
  bool legacy_bootstrap_prompt = false;
};

/// Where a managed bundle lives: `<instance>/companies/<company>/agents/<agent>/instructions`.
std::filesystem::path managed_bundle_root(const std::filesystem::path& instance_root, std::string_view company, std::string_view agent);
Bundle derive_bundle(const json::value& adapter_config, const std::filesystem::path& managed_root);

struct BundleFile {
  std::string path;
  std::uint64_t size = 0;
  std::string language;
  bool markdown = false, is_entry_file = false, editable = true, deprecated = false, virtual_ = false;
};
BOOST_DESCRIBE_STRUCT(BundleFile, (), (path, size, language, markdown, is_entry_file, editable, deprecated, virtual_))

/// Every file, sorted; junk, links and special files left out. The legacy prompt comes last.
std::vector<BundleFile> list_bundle_files(const Bundle& bundle);

/// The path inside the bundle, normalised; 422 `Instructions file path must stay within the bundle root`.
Result<std::string> bundle_path(std::string_view path);

/// 404 `Instructions file not found` / `Agent instructions bundle is not configured`.
Result<std::string> read_bundle_file(const Bundle& bundle, const std::string& path);
/// The parent directories are made; the file is replaced in one step.
Result<> write_bundle_file(const std::filesystem::path& root, const std::string& path, std::string_view content);
/// 422 for the entry file and the legacy pseudo-file.
Result<> delete_bundle_file(const Bundle& bundle, const std::string& path);
BundleFile describe_bundle_file(const Bundle& bundle, const std::string& path, std::string_view content);

/// The configuration with the four bundle keys set.
json::object with_bundle_keys(json::object adapter_config, BundleMode mode, const std::filesystem::path& root, const std::string& entry);
/// The same derived from `instructionsFilePath` alone (spec/organisation.md 4.3); without it, the other keys go.
json::object with_derived_bundle_keys(json::object adapter_config, const std::filesystem::path& managed_root);

/// The files a new agent of this role starts with.
std::map<std::string, std::string> default_instruction_files(std::string_view role);

}  // namespace paperclip::domain
