#pragma once

#include <string>

#include "runner/system.h"

namespace paperclip::runner {

/// Whether a guardian or runner lives: they hold the lock.
bool is_alive(int directory);

/// The text of exit.json; empty if the run has not ended.
std::string exit_text(int directory);

/// How a run ended of which nobody is left and no exit.json: the machine was restarted, or both were killed. Kills what
/// the agent's group still holds, if the pids are still those that were written down.
std::string lost_text(int directory);

/// Speaks as the runner of an ended run: the output from where the peer asks, then the exit. Returns when it was sent or
/// the peer is gone. `directory` may be -1: then there is no output.
void serve_ended(int directory, const std::string& exit_text, Descriptor peer);

}  // namespace paperclip::runner
