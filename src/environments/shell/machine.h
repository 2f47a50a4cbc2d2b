#pragma once

#include <memory>
#include <string>

#include "base/deadline.h"
#include "environments/shell/access.h"

namespace paperclip::environments::shell {

/// What a place without a runner has to offer.
struct ShellMachine {
  std::string cwd;     // the workspace directory, made if it was missing
  std::string runs;    // where run directories are, with a slash at its end
  std::string helper;  // `node` or `python3`: who listens for the agents' calls; empty: there is neither
  std::string interpreter, program;  // its path, and that of our program for it
};

/// Looks at the place and brings what callbacks need. `root`: of our own files there, as a word of `sh`. Fails with
/// `unprocessable` where a run would not outlive the command that starts it, or the simplest tools are missing.
Result<ShellMachine> look_at(ShellAccess& access, const std::string& where, const std::string& workspace, const std::string& root, Deadline deadline);

}  // namespace paperclip::environments::shell
