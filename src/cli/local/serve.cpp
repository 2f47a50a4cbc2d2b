#include "cli/local/serve.h"

#include <fmt/format.h>
#include <signal.h>

#include <ostream>

#include "cli/command_line.h"
#include "cli/local/all.h"
#include "cli/local/logging.h"
#include "cli/output.h"
#include "server/server.h"

namespace paperclip::cli {

namespace {

std::string url_of(const server::Server& server) {
  const std::string& host = server.config().host;
  const std::string shown = host == "0.0.0.0" || host == "::"     ? "localhost"
                            : host.find(':') != std::string::npos ? "[" + host + "]"
                                                                  : host;
  return fmt::format("http://{}:{}", shown, server.port());
}

void print_banner(std::ostream& out, const server::Server& server) {
  const auto& config = server.config();
  const auto line = [&](std::string_view label, std::string_view value) {
    out << fmt::format("{:<16}{}\n", label, value);
  };
  line("Mode", config.database_url.empty() ? "embedded SQLite" : "PostgreSQL");
  line("Deploy", config.deployment_mode + " (" + config.exposure + ")");
  line("Bind", config.bind + " (" + config.host + ")");
  line("Server", server.port() == config.port ? std::to_string(server.port())
                                              : fmt::format("{} (requested {})", server.port(), config.port));
  line("API", url_of(server) + "/api");
  if (config.serve_ui) line("UI", url_of(server));
  line("Data", config.instance_root.string());
  line("Config", config.config_file_used ? config.config_file.string()
                                         : "defaults (" + config.config_file.string() + " is not there)");
  line("Heartbeat",
       config.scheduler_enabled ? fmt::format("every {} s", config.scheduler_interval.count() / 1000) : "off");
  out << "\nNext: create a company with\n  paperclip company create --name \"My company\"\nor watch a small one work "
         "with\n  paperclip demo\n"
      << std::flush;
}

}  // namespace

void declare_serve_options(OptionSet& command, ServeOptions& options) {
  declare_instance_options(command, options);
  command.add("-p,--port", options.port, "Port to listen on; 0 takes any free one (PORT, 3100)").range(0, 65535);
  command.add("--host", options.host, "Address to listen on (HOST, 127.0.0.1)");
  command.flag("--json", options.as_json, "Print one JSON object when ready");
}

Result<int> serve(const Surroundings& outside, const ServeOptions& options) {
  // Blocked here before any thread starts, so that only sigwait below ever sees them.
  sigset_t signals;
  sigemptyset(&signals);
  for (int signal : {SIGINT, SIGTERM}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  Surroundings around = at_instance(outside, options);
  std::map<std::string, std::string> variables;
  if (options.port) variables["PORT"] = std::to_string(*options.port);
  if (!options.host.empty()) variables["HOST"] = options.host;
  if (!variables.empty()) around.environment = overlay(around.environment, std::move(variables));

  auto config = TRY(server::load_config(around.environment, around.working_directory));
  TRY(log_to_file_and_terminal(config.log_directory / "server.log", options.as_json));
  auto server = TRY(server::Server::start(std::move(config)));
  if (options.as_json)
    around.out << to_string(json::object{{"url", url_of(*server)},
                                         {"port", server->port()},
                                         {"home", server->config().home.string()},
                                         {"instanceRoot", server->config().instance_root.string()}})
               << std::endl;
  else
    print_banner(around.out, *server);
  int received = 0;
  sigwait(&signals, &received);
  server->stop(std::chrono::seconds(10));
  return 0;
}

void add_serve_command(CommandLine& line) {
  line.add<ServeOptions>(line.top(), "serve", "Run the server in the foreground", declare_serve_options, serve);
}

}  // namespace paperclip::cli
