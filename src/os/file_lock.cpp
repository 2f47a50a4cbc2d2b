#include "os/file_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <string>

#include "os/files.h"

namespace paperclip::os {
namespace {

std::string pid_in(int fd) {
  char text[32];
  const ssize_t got = ::pread(fd, text, sizeof text, 0);
  std::string pid;
  for (ssize_t i = 0; i < got && text[i] >= '0' && text[i] <= '9'; ++i) pid += text[i];
  return pid;
}

}  // namespace

Result<FileLock> FileLock::acquire(const std::filesystem::path& path, std::string_view purpose) {
  Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return file_error("Cannot lock", path, errno);
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return file_error("Cannot lock", path, errno);
    const std::string pid = pid_in(file.get());
    return conflict("Another " + std::string(purpose) + (pid.empty() ? "" : " (pid " + pid + ")") + " already uses " +
                    path.string());
  }
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(file.get(), 0) != 0 || ::pwrite(file.get(), pid.data(), pid.size(), 0) < 0)
    return file_error("Cannot write", path, errno);
  return FileLock(std::move(file));
}

bool is_locked(int fd) {
  if (::flock(fd, LOCK_SH | LOCK_NB) != 0) return errno == EWOULDBLOCK;
  ::flock(fd, LOCK_UN);
  return false;
}

}  // namespace paperclip::os
