#pragma once

#include <filesystem>
#include <string>

#include "base/deadline.h"
#include "base/result.h"
#include "os/process.h"

/// npm as the host uses it: no shell, no install scripts, into the plugin directory (spec/plugins.md 3).
namespace paperclip::plugins {

struct PackageSpec {
  std::string name;
  std::string version;  // empty: the latest
};
/// `name`, `@scope/name`, and the same with `@version`.
PackageSpec split_package_spec(std::string_view text);

/// Installs and returns the package's directory. Errors: `npm install failed for <spec>: …`,
/// `Package directory not found after installation: <path>`.
Result<std::filesystem::path> npm_install(const PackageSpec& spec, const std::filesystem::path& plugin_directory, const os::Environment& host, Deadline deadline);
/// The same for a `.tgz` as `npm pack` makes it.
Result<std::filesystem::path> npm_install_tarball(const std::filesystem::path& file, const std::filesystem::path& plugin_directory,
                                                  const os::Environment& host, Deadline deadline);
/// Takes the package out of the plugin directory again; what npm cannot do is done by hand.
Result<> npm_uninstall(const std::string& name, const std::filesystem::path& plugin_directory, const os::Environment& host, Deadline deadline);

}  // namespace paperclip::plugins
