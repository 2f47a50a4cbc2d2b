#include "cli/serve.h"

#include <fmt/format.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>

#include "server/config.h"
#include "server/server.h"

namespace paperclip::cli {

namespace {

void print_banner(const server::Server& server) {
  const auto& config = server.config();
  const std::string url = fmt::format("http://{}:{}", config.host, server.port());
  const auto line = [](std::string_view label, std::string_view value) { std::cout << fmt::format("{:<16}{}\n", label, value); };
  line("Mode", config.database_url.empty() ? "embedded SQLite" : "PostgreSQL");
  line("Deploy", config.deployment_mode + " (" + config.exposure + ")");
  line("Bind", config.bind + " (" + config.host + ")");
  line("Server", server.port() == config.port ? std::to_string(server.port()) : fmt::format("{} (requested {})", server.port(), config.port));
  line("API", url + "/api");
  line("Data", config.instance_root.string());
  line("Heartbeat", config.scheduler_enabled ? fmt::format("every {} s", config.scheduler_interval.count() / 1000) : "off");
  std::cout << "\nNext: create a company with\n  paperclip company create --name \"My company\"\nor watch a small one work with\n  paperclip demo\n"
            << std::flush;
}

int serve() {
  // Blocked here before any thread starts, so that only sigwait below ever sees them.
  sigset_t signals;
  sigemptyset(&signals);
  for (int signal : {SIGINT, SIGTERM}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);

  auto config = server::load_config(server::process_environment(), std::filesystem::current_path());
  if (!config) {
    std::cerr << "paperclip: " << config.error().message << "\n";
    return 1;
  }
  auto server = server::Server::start(*std::move(config));
  if (!server) {
    std::cerr << "paperclip: " << server.error().message << "\n";
    return 1;
  }
  print_banner(**server);
  int received = 0;
  sigwait(&signals, &received);
  (*server)->stop(std::chrono::seconds(10));
  return 0;
}

}  // namespace

void add_serve_command(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand("serve", "Run the server in the foreground");
  command->callback([&exit_code] { exit_code = serve(); });
}

}  // namespace paperclip::cli
