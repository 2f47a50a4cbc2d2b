#include "cli/context.h"

#include <fmt/format.h>

#include <ostream>

#include "cli/client.h"
#include "cli/command_line.h"
#include "cli/commands/all.h"
#include "cli/output.h"

namespace paperclip::cli {

namespace {

struct ContextOptions {
  std::string data_dir, context, profile;
  bool as_json = false;
};

void declare_context(OptionSet& command, ContextOptions& options) {
  command.add("-d,--data-dir", options.data_dir, "Paperclip home, in place of ~/.paperclip");
  command.add("--context", options.context, "Context file");
  command.add("--profile", options.profile, "Profile, in place of the current one");
  command.flag("--json", options.as_json, "Print JSON");
}

Result<Context> open_context(const Surroundings& around, const ContextOptions& options) {
  return read_context(context_path(with_data_directory(around, options.data_dir, {}), options.context));
}

json::object profile_json(const Profile& profile) {
  json::object out;
  const auto put = [&](const char* key, const std::optional<std::string>& value) {
    if (value) out[key] = *value;
  };
  put("apiBase", profile.api_base);
  put("companyId", profile.company_id);
  put("apiKeyEnvVarName", profile.api_key_env_var_name);
  return out;
}

void show_context(const Surroundings& around, const Context& context, const ContextOptions& options) {
  const std::string name = options.profile.empty() ? context.current_profile : options.profile;
  json::object profiles;
  for (const auto& [key, profile] : context.profiles) profiles[key] = profile_json(profile);
  print_value(around.out,
              json::object{{"contextPath", context.path.string()},
                           {"currentProfile", context.current_profile},
                           {"profileName", name},
                           {"profile", profile_json(context.profile(name))},
                           {"profiles", std::move(profiles)}},
              options.as_json);
}

Result<int> show(const Surroundings& around, const ContextOptions& options) {
  show_context(around, TRY(open_context(around, options)), options);
  return 0;
}

Result<int> list(const Surroundings& around, const ContextOptions& options) {
  const Context context = TRY(open_context(around, options));
  json::array rows;
  for (const auto& [name, profile] : context.profiles) {
    json::object row{{"name", name}, {"current", name == context.current_profile}};
    for (auto& entry : profile_json(profile)) row[entry.key()] = entry.value();
    rows.emplace_back(std::move(row));
  }
  print_value(around.out, rows, options.as_json);
  return 0;
}

struct Use : ContextOptions {
  std::string name;
};

Result<int> use(const Surroundings& around, const Use& options) {
  Context context = TRY(open_context(around, options));
  if (!context.profiles.contains(options.name))
    return bad_request(
        fmt::format("There is no profile '{0}'. Make it with `paperclip context set --profile {0} --api-base <url>`.",
                    options.name));
  context.current_profile = options.name;
  TRY(write_context(context));
  show_context(around, context, options);
  return 0;
}

struct Set : ContextOptions {
  std::optional<std::string> api_base, company_id, key_variable;
  bool use = false;
};

Result<int> set(const Surroundings& around, const Set& options) {
  Context context = TRY(open_context(around, options));
  const std::string name = options.profile.empty() ? context.current_profile : options.profile;
  Profile& profile = context.profiles[name];
  const auto assign = [](std::optional<std::string>& to, const std::optional<std::string>& from) {
    if (from) to = from->empty() ? std::nullopt : from;
  };
  assign(profile.api_base, options.api_base);
  assign(profile.company_id, options.company_id);
  assign(profile.api_key_env_var_name, options.key_variable);
  if (options.use) context.current_profile = name;
  TRY(write_context(context));
  show_context(around, context, options);
  return 0;
}

}  // namespace

void add_context_commands(CommandLine& line) {
  const auto group = line.group("context", "Servers and companies you work with, by name");
  line.add<ContextOptions>(group, "show", "Show the profile in use", declare_context, show);
  line.add<ContextOptions>(group, "list", "List the profiles", declare_context, list);
  line.add<Use>(
      group, "use", "Use a profile from now on",
      [](OptionSet& command, Use& options) {
        declare_context(command, options);
        command.add("name", options.name, "Name of the profile").required();
      },
      use);
  line.add<Set>(
      group, "set", "Change a profile; an empty value forgets the old one",
      [](OptionSet& command, Set& options) {
        declare_context(command, options);
        command.add("--api-base", options.api_base, "Address of the server");
        command.add("-C,--company-id", options.company_id, "Company");
        command.add("--api-key-env-var-name", options.key_variable, "Variable that holds the API key");
        command.flag("--use", options.use, "Use it from now on");
      },
      set);
}

}  // namespace paperclip::cli
