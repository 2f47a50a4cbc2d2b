#include "plugins/package.h"

#include <unistd.h>

#include <algorithm>

#include "base/random.h"
#include "base/text.h"
#include "os/child_environment.h"
#include "os/files.h"

namespace paperclip::plugins {

namespace fs = std::filesystem;

namespace {

// Writes what the module exports behind a word that nothing else prints, whatever the module logs meanwhile.
constexpr const char* import_script = R"js(
const [word, file] = process.argv.slice(1);
const { pathToFileURL } = await import("node:url");
let module;
try {
  module = await import(pathToFileURL(file).href);
} catch (error) {
  process.stderr.write(String(error && error.message || error));
  process.exit(1);
}
let value = module.default ?? { ...module };
process.stdout.write("\n" + word + JSON.stringify(value), () => process.exit(0));
)js";

std::string host_path(const os::Environment& host) { return std::string(os::value_in(host, "PATH")); }

Result<std::string> find_node(const os::Environment& host) {
  auto node = os::resolve_command("node", "/", host_path(host));
  if (!node) return unprocessable("This plugin's worker is a script, and there is no node in PATH to run it. Install Node.js 18 or newer.");
  return node;
}

Result<json::value> import_module(const fs::path& file, const fs::path& root, const os::Environment& host, Deadline deadline) {
  const std::string failed = "Failed to load manifest module at " + file.string() + ": ";
  os::Command command;
  auto node = find_node(host);
  if (!node) return bad_request(failed + node.error().message);
  const std::string word = Random::system().hex(16);
  command.argv = {*node, "--input-type=module", "-e", import_script, word, file.string()};
  command.cwd = root.string();
  command.environment = worker_environment("", host, {});
  auto output = os::run_command(command, deadline);
  if (!output) return bad_request(failed + output.error().message);
  if (!output->ok()) return bad_request(failed + std::string(trim(utf16_prefix(output->stderr_text, 4000))));
  const auto at = output->stdout_text.rfind(word);
  if (at == std::string::npos) return bad_request(failed + "it ended the process");
  auto value = parse_json(std::string_view(output->stdout_text).substr(at + word.size()), {.max_depth = 200});
  if (!value) return bad_request(failed + value.error().message);
  return value;
}

bool is_file(const fs::path& path) {
  std::error_code ec;
  return fs::is_regular_file(path, ec);
}

std::optional<fs::path> existing_inside(const fs::path& base, const std::string& relative, bool directory) {
  std::error_code ec;
  const fs::path wanted = (base / relative).lexically_normal();
  if (!is_inside(wanted, base.lexically_normal())) return std::nullopt;
  const bool there = directory ? fs::is_directory(wanted, ec) : fs::is_regular_file(wanted, ec);
  if (!there) return std::nullopt;
  return wanted;
}

}  // namespace

bool is_inside(const fs::path& path, const fs::path& base) {
  auto at = path.begin();
  for (auto part = base.begin(); part != base.end(); ++part) {
    if (part->empty()) continue;  // a trailing slash
    if (at == path.end() || *at != *part) return false;
    ++at;
  }
  return true;
}

Result<LoadedPackage> load_package(const fs::path& root, const os::Environment& host, Deadline deadline) {
  const auto text = os::read_file(root / "package.json", 4 * 1024 * 1024);
  if (!text) return bad_request("Missing package.json at " + root.string());
  const auto description = parse_json(*text);
  if (!description || !description->is_object()) return bad_request("Invalid package.json at " + root.string() + (description ? "" : ": " + description.error().message));
  LoadedPackage package;
  package.root = root;
  package.name = text_at(*description, "name").value_or(root.filename().string());
  std::vector<std::string> candidates{"dist/manifest.js", "manifest.js", "dist/manifest.json", "manifest.json"};
  if (const auto* key = member(*description, "paperclipPlugin"))
    if (const auto named = string_at(*key, "manifest")) candidates = {*named};
  std::optional<fs::path> file;
  for (const auto& candidate : candidates) {
    if (is_file(root / candidate)) {
      file = (root / candidate).lexically_normal();
      break;
    }
  }
  if (!file) return bad_request("Package " + package.name + " at " + root.string() + " does not appear to be a Paperclip plugin (no manifest found).");
  json::value manifest;
  if (file->extension() == ".json") {
    const auto content = TRY(os::read_file(*file, 16 * 1024 * 1024));
    auto parsed = parse_json(content, {.max_depth = 200});
    if (!parsed) return bad_request("Failed to load manifest module at " + file->string() + ": " + parsed.error().message);
    manifest = *std::move(parsed);
  } else {
    manifest = TRY(import_module(*file, root, host, deadline));
  }
  package.manifest = TRY(domain::read_manifest(manifest));
  return package;
}

