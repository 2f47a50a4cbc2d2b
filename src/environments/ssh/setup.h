#pragma once

#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"
#include "environments/runner_binary.h"
#include "environments/ssh/connection.h"
#include "os/process.h"

/// What a fresh connection needs before anything can run over there.
namespace paperclip::environments::ssh {

struct RemoteMachine {
  std::string cwd;     // the workspace directory, made if it was missing, as `pwd` says it
  std::string home;
  std::string runner;  // path of the runner there
  /// What a login would have: the environment after `.profile` and its relatives, without what belongs to the session.
  os::Environment environment;
};

/// One question where the runner is there already, else the upload too: by content hash, beside and renamed, checked.
/// Errors name the host and what is missing: no runner for that machine, no space, not executable.
Result<RemoteMachine> set_up(Connection& connection, const std::string& workspace, const std::vector<RunnerBinary>& runners,
                             Deadline deadline);

/// Only whether one could work there: the workspace's directory.
Result<os::CommandOutput> make_workspace(Connection& connection, const std::string& workspace, Deadline deadline);

/// `sh -c '<script>'`, for whatever shell the user has.
std::string in_sh(std::string_view script);

}  // namespace paperclip::environments::ssh
