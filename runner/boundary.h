#pragma once

#include <sys/types.h>

#include <optional>
#include <string_view>
#include <vector>

namespace paperclip::runner {

/// What makes "killed" mean "gone".
enum class Boundary {
  pid_namespace,   // needs root: PID and mount namespace with its own /proc; the kernel ends everyone with the runner
  user_namespace,  // the same for an ordinary user, who loses supplementary groups and sudo in there
  subreaper,       // works everywhere: orphans come to the runner, which freezes and then kills
};

std::string_view to_text(Boundary boundary);

/// What to try, best first, for the name given on the command line (`auto` or a boundary's name); empty if it is none.
/// The last one always works.
std::vector<Boundary> boundaries_for(std::string_view name);

/// Forks into a new boundary: 0 in the child, -1 if the kernel refuses.
pid_t fork_into(Boundary boundary);

/// Who asks, before the fork; inside a fresh user namespace nobody has a name yet.
struct Caller {
  uid_t user;
  gid_t group;
};

/// Called first in the child. False if the boundary cannot be used here, for instance because /proc may not be mounted.
bool settle_in(Boundary boundary, const Caller& caller);

}  // namespace paperclip::runner