std::vector<fs::path> package_roots(const domain::Plugin& plugin, const fs::path& plugin_directory) {
  std::vector<fs::path> roots;
  std::error_code ec;
  if (plugin.package_path && fs::is_directory(*plugin.package_path, ec)) roots.emplace_back(*plugin.package_path);
  for (const auto& root : {plugin_directory / "node_modules" / plugin.package_name, plugin_directory / plugin.package_name})
    if (is_inside(root.lexically_normal(), plugin_directory.lexically_normal())) roots.push_back(root);
  return roots;
}

Result<fs::path> find_worker(const domain::Plugin& plugin, const domain::PluginManifest& manifest, const fs::path& plugin_directory) {
  const std::string& worker = manifest.entrypoints.worker;
  std::string checked;
  std::error_code ec;
  for (const auto& root : package_roots(plugin, plugin_directory)) {
    checked += (checked.empty() ? "" : ", ") + (root / worker).lexically_normal().string();
    if (const auto file = existing_inside(root, worker, false)) return fs::canonical(*file, ec);
  }
  const fs::path given(worker);
  if (given.is_absolute() && is_file(given)) return fs::canonical(given, ec);
  return bad_request("Worker entrypoint not found for plugin \"" + plugin.plugin_key + "\". Checked: " + checked);
}

Result<fs::path> find_ui_directory(const domain::Plugin& plugin, const domain::PluginManifest& manifest, const fs::path& plugin_directory) {
  std::error_code ec;
  if (manifest.entrypoints.ui)
    for (const auto& root : package_roots(plugin, plugin_directory))
      if (const auto found = existing_inside(root, *manifest.entrypoints.ui, true)) return fs::canonical(*found, ec);
  return not_found("Plugin UI directory not found");
}

Result<WorkerCommand> worker_command(const fs::path& entry, const os::Environment& host) {
  const std::string extension = entry.extension().string();
  if (extension == ".js" || extension == ".mjs" || extension == ".cjs") {
    const std::string node = TRY(find_node(host));
    return WorkerCommand{node, {"node", entry.string()}};
  }
  if (::access(entry.c_str(), X_OK) != 0) return unprocessable("Worker entrypoint " + entry.string() + " is neither a script (.js, .mjs, .cjs) nor executable");
  return WorkerCommand{entry.string(), {entry.string()}};
}

os::Environment worker_environment(std::string_view plugin_id, const os::Environment& host, const std::vector<std::string>& granted) {
  const auto or_else = [&](std::string_view name, std::string_view otherwise) {
    const auto value = os::value_in(host, name);
    return std::string(value.empty() ? otherwise : value);
  };
  os::Environment environment{{"PATH", or_else("PATH", "")},
                              {"NODE_PATH", or_else("NODE_PATH", "")},
                              {"PAPERCLIP_PLUGIN_ID", std::string(plugin_id)},
                              {"NODE_ENV", or_else("NODE_ENV", "production")},
                              {"TZ", or_else("TZ", "UTC")}};
  for (const auto& name : granted) {
    const auto value = os::value_in(host, name);
    if (value.empty() || os::is_server_variable(name) || !os::value_in(environment, name).empty()) continue;
    environment.emplace_back(name, std::string(value));
  }
  return environment;
}

}  // namespace paperclip::plugins
