#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"
#include "environments/runner_binary.h"
#include "os/process.h"

/// What a fresh connection to a place needs before anything can run over there.
namespace paperclip::environments {

struct RemoteMachine {
  std::string cwd;     // the workspace directory, made if it was missing, as `pwd` says it
  std::string runner;  // path of the runner there
  std::string runs;    // where run directories are
  /// What a login would have: the environment after `.profile` and its relatives, without what belongs to the session.
  os::Environment environment;
};

struct SetupRequest {
  std::string where;      // for errors
  std::string workspace;  // absolute
  std::string root;       // of our own files there, as a word of `sh`: "$HOME/.paperclip" in double quotes
  /// Runs a script of `sh` over there.
  std::function<Result<os::CommandOutput>(const std::string& script)> run;
  /// Writes the runner to that path, whole or not at all, executable.
  std::function<Result<void>(const RunnerBinary& binary, const std::string& path)> upload;
};

/// One question where the runner is there already, else the upload too: by content hash, beside and renamed, checked.
/// Errors name the place and what is missing: no runner for that machine, no space, not executable.
Result<RemoteMachine> set_up(const SetupRequest& request, const std::vector<RunnerBinary>& runners);

/// A script that takes the binary from stdin and leaves it at `path`.
std::string upload_script(const RunnerBinary& binary, const std::string& path);

/// `sh -c '<script>'`, for whatever shell the user has.
std::string in_sh(std::string_view script);

}  // namespace paperclip::environments
