#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "runner/start_message.h"
#include "runner/system.h"

namespace paperclip::runner {

/// The agent's process right after it was started.
struct Agent {
  pid_t pid = -1;          // as the runner sees it; also its process group and session
  pid_t machine_pid = -1;  // as the machine sees it
  Descriptor in;           // our ends, non-blocking; none if there is no text for stdin
  Descriptor out;
  Descriptor err;
};

struct AgentSurroundings {
  int machine_proc = -1;          // /proc of the machine
  bool dies_with_runner = false;  // where no namespace sees to it
};

/// Starts the command without a shell: own session and group, its limits, exactly its environment, PATH searched in
/// that environment. Returns why it could not be started (spec/execution.md 10), empty on success.
std::string start_agent(const StartMessage& message, const AgentSurroundings& surroundings, Agent& agent);

}  // namespace paperclip::runner
