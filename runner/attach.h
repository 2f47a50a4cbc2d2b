#pragma once

#include <string_view>

namespace paperclip::runner {

/// Connects whoever is at our stdin and stdout with the runner of a run directory: what a server does directly on its own
/// machine, it does through this at the end of an SSH session or of a sandbox's stream. Ends when either side does; the
/// run goes on. If the run has ended, or nothing is left of it, we answer in the runner's place: the rest of its output,
/// then how it ended. Returns the process's exit code.
int attach(const char* directory);

/// Makes the run directory and starts guardian and runner, which outlive us, then as `attach`. The command comes over
/// stdin in frames: nothing of it is in an argv.
int start_attached(const char* directory, std::string_view boundary);

/// Removes the directory of a run that has ended. 1, and a word on stderr, while it lives.
int forget(const char* directory);

}  // namespace paperclip::runner
