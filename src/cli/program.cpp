#include "cli/program.h"

#include <signal.h>

#include <exception>
#include <ostream>

#include "cli/command_line.h"
#include "cli/commands/all.h"
#include "cli/demo/all.h"
#include "cli/local/all.h"

namespace paperclip::cli {

int run(std::vector<std::string> arguments, const Surroundings& around) {
  CommandLine line;
  add_local_commands(line);
  add_demo_commands(line);
  add_company_commands(line);
  add_agent_commands(line);
  add_agent_key_commands(line);
  add_issue_commands(line);
  add_issue_work_commands(line);
  add_why_commands(line);
  add_heartbeat_commands(line);
  add_approval_commands(line);
  add_overview_commands(line);
  add_budget_commands(line);
  add_plugin_commands(line);
  add_auth_commands(line);
  add_context_commands(line);
  add_api_command(line);
  int exit_code = 0;
  const Action* action = line.parse(std::move(arguments), around, exit_code);
  if (action == nullptr) return exit_code;
  try {
    auto result = (*action)(around);
    around.out << std::flush;
    if (result) return *result;
    around.err << result.error().message << '\n' << std::flush;
  } catch (const std::exception& problem) { around.err << "paperclip: " << problem.what() << '\n' << std::flush; }
  return 1;
}

int run(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  return run(std::vector<std::string>(argv + 1, argv + argc), process_surroundings());
}

}  // namespace paperclip::cli
