#pragma once

namespace paperclip::cli {

class CommandLine;

/// `demo`, and `demo-agent`, which its agents run.
void add_demo_commands(CommandLine& line);

}  // namespace paperclip::cli
