#pragma once

#include <string>
#include <vector>

#include "cli/surroundings.h"

namespace paperclip::cli {

/// The `paperclip` command: parses the arguments (without the program's name), runs the chosen command, returns its
/// exit code: 0, or 1 for any failure (spec/cli.md 1.1). Results go to `around.out`, all else to `around.err`.
int run(std::vector<std::string> arguments, const Surroundings& around);

/// The same for `main`.
int run(int argc, char** argv);

}  // namespace paperclip::cli
