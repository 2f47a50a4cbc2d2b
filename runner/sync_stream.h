#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "runner/sync_tree.h"

/// Changed files on their way over a byte stream, both ways (runner/README.md, workspace sync).
///
///   sender:    'P' version · per entry 'F' path mode mtime, chunks, hash | 'L' path target | 'D' path mode | 'M' path mode
///             (rights alone) | 'R' path · 'E'
///   receiver:  'A' bytes read so far … · 'K' once all is in place | 'X' why not
///
/// The sender keeps at most a window of bytes that the receiver has not acknowledged, so that whatever else shares the
/// connection stays quick. Nothing is put in place before 'E' has come: a stream that breaks leaves the workspace as it was.
namespace paperclip::sync {

inline constexpr std::size_t default_window = 256 * 1024;

/// What to send.
struct Parcel {
  std::vector<std::string> changed;  // files, links and folders of the tree, in its order
  std::vector<std::string> rights;   // files that differ in their rights only
  std::vector<std::string> removed;
  bool empty() const { return changed.empty() && rights.empty() && removed.empty(); }
};
/// What has to be sent so that `there` becomes like `here`. Files of both trees with the same size must be hashed.
Parcel difference(const Tree& here, const Tree& there);

struct SendResult {
  std::uint64_t bytes = 0;  // on the wire
  std::string error;        // ours or the receiver's; empty: it is in place there
  bool ok() const { return error.empty(); }
};
/// Sends from below `root` over `out`; reads acknowledgements from `in`. The hash of each file sent is put into the tree.
SendResult send_parcel(int root, Tree& tree, const Parcel& parcel, int in, int out, std::size_t window = default_window);

/// An entry that came, staged.
struct Arrival {
  Entry entry;
  std::string staged;  // its file's name in the staging folder
  std::int64_t modified_ns = 0;
};
struct Delivery {
  std::map<std::string, Arrival, std::less<>> arrived;
  std::map<std::string, std::uint32_t, std::less<>> rights;
  std::vector<std::string> removed;
};

/// Receives into a fresh folder `stage`, acknowledging over `out`. False and a message when the stream breaks, holds what
/// it must not (unsafe paths, unknown kinds, contents that are not what their hash says), or the disk is full.
bool receive_parcel(int stage, int in, int out, Delivery& delivery, std::string& error);

/// What happens to one path when a delivery is put in place.
enum class Verdict { take, keep, take_beside };
struct Placement {
  /// Asked for every arrival and removal; without it everything is taken.
  std::function<Verdict(const std::string& path, const Entry* arrived)> judge;
  std::string beside_suffix = ".theirs";  // for take_beside: kept under this name next to the old one
  bool allow_outward_links = true;
  // What came of it.
  std::vector<std::string> placed, beside, refused;
};
/// Moves what was staged to its place below `root`: removals, folders, then files and links by renaming, each whole.
/// A path that cannot be placed is in `refused` with the reason, and the rest goes on.
void place_delivery(int root, int stage, const Delivery& delivery, Placement& placement);

/// The receiver's last word.
void answer_done(int out);
void answer_error(int out, std::string_view error);

bool write_all(int fd, std::string_view bytes);

/// Makes a folder for staging below the reserved directory; its name is given back. The caller removes it.
Descriptor make_stage(int root, std::string& name, std::string& error);
void remove_stage(int root, const std::string& name);
/// Stages of transfers that were cut off, older than an hour.
void remove_old_stages(int root);

}  // namespace paperclip::sync
