#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "paperclip/sdk/attend.h"

namespace paperclip::providers {

/// Where control groups can be made for sandboxes: version 2 where the server's own group was delegated and holds no
/// processes itself, or where we are root at its top; else the memory and pids hierarchies of version 1, as root.
struct ControlGroupPlace {
  std::vector<std::string> parents;  // directories, one for version 2, one for each hierarchy of version 1; empty: none
  bool unified = false;
  std::string why_not;               // in words, if there is none

  static const ControlGroupPlace& look();
};

/// The control group of one sandbox: all its processes together, whatever they do. Removed with this object, once they
/// have ended.
class ControlGroup {
 public:
  /// Null where there is no place, or none of the limits is set, or the kernel refuses.
  static std::unique_ptr<ControlGroup> make(const std::string& name, std::uint64_t memory_bytes, std::uint64_t processes);
  ~ControlGroup();
  ControlGroup(const ControlGroup&) = delete;

  /// Open for writing: whoever writes "0" there joins. One for each directory.
  std::vector<int> doors() const;

 private:
  ControlGroup() = default;
  std::vector<std::string> directories_;
  std::vector<sdk::Descriptor> doors_;
};

}  // namespace paperclip::providers
