#pragma once

#include <deque>
#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

#include "base/id.h"
#include "base/result.h"
#include "os/descriptor.h"

namespace paperclip::environments {

/// The run directories of this machine (runner/run_directory.h draws one), all below one root.
///
/// A directory that is needed no more is emptied and kept as `<root>/spare.<run>` with its files under their `.new`
/// names, which runners write first; the next run gets it under its own name. File systems pay for a file that is made
/// and deleted with a search for a free inode, and ext4's grows with the number deleted in the last five seconds: at
/// 150 runs a second that was a third of the machine (docs/decisions/0007).
///
/// Thread-safe.
class RunDirectories {
 public:
  /// Takes over the spares of an earlier server.
  static Result<std::unique_ptr<RunDirectories>> open(std::filesystem::path root);

  std::filesystem::path path_of(RunId run) const { return root_ / run.view(); }

  /// Makes the run's directory and takes its lock, which guardian and runner inherit. Fails with conflict if there is one.
  Result<os::Descriptor> make_locked(RunId run);

  /// Removes the run's directory or makes a spare of it. The output is gone when this returns.
  Result<> retire(RunId run);

  /// All runs that have a directory.
  std::vector<RunId> known() const;

 private:
  explicit RunDirectories(std::filesystem::path root) : root_(std::move(root)) {}
  os::Descriptor take_spare(RunId run);

  const std::filesystem::path root_;
  std::mutex mutex_;
  std::deque<std::string> spares_;  // names below the root, the one that waited longest first
};

}  // namespace paperclip::environments
