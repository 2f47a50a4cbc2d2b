#include "cli/program.h"

#include <signal.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <exception>
#include <ostream>

#include "cli/command_line.h"
#include "cli/commands/all.h"
#include "cli/local/all.h"

namespace paperclip::cli {

int run(std::vector<std::string> arguments, const Surroundings& around) {
  CLI::App app{"Paperclip: a control plane for companies of AI agents", "paperclip"};
  app.require_subcommand(1);
  app.set_version_flag("--version", "paperclip 0.1.0 (speaks for 0.3.1)");
  app.get_formatter()->column_width(36);
  CommandLine line(app);
  add_local_commands(line);
  add_company_commands(line);
  add_agent_commands(line);
  add_agent_key_commands(line);
  add_issue_commands(line);
  add_issue_work_commands(line);
  add_heartbeat_commands(line);
  add_approval_commands(line);
  add_overview_commands(line);
  add_plugin_commands(line);
  add_auth_commands(line);
  add_context_commands(line);
  add_api_command(line);
  std::reverse(arguments.begin(), arguments.end());  // the order CLI11 takes them in
  try {
    app.parse(std::move(arguments));
  } catch (const CLI::ParseError& problem) {
    return app.exit(problem, around.out, around.err) == 0 ? 0 : 1;
  }
  try {
    auto result = line.chosen()(around);
    around.out << std::flush;
    if (result) return *result;
    around.err << result.error().message << '\n' << std::flush;
  } catch (const std::exception& problem) {
    around.err << "paperclip: " << problem.what() << '\n' << std::flush;
  }
  return 1;
}

int run(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  return run(std::vector<std::string>(argv + 1, argv + argc), process_surroundings());
}

}  // namespace paperclip::cli
