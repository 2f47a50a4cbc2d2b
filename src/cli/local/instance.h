#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/json.h"
#include "base/result.h"
#include "cli/surroundings.h"
#include "server/config.h"

/// The files that configure one instance: config.json and the .env beside it (spec/cli.md 1.2, 1.3).
namespace paperclip::cli {

class OptionSet;

struct InstanceOptions {
  std::string config, data_dir, instance;
};
void declare_instance_options(OptionSet& command, InstanceOptions& options);

/// `around` with the options in place of PAPERCLIP_HOME, PAPERCLIP_INSTANCE_ID and PAPERCLIP_CONFIG.
Surroundings at_instance(const Surroundings& around, const InstanceOptions& options);

enum class Bind { loopback, lan, tailnet };
/// `tailnet` asks PAPERCLIP_TAILNET_BIND_HOST, then the tailscale program for the address; loopback when neither knows.
json::object default_configuration(const Surroundings& around, const server::Config& paths, Bind bind);

/// The file's content; not_found if there is none, bad_request (which says what is wrong with it) if it does not count.
Result<json::object> read_configuration(const std::filesystem::path& file);
/// Stamps `$meta`, keeps the former version as `config.json.backup`. `source`: onboard, configure or doctor.
Result<> write_configuration(const std::filesystem::path& file, json::object content, std::string_view source);

std::filesystem::path env_file_of(const server::Config& config);
/// The variable's value in the file; nothing if it is not there.
std::optional<std::string> env_file_value(const std::filesystem::path& file, const std::string& name);
/// Adds the variable with a fresh value of 32 random bytes in hex, if the file has none. Returns whether it did.
Result<bool> ensure_env_secret(const std::filesystem::path& file, const std::string& name);

}  // namespace paperclip::cli
