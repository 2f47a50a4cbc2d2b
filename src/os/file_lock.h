#pragma once

#include <filesystem>
#include <string_view>

#include "base/result.h"
#include "os/descriptor.h"

namespace paperclip::os {

/// An exclusive lock that the kernel drops when its holder ends, however it ends. The file stays behind and means
/// nothing; it holds the pid of the last holder. Not inherited by programs started meanwhile.
class FileLock {
 public:
  /// Fails at once with conflict, naming `purpose` and the holder's pid, if another process, or this one, holds it:
  /// "Another server (pid 4711) already uses <path>".
  static Result<FileLock> acquire(const std::filesystem::path& path, std::string_view purpose);

 private:
  explicit FileLock(Descriptor file) : file_(std::move(file)) {}
  Descriptor file_;
};

/// Whether someone holds an exclusive flock on what is open here.
bool is_locked(int fd);

}  // namespace paperclip::os
