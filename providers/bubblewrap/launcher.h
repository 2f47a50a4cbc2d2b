#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace paperclip::providers {

struct Launch {
  std::vector<std::string> argv;  // argv[0] is a path
  int control = -1;               // becomes descriptor 3
  int errors = -1;                // becomes descriptors 1 and 2
  uid_t user = 0;                 // who it runs as, if we are root
  gid_t group = 0;
  std::vector<int> doors;         // of control groups that it joins (ControlGroup::doors)
};

/// Starts the program with an empty environment, on a thread that lives as long as this process: bwrap asks the kernel to
/// end it with its parent, and for the kernel that is the thread. Throws an Error if it cannot be forked.
pid_t launch(const Launch& launch);

}  // namespace paperclip::providers
