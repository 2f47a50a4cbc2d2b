#include "os/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <system_error>

namespace paperclip::os {
namespace {

/// 0 or errno.
int write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

/// Distinct for every write of this process, so that two writers of one file do not meet.
std::string name_beside(const std::filesystem::path& path) {
  static std::atomic<unsigned> count{0};
  return "." + path.filename().string() + "." + std::to_string(::getpid()) + "." + std::to_string(++count) + ".new";
}

using DirectoryStream = std::unique_ptr<DIR, int (*)(DIR*)>;

DirectoryStream stream_of(int fd) { return {::fdopendir(fd), ::closedir}; }

bool is_dot(const char* name) { return strcmp(name, ".") == 0 || strcmp(name, "..") == 0; }

/// Removes what is in the directory, which the descriptor is given away for. 0 or errno of the first failure.
int remove_contents(Descriptor directory, dev_t device) {
  const int fd = directory.get();
  const DirectoryStream stream = stream_of(fd);
  if (!stream) return errno;
  directory.release();
  int first_error = 0;
  const auto note = [&](int error) {
    if (first_error == 0 && error != ENOENT) first_error = error;
  };
  while (const dirent* entry = ::readdir(stream.get())) {
    if (is_dot(entry->d_name)) continue;
    if (::unlinkat(fd, entry->d_name, 0) == 0) continue;
    if (errno != EISDIR && errno != EPERM) {
      note(errno);
      continue;
    }
    Descriptor below(::openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!below && errno == EACCES && ::fchmodat(fd, entry->d_name, 0700, 0) == 0)
      below.reset(::openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    struct stat there {};
    if (!below || ::fstat(below.get(), &there) != 0) {
      note(errno);
    } else if (there.st_dev != device) {
      note(EXDEV);
    } else {
      if ((there.st_mode & S_IRWXU) != S_IRWXU) (void)::fchmod(below.get(), 0700);
      note(remove_contents(std::move(below), device));
      if (::unlinkat(fd, entry->d_name, AT_REMOVEDIR) != 0) note(errno);
    }
  }
  return first_error;
}

}  // namespace

Error file_error(std::string_view action, const std::filesystem::path& path, int error_number) {
  const ErrorKind kind = error_number == ENOENT                             ? ErrorKind::not_found
                         : error_number == EEXIST                           ? ErrorKind::conflict
                         : error_number == EACCES || error_number == EPERM ? ErrorKind::forbidden
                                                                            : ErrorKind::internal;
  return {kind, std::string(action) + " " + path.string() + ": " + std::generic_category().message(error_number)};
}

Result<std::string> read_file(const std::filesystem::path& path, std::size_t max_bytes) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return file_error("Cannot read", path, errno);
  struct stat there {};
  std::string bytes;
  if (::fstat(file.get(), &there) == 0 && there.st_size > 0)
    bytes.reserve(std::min(static_cast<std::size_t>(there.st_size) + 1, max_bytes + 1));
  for (;;) {
    const std::size_t before = bytes.size();
    bytes.resize(std::min(std::max<std::size_t>(bytes.capacity(), before + 4096), max_bytes + 1));
    const ssize_t got = ::read(file.get(), bytes.data() + before, bytes.size() - before);
    const int error = errno;
    bytes.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0 && error == EINTR) continue;
    if (got < 0) return file_error("Cannot read", path, error);
    if (got == 0) return bytes;
    if (bytes.size() > max_bytes)
      return Error{ErrorKind::too_large, path.string() + " is larger than " + std::to_string(max_bytes) + " bytes"};
  }
}

Result<void> write_file_atomically(const std::filesystem::path& path, std::string_view bytes, unsigned mode,
                                   Durability durability) {
  const std::filesystem::path beside = path.parent_path() / name_beside(path);
  const Descriptor file(::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
  if (!file) return file_error("Cannot write", path, errno);
  int error = write_all(file.get(), bytes);
  if (error == 0 && ::fchmod(file.get(), mode) != 0) error = errno;
  if (error == 0 && durability == Durability::synced && ::fsync(file.get()) != 0) error = errno;
  if (error == 0 && ::rename(beside.c_str(), path.c_str()) != 0) error = errno;
  if (error != 0) {
    ::unlink(beside.c_str());
    return file_error("Cannot write", path, error);
  }
  if (durability == Durability::synced) {
    const Descriptor directory = TRY(open_directory(path.has_parent_path() ? path.parent_path() : "."));
    if (::fsync(directory.get()) != 0) return file_error("Cannot sync", path.parent_path(), errno);
  }
  return success();
}

Result<void> make_directories(const std::filesystem::path& path, unsigned mode) {
  if (path.empty() || ::mkdir(path.c_str(), mode) == 0) return success();
  if (errno == ENOENT && path.has_parent_path() && path.parent_path() != path) {
    TRY(make_directories(path.parent_path(), mode));
    if (::mkdir(path.c_str(), mode) == 0) return success();
  }
  const int error = errno;
  struct stat there {};
  if (error == EEXIST && ::stat(path.c_str(), &there) == 0 && S_ISDIR(there.st_mode)) return success();
  return file_error("Cannot make directory", path, error);
}

Result<void> remove_tree(const std::filesystem::path& path) {
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return success();
  if (errno != EISDIR && errno != EPERM) return file_error("Cannot remove", path, errno);
  Descriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat there {};
  if (!directory || ::fstat(directory.get(), &there) != 0) return file_error("Cannot remove", path, errno);
  const int error = remove_contents(std::move(directory), there.st_dev);
  if (error != 0) return file_error("Cannot remove what is in", path, error);
  if (::rmdir(path.c_str()) != 0 && errno != ENOENT) return file_error("Cannot remove", path, errno);
  return success();
}

Result<std::vector<std::string>> list_directory(const std::filesystem::path& path) {
  const DirectoryStream stream(::opendir(path.c_str()), ::closedir);
  if (!stream) return file_error("Cannot list", path, errno);
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(stream.get()))
    if (!is_dot(entry->d_name)) names.emplace_back(entry->d_name);
  std::sort(names.begin(), names.end());
  return names;
}

Result<Descriptor> open_directory(const std::filesystem::path& path) {
  Descriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return file_error("Cannot open directory", path, errno);
  return directory;
}

Result<TemporaryDirectory> TemporaryDirectory::create(std::string_view prefix) {
  std::error_code error;
  const std::filesystem::path place = std::filesystem::temp_directory_path(error);
  if (error) return internal_error("No place for temporary files: " + error.message());
  std::string pattern = (place / (std::string(prefix) + "XXXXXX")).string();
  if (!::mkdtemp(pattern.data())) return file_error("Cannot make directory", pattern, errno);
  return TemporaryDirectory(pattern);
}

TemporaryDirectory& TemporaryDirectory::operator=(TemporaryDirectory&& other) noexcept {
  std::swap(path_, other.path_);
  return *this;
}

TemporaryDirectory::~TemporaryDirectory() {
  if (!path_.empty()) (void)remove_tree(path_);
}

}  // namespace paperclip::os
