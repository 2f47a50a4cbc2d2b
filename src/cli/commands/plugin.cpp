#include "base/text.h"
#include "cli/client_command.h"
#include "cli/commands/all.h"

namespace paperclip::cli {

namespace {

struct PluginReference : ClientOptions {
  std::string plugin;
};
void declare_plugin(OptionSet& command, PluginReference& options) {
  command.add("plugin", options.plugin, "Plugin key or id").required();
}

struct Listing : ClientOptions {
  std::string status;
};

Result<> list(Client& client, const Listing& options) {
  client.print(TRY(client.get(QueryText().add("status", options.status).after("/api/plugins"))),
               {"pluginKey", "version", "status", "id", "lastError"});
  return {};
}

struct Installation : ClientOptions {
  std::string package, version, host_variables;
  bool local = false;
};

// `A,B` as the body's list; nothing when it is empty.
void put_host_variables(json::object& body, const std::string& names) {
  json::array list;
  for (const auto& name : split(names, ','))
    if (!trim(name).empty()) list.emplace_back(trim(name));
  if (!list.empty()) body["hostVariables"] = std::move(list);
}

Result<> install(Client& client, const Installation& options) {
  const std::string& name = options.package;
  const bool local = options.local || name.starts_with("./") || name.starts_with("../") || name.starts_with('/') ||
                     name.starts_with('~');
  json::object body{{"packageName", local ? expand_path(client.around(), name).string() : name},
                    {"isLocalPath", local}};
  put(body, "version", options.version);
  put_host_variables(body, options.host_variables);
  client.print(TRY(client.post("/api/plugins/install", body)));
  return {};
}

struct Removal : PluginReference {
  bool force = false;
};

Result<> uninstall(Client& client, const Removal& options) {
  client.print(TRY(client.remove(
      QueryText().add("purge", options.force ? "true" : "").after(path("/api/plugins/{}", {options.plugin})))));
  return {};
}

Result<> inspect(Client& client, const PluginReference& options) {
  const json::value plugin = TRY(client.get(path("/api/plugins/{}", {options.plugin})));
  if (plugin.is_null())
    return not_found("There is no plugin '" + options.plugin + "'. `paperclip plugin list` shows what is installed.");
  client.print(plugin);
  return {};
}

Result<> examples(Client& client, const NoMore&) {
  client.print(TRY(client.get("/api/plugins/examples")),
               {"packageName", "pluginKey", "displayName", "description", "localPath", "tag"});
  return {};
}

}  // namespace

void add_plugin_commands(CommandLine& line) {
  const auto group = line.group("plugin", "Plugins");
  const auto with_plugin = [&](const char* name, const char* description, auto run) {
    add_client_command<PluginReference>(line, group, name, description, CompanyOption::none, declare_plugin, run);
  };
  add_client_command<Listing>(
      line, group, "list", "List the plugins", CompanyOption::none,
      [](OptionSet& command, Listing& options) { command.add("--status", options.status, "Only in this status"); },
      list);
  add_client_command<Installation>(
      line, group, "install", "Install a plugin", CompanyOption::none,
      [](OptionSet& command, Installation& options) {
        command.add("package", options.package, "npm package, or a path that the server can read").required();
        command.flag("-l,--local", options.local, "It is a path");
        command.add("--version", options.version, "Version of the package");
        command.add("--host-variables", options.host_variables, "Variables of the server that its worker may see: A,B");
      },
      install);
  add_client_command<Removal>(
      line, group, "uninstall", "Remove a plugin", CompanyOption::none,
      [](OptionSet& command, Removal& options) {
        declare_plugin(command, options);
        command.flag("--force", options.force, "Delete what it stored as well");
      },
      uninstall);
  for (const char* verb : {"enable", "disable"})
    with_plugin(verb, verb == std::string_view("enable") ? "Start a plugin" : "Stop a plugin",
                [verb](Client& client, const PluginReference& options) -> Result<> {
                  client.print(TRY(client.post(path(std::string("/api/plugins/{}/") + verb, {options.plugin}))));
                  return {};
                });
  with_plugin("inspect", "Show a plugin", inspect);
  add_client_command<NoMore>(line, group, "examples", "List plugins to learn from", CompanyOption::none, nothing_more,
                             examples);
}

}  // namespace paperclip::cli
