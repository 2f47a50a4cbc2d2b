#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "environments/place.h"
#include "os/process.h"

/// A workspace of this machine and its mirror in a place (spec/remote-runtimes.md 4.4–4.6, 5, 8; OURS).
///
///   upload       history by git bundle · manifest there · only what differs, by content · remembered as the base
///   bring_back   commits into a ref of their own · manifest there against the base · what changed there, unless it changed
///                here as well · fast-forward
///
/// Nothing that was done here meanwhile is lost: a file that changed on both sides stays as it is here, and the place's
/// version is put beside it. Both can be repeated after they broke in the middle.
namespace paperclip::environments {

/// The two ways of reaching a place that sync needs.
class SyncPeer {
 public:
  virtual ~SyncPeer() = default;
  virtual Result<std::unique_ptr<PlaceStream>> open(const std::vector<std::string>& argv, Deadline deadline) = 0;
  virtual Result<os::CommandOutput> run(const std::vector<std::string>& argv, Deadline deadline) = 0;
};
std::unique_ptr<SyncPeer> peer_of(Place& place);

struct SyncOptions {
  std::filesystem::path local;   // the workspace here, absolute
  std::string remote;            // its mirror, absolute there; nobody else's
  std::string runner;            // the runner program there
  std::vector<std::string> exclude;  // names at any depth, or paths below the workspace, that stay where they are
  std::string key;               // names the base and refs: the run; safe as a file name
  std::filesystem::path state;   // where bases and indexes are kept here
  os::Environment host;          // the server's own environment, for git
  /// Names the place for good, so that what an earlier run left there is known again; empty: it is never the same twice.
  std::string place;
  std::size_t window = 256 * 1024;  // bytes on their way at most; the connection is shared with callbacks
};

struct UploadReport {
  std::size_t files = 0, removed = 0;
  std::uint64_t bytes = 0;  // of the delta, on the wire
  bool history = false;     // the mirror is a git repository with our commits
  std::vector<std::string> warnings;
};

struct BackReport {
  std::size_t placed = 0;
  /// Changed on both sides: here nothing was touched, the place's version is beside it under `<path><suffix>`.
  std::vector<std::string> conflicts;
  std::string conflict_suffix;
  std::vector<std::string> refused;   // what must not come back, with the reason
  std::optional<std::string> commit;  // the place's HEAD, if it has commits that were not here
  bool fast_forwarded = false;
  std::vector<std::string> warnings;
  /// For the run's log: one line each.
  std::vector<std::string> lines() const;
};

class WorkspaceSync {
 public:
  WorkspaceSync(SyncPeer& peer, SyncOptions options);

  // An error of kind `unavailable` says that the connection was lost on the way: all of it may be done again.

  /// Before anything else brings back what an earlier run of the same workspace left in this mirror because it could not be reached.
  /// Makes the mirror equal to the workspace, whatever it was before; its own commits are kept there under
  /// `refs/paperclip/kept`. An error leaves the mirror as it was, or half-way if it came while files were put in place.
  Result<UploadReport> upload(Deadline deadline);

  /// Brings back what changed there since `upload`, of this or an earlier server process. `not_found` without an upload.
  Result<BackReport> bring_back(Deadline deadline);

 private:
  Result<> rescue(UploadReport& report, Deadline deadline);
  Result<std::string> read_manifest(Deadline deadline);
  std::vector<std::string> tool(const std::string& mode, const std::string& directory) const;
  std::filesystem::path base_file(const char* extension) const;

  SyncPeer& peer_;
  const SyncOptions options_;
};

}  // namespace paperclip::environments
