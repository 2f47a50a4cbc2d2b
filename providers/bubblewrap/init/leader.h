#pragma once

#include "os/descriptor.h"
#include "protocol.h"

namespace paperclip::sandbox {

/// Our ends of what a start brought.
struct StartDescriptors {
  os::Descriptor in, out, err, status;
};

/// The process above one command, forked from the sandbox's first: starts the command, reports how it ended, and stays
/// while anything that came from it lives, so that all of it can still be killed. SIGTERM goes to the command's group,
/// SIGUSR1 ends everything; both are blocked by whoever forks it. Returns the exit code of the process.
int lead_command(const Request& request, StartDescriptors descriptors);

/// Moves a file's bytes, as the user of the sandbox and through its mounts only. Returns the exit code of the process.
int move_file(const Request& request, StartDescriptors descriptors);

}  // namespace paperclip::sandbox
