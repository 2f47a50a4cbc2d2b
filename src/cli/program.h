#pragma once

namespace paperclip::cli {

/// The `paperclip` command: parses the arguments, runs the subcommand, returns its exit code (spec/cli.md).
int run(int argc, char** argv);

}  // namespace paperclip::cli
