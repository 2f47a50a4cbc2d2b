#include <fmt/format.h>

#include <ostream>

#include "base/text.h"
#include "cli/command_line.h"
#include "cli/local/all.h"
#include "cli/local/instance.h"
#include "cli/output.h"

namespace paperclip::cli {

namespace {

struct EnvOptions : InstanceOptions {
  bool as_json = false;
};

struct Variable {
  std::string name, value, source;  // environment, config, file, default, missing
  bool required = false;
};

std::vector<Variable> variables_of(const Surroundings& around, const server::Config& config) {
  std::vector<Variable> out;
  const auto file = env_file_of(config);
  const auto configuration = read_configuration(config.config_file);
  const json::value content = configuration ? json::value(*configuration) : json::value(nullptr);
  const auto add = [&](const char* name, std::string_view where, std::string otherwise, bool required = false) {
    Variable variable{name, around.variable(name), "environment", required};
    if (variable.value.empty())
      if (auto value = env_file_value(file, name)) variable = {name, *value, "file", required};
    if (variable.value.empty() && !where.empty())
      if (const auto* value = find_path(content, where); value != nullptr && !value->is_null())
        variable = {name, value->is_string() ? std::string(value->get_string()) : to_string(*value), "config",
                    required};
    if (variable.value.empty()) variable = {name, otherwise, otherwise.empty() ? "missing" : "default", required};
    out.push_back(std::move(variable));
  };
  add("PAPERCLIP_AGENT_JWT_SECRET", "", "", true);
  add("DATABASE_URL", "database.connectionString", "");
  add("PORT", "server.port", "3100");
  add("PAPERCLIP_PUBLIC_URL", "auth.publicBaseUrl", "");
  add("BETTER_AUTH_TRUSTED_ORIGINS", "", config.public_url);
  add("PAPERCLIP_AGENT_JWT_TTL_SECONDS", "", "172800");
  add("PAPERCLIP_AGENT_JWT_ISSUER", "", "paperclip");
  add("PAPERCLIP_AGENT_JWT_AUDIENCE", "", "paperclip-api");
  add("HEARTBEAT_SCHEDULER_INTERVAL_MS", "", "30000");
  add("HEARTBEAT_SCHEDULER_ENABLED", "", "true");
  add("PAPERCLIP_SECRETS_PROVIDER", "secrets.provider", "local_encrypted");
  add("PAPERCLIP_SECRETS_STRICT_MODE", "secrets.strictMode", "false");
  add("PAPERCLIP_SECRETS_MASTER_KEY_FILE", "secrets.localEncrypted.keyFilePath", config.secrets_key_file.string());
  add("PAPERCLIP_STORAGE_PROVIDER", "storage.provider", "local_disk");
  add("PAPERCLIP_STORAGE_LOCAL_DIR", "storage.localDisk.baseDir", config.storage_directory.string());
  add("PAPERCLIP_CONFIG", "", config.config_file.string());
  return out;
}

Result<int> env(const Surroundings& outside, const EnvOptions& options) {
  const Surroundings around = at_instance(outside, options);
  const auto config = TRY(server::load_config(around.environment, around.working_directory));
  const auto variables = variables_of(around, config);
  if (options.as_json) {
    json::array rows;
    for (const auto& variable : variables)
      rows.emplace_back(json::object{{"name", variable.name},
                                     {"value", variable.value},
                                     {"source", variable.source},
                                     {"required", variable.required}});
    print_value(around.out, rows, true);
    return 0;
  }
  for (const auto& variable : variables)
    around.out << fmt::format("# {:<34} {}{}\n", variable.name, variable.source, variable.required ? ", required" : "");
  around.out << '\n';
  for (const auto& variable : variables)
    if (variable.required || variable.source != "missing")
      around.out << fmt::format(
          "export {}='{}'\n", variable.name,
          variable.value.empty() ? "<set-this-value>" : replace_all(variable.value, "'", "'\\''"));
  return 0;
}

}  // namespace

void add_env_command(CommandLine& line) {
  line.add<EnvOptions>(
      line.top(), "env", "Print the variables that would give another machine this configuration",
      [](OptionSet& command, EnvOptions& options) {
        declare_instance_options(command, options);
        command.flag("--json", options.as_json, "Print JSON");
      },
      env);
}

void add_local_commands(CommandLine& line) {
  add_run_command(line);
  add_serve_command(line);
  add_onboard_command(line);
  add_doctor_command(line);
  add_env_command(line);
  add_hostname_command(line);
  add_backup_command(line);
}

}  // namespace paperclip::cli
