#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "base/result.h"
#include "cli/surroundings.h"

/// Named connections, so that a person need not repeat a server's address and a company's id (spec/cli.md 1.4).
namespace paperclip::cli {

struct Profile {
  std::optional<std::string> api_base;
  std::optional<std::string> company_id;
  /// The variable that holds the API key. Keys themselves are never stored here.
  std::optional<std::string> api_key_env_var_name;
};

struct Context {
  std::filesystem::path path;  // whether or not it exists
  std::string current_profile = "default";
  std::map<std::string, Profile> profiles;

  /// The profile of that name, or the current one; an empty one if there is none.
  Profile profile(const std::string& name) const;
};

/// `named` if given, else PAPERCLIP_CONTEXT, the nearest `.paperclip/context.json` upwards, `<home>/context.json`.
std::filesystem::path context_path(const Surroundings& around, const std::string& named);

/// A missing file, or one of another structure, is the default; a file that is no JSON is an error.
Result<Context> read_context(const std::filesystem::path& path);
Result<> write_context(const Context& context);

}  // namespace paperclip::cli
