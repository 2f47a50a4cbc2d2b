#include "cli/program.h"

#include <CLI/CLI.hpp>

#include "cli/serve.h"

namespace paperclip::cli {

int run(int argc, char** argv) {
  CLI::App app{"Paperclip: a control plane for companies of AI agents"};
  app.require_subcommand(1);
  int exit_code = 0;
  add_serve_command(app, exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& problem) {
    return app.exit(problem);
  }
  return exit_code;
}

}  // namespace paperclip::cli
