#include "cli/local/onboard.h"

#include <fmt/format.h>

#include <iostream>

#include "base/text.h"
#include "cli/command_line.h"
#include "cli/local/all.h"
#include "cli/local/serve.h"
#include "cli/output.h"
#include "domain/secrets/vault.h"

namespace paperclip::cli {

namespace {

// What `--yes` leaves out of account: it always makes the local, trusted kind (spec/cli.md 2.1).
constexpr const char* overridden[] = {"PAPERCLIP_DEPLOYMENT_MODE",
                                      "PAPERCLIP_DEPLOYMENT_EXPOSURE",
                                      "PAPERCLIP_BIND",
                                      "PAPERCLIP_BIND_HOST",
                                      "HOST",
                                      "PAPERCLIP_AUTH_BASE_URL_MODE",
                                      "PAPERCLIP_AUTH_PUBLIC_BASE_URL",
                                      "PAPERCLIP_PUBLIC_URL",
                                      "BETTER_AUTH_URL",
                                      "BETTER_AUTH_BASE_URL"};

Result<std::optional<Bind>> bind_of(const std::string& word) {
  if (word.empty()) return std::optional<Bind>();
  if (word == "loopback") return std::optional(Bind::loopback);
  if (word == "lan") return std::optional(Bind::lan);
  if (word == "tailnet") return std::optional(Bind::tailnet);
  return bad_request("Unknown --bind '" + word + "': expected loopback, lan or tailnet.");
}

std::string ask(const Surroundings& around, const std::string& question, const std::string& otherwise) {
  around.err << question << " [" << otherwise << "] " << std::flush;
  std::string answer;
  std::getline(around.in, answer);
  answer = std::string(trim(answer));
  return answer.empty() ? otherwise : answer;
}

}  // namespace

Result<Onboarded> onboard(const Surroundings& outside, const OnboardOptions& options) {
  Surroundings around = at_instance(outside, options);
  std::optional<Bind> bind = TRY(bind_of(options.bind));
  Onboarded done;
  // Where the files are, whatever mode the variables ask for.
  std::map<std::string, std::string> none;
  for (const char* name : overridden) none[name] = "";
  Surroundings plain = around;
  plain.environment = overlay(around.environment, none);
  done.config = TRY(server::load_config(plain.environment, plain.working_directory));

  auto known = read_configuration(done.config.config_file);
  if (!known) {
    if (known.error().kind == ErrorKind::bad_request)
      around.err << known.error().message << "\nIt is replaced; the former one stays as config.json.backup.\n";
    else if (known.error().kind != ErrorKind::not_found)
      return std::move(known).error();
    if (!bind && !options.yes && around.interactive)
      bind = TRY(
          bind_of(ask(around, "Who shall reach the server: loopback (only this machine), lan, tailnet?", "loopback")));
    if (!bind && options.yes) {
      std::string ignored;
      for (const char* name : overridden)
        if (!around.variable(name).empty()) (ignored += ignored.empty() ? "" : ", ") += name;
      if (!ignored.empty()) around.err << "Ignored, because --yes makes a local instance: " << ignored << "\n";
    }
    // With a bind that was asked for, the public address of the variables counts.
    if (bind && *bind != Bind::loopback) {
      for (const char* name :
           {"PAPERCLIP_AUTH_PUBLIC_BASE_URL", "BETTER_AUTH_URL", "BETTER_AUTH_BASE_URL", "PAPERCLIP_PUBLIC_URL"})
        if (done.config.public_url.empty()) done.config.public_url = around.variable(name);
    }
    TRY(write_configuration(done.config.config_file,
                            default_configuration(around, done.config, bind.value_or(Bind::loopback)), "onboard"));
    done.wrote_configuration = true;
    done.config = TRY(server::load_config(plain.environment, plain.working_directory));
  }
  if (around.variable("PAPERCLIP_AGENT_JWT_SECRET").empty())
    done.made_token_secret = TRY(ensure_env_secret(env_file_of(done.config), "PAPERCLIP_AGENT_JWT_SECRET"));
  if (done.config.secrets_master_key.expose().empty()) {
    std::error_code ignored;
    done.made_master_key = !std::filesystem::exists(done.config.secrets_key_file, ignored);
    TRY(domain::SecretVault::open({}, done.config.secrets_key_file, Random::system()));
  }
  return done;
}

void print_onboarded(std::ostream& out, const Onboarded& done) {
  const auto& config = done.config;
  const auto line = [&](std::string_view label, std::string_view value) {
    out << fmt::format("{:<16}{}\n", label, value);
  };
  line("Config", config.config_file.string() + (done.wrote_configuration ? " (written)" : " (kept)"));
  line("Token secret", env_file_of(config).string() + (done.made_token_secret ? " (made)" : " (kept)"));
  line("Master key", config.secrets_key_file.string() + (done.made_master_key ? " (made)" : " (kept)"));
  line("Data", config.instance_root.string());
  line("Deploy", config.deployment_mode + " (" + config.exposure + ")");
  line("Address", fmt::format("{}:{} ({})", config.host, config.port, config.bind));
}

namespace {

Result<int> run_onboard(const Surroundings& around, const OnboardOptions& options) {
  const Onboarded done = TRY(onboard(around, options));
  const auto& config = done.config;
  if (options.as_json) {
    print_value(around.out,
                json::object{{"configPath", config.config_file.string()},
                             {"envPath", env_file_of(config).string()},
                             {"masterKeyPath", config.secrets_key_file.string()},
                             {"instanceRoot", config.instance_root.string()},
                             {"wroteConfig", done.wrote_configuration},
                             {"madeTokenSecret", done.made_token_secret},
                             {"madeMasterKey", done.made_master_key}},
                true);
  } else {
    print_onboarded(around.out, done);
  }
  bool start = options.run;
  if (!start && !options.yes && around.interactive)
    start = lower(ask(around, "Start the server now?", "yes")).starts_with('y');
  if (start)
    return serve(around, ServeOptions{{options.config, options.data_dir, options.instance}, {}, {}, options.as_json});
  if (!options.as_json) around.out << "\nNext: `paperclip run` checks everything and starts the server.\n";
  return 0;
}

}  // namespace

void add_onboard_command(CommandLine& line) {
  line.add<OnboardOptions>(
      line.top(), "onboard", "Write the configuration and the keys of an instance",
      [](OptionSet& command, OnboardOptions& options) {
        declare_instance_options(command, options);
        command.add("--bind", options.bind, "loopback, lan or tailnet");
        command.flag("-y,--yes", options.yes, "Ask nothing");
        command.flag("--run", options.run, "Start the server afterwards");
        command.flag("--json", options.as_json, "Print JSON");
      },
      run_onboard);
}

}  // namespace paperclip::cli
