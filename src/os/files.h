#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "os/descriptor.h"

namespace paperclip::os {

/// Says what failed, on which path and why. ENOENT is not_found, EEXIST conflict, EACCES and EPERM forbidden, all else
/// internal.
Error file_error(std::string_view action, const std::filesystem::path& path, int error_number);

/// The whole file. Fails with too_large beyond `max_bytes`, with not_found if there is none.
Result<std::string> read_file(const std::filesystem::path& path, std::size_t max_bytes = 64 * 1024 * 1024);

enum class Durability {
  visible,  // a reader sees the old or the new file; after a power cut it may be the old one
  synced,   // file and directory are on the disk when the call returns
};

/// Writes beside and renames, so that a reader never sees half a file. `mode` holds whatever the umask says.
Result<void> write_file_atomically(const std::filesystem::path& path, std::string_view bytes, unsigned mode = 0600,
                                   Durability durability = Durability::visible);

/// Makes the directory and its missing parents, each with `mode`. An existing one stays as it is.
Result<void> make_directories(const std::filesystem::path& path, unsigned mode = 0700);

/// Removes a file or a tree. Never follows a link, also not one that is put in place meanwhile, and does not leave the
/// file system it began on. Nothing there is fine.
Result<void> remove_tree(const std::filesystem::path& path);

/// Names in a directory, sorted, without `.` and `..`.
Result<std::vector<std::string>> list_directory(const std::filesystem::path& path);

/// Opens a directory for use with the *at calls.
Result<Descriptor> open_directory(const std::filesystem::path& path);

/// A fresh directory, mode 0700, below the system's place for temporary files; removed when it goes.
class TemporaryDirectory {
 public:
  static Result<TemporaryDirectory> create(std::string_view prefix = "paperclip-");
  TemporaryDirectory(TemporaryDirectory&& other) noexcept : path_(std::move(other.path_)) { other.path_.clear(); }
  TemporaryDirectory& operator=(TemporaryDirectory&& other) noexcept;
  ~TemporaryDirectory();
  const std::filesystem::path& path() const { return path_; }

 private:
  explicit TemporaryDirectory(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

}  // namespace paperclip::os
