#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"
#include "domain/plugins/manifest.h"
#include "domain/plugins/plugin.h"
#include "os/process.h"

/// Plugin packages on disk (spec/plugins.md 2, 3):
///
///     <plugin directory>/            ~/.paperclip/plugins
///       package.json                 of the managed npm install
///       node_modules/<name>/         npm packages and tarballs
///     anywhere else                  local installs stay where they are
namespace paperclip::plugins {

struct LoadedPackage {
  std::string name;
  std::filesystem::path root;
  domain::PluginManifest manifest;
};

/// Reads package.json, finds the manifest and loads it: JSON is parsed, a module is imported by a short-lived node.
/// Errors (bad_request) are the texts of spec/plugins.md 2.6. `named` overrides the name in messages.
Result<LoadedPackage> load_package(const std::filesystem::path& root, const os::Environment& host, Deadline deadline);

/// Where the files of an installed plugin may lie, best first.
std::vector<std::filesystem::path> package_roots(const domain::Plugin& plugin, const std::filesystem::path& plugin_directory);
/// The worker's file, all links resolved; the error lists what was looked at.
Result<std::filesystem::path> find_worker(const domain::Plugin& plugin, const domain::PluginManifest& manifest,
                                          const std::filesystem::path& plugin_directory);
/// The directory of the user interface's files, links resolved; not_found if there is none.
Result<std::filesystem::path> find_ui_directory(const domain::Plugin& plugin, const domain::PluginManifest& manifest,
                                                const std::filesystem::path& plugin_directory);

struct WorkerCommand {
  std::string executable;
  std::vector<std::string> argv;
};
/// node for scripts, the file itself when it can be executed. Says so when node is needed and not there.
Result<WorkerCommand> worker_command(const std::filesystem::path& entry, const os::Environment& host);

/// The five variables of spec/plugins.md 6.2 and those that the board granted; nothing else.
os::Environment worker_environment(std::string_view plugin_id, const os::Environment& host, const std::vector<std::string>& granted);

/// True if `path` lies in `base` or is it; by components, both as they are.
bool is_inside(const std::filesystem::path& path, const std::filesystem::path& base);

}  // namespace paperclip::plugins
