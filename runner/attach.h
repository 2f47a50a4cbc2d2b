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

/// The same for a place where nothing but one-shot commands exists: takes frames from stdin (base64, to its end), gives
/// them to the runner, and prints what the runner says: a line `more` or, once it has hung up, `end`, then frames in
/// base64. Returns when something came and a moment has passed, when `wait_ms` are over, or at a bound of its size. Each
/// call is a client of its own to the runner; `start` makes the run directory first, as above.
int exchange(const char* directory, bool start, std::string_view boundary, int wait_ms);

/// Removes the directory of a run that has ended. 1, and a word on stderr, while it lives.
int forget(const char* directory);

}  // namespace paperclip::runner
