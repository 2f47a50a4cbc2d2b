#include "plugins/npm.h"

#include <spdlog/spdlog.h>

#include "base/json.h"
#include "base/text.h"
#include "os/child_environment.h"
#include "os/files.h"
#include "plugins/package.h"

namespace paperclip::plugins {

namespace fs = std::filesystem;

namespace {

os::Environment npm_environment(const os::Environment& host) {
  auto environment = os::ChildEnvironment::from_host(host);
  environment.allow(host, {"npm_config_*", "NPM_CONFIG_*", "NODE_EXTRA_CA_CERTS"});
  return std::move(environment).variables();
}

Result<os::CommandOutput> npm(std::vector<std::string> arguments, const fs::path& plugin_directory, const os::Environment& host, Deadline deadline) {
  TRY(os::make_directories(plugin_directory));
  os::Command command;
  command.environment = npm_environment(host);
  command.cwd = plugin_directory.string();
  command.argv = {"npm"};
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  return os::run_command(command, deadline);
}

Result<> install(const std::string& what, const std::string& shown, const fs::path& plugin_directory, const os::Environment& host, Deadline deadline) {
  const auto output = npm({"install", what, "--prefix", plugin_directory.string(), "--save", "--ignore-scripts", "--no-audit", "--no-fund"}, plugin_directory, host, deadline);
  if (!output) return bad_request("npm install failed for " + shown + ": " + output.error().message);
  if (!output->ok()) return bad_request("npm install failed for " + shown + ": " + std::string(trim(utf8_tail(output->stderr_text, 4000))));
  return {};
}

Result<fs::path> installed_directory(const std::string& name, const fs::path& plugin_directory) {
  std::error_code ec;
  const fs::path directory = plugin_directory / "node_modules" / name;
  if (!is_inside(directory.lexically_normal(), plugin_directory.lexically_normal()) || !fs::is_directory(directory, ec))
    return bad_request("Package directory not found after installation: " + directory.string());
  return directory;
}

}  // namespace

PackageSpec split_package_spec(std::string_view text) {
  const auto at = text.rfind('@');
  if (at == std::string_view::npos || at == 0 || text.find('/', at) != std::string_view::npos) return {std::string(text), ""};
  return {std::string(text.substr(0, at)), std::string(text.substr(at + 1))};
}

Result<fs::path> npm_install(const PackageSpec& spec, const fs::path& plugin_directory, const os::Environment& host, Deadline deadline) {
  const std::string what = spec.version.empty() ? spec.name : spec.name + "@" + spec.version;
  if (what.starts_with('-')) return bad_request("npm install failed for " + what + ": not a package name");
  TRY(install(what, what, plugin_directory, host, deadline));
  return installed_directory(spec.name, plugin_directory);
}

Result<fs::path> npm_install_tarball(const fs::path& file, const fs::path& plugin_directory, const os::Environment& host, Deadline deadline) {
  os::Command tar;
  tar.argv = {"tar", "-xzOf", file.string(), "package/package.json"};
  tar.environment = npm_environment(host);
  const auto output = os::run_command(tar, deadline);
  if (!output) return bad_request("Cannot read " + file.string() + ": " + output.error().message);
  const auto description = parse_json(output->stdout_text);
  const auto name = output->ok() && description ? text_at(*description, "name") : std::nullopt;
  if (!name) return bad_request("Not a package as npm pack makes it (no package/package.json with a name): " + file.string());
  TRY(install(file.string(), file.string(), plugin_directory, host, deadline));
  return installed_directory(*name, plugin_directory);
}

Result<> npm_uninstall(const std::string& name, const fs::path& plugin_directory, const os::Environment& host, Deadline deadline) {
  std::error_code ec;
  if (fs::exists(plugin_directory / "package.json", ec)) {
    const auto output = npm({"uninstall", name, "--prefix", plugin_directory.string(), "--ignore-scripts", "--no-audit", "--no-fund"}, plugin_directory, host, deadline);
    if (!output || !output->ok()) spdlog::warn("plugin.npm_uninstall_failed package={} error={}", name, output ? utf16_prefix(output->stderr_text, 500) : output.error().message);
  }
  for (const auto& directory : {plugin_directory / "node_modules" / name, plugin_directory / name}) {
    const auto normal = directory.lexically_normal();
    if (normal != plugin_directory.lexically_normal() && is_inside(normal, plugin_directory.lexically_normal())) TRY(os::remove_tree(directory));
  }
  return {};
}

}  // namespace paperclip::plugins
