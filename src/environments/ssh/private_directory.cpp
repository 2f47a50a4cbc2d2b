#include "environments/ssh/private_directory.h"

#include <errno.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/random.h"
#include "environments/ssh/mux.h"
#include "os/files.h"

namespace paperclip::environments::ssh {
namespace {

std::filesystem::path root() { return "/tmp/paperclip-ssh-" + std::to_string(::geteuid()); }

/// In a directory that everybody may write to, somebody else may have been first.
Result<void> make_root() {
  const std::filesystem::path path = root();
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return os::file_error("Cannot make", path, errno);
  struct stat there {};
  if (::lstat(path.c_str(), &there) != 0) return os::file_error("Cannot use", path, errno);
  if (!S_ISDIR(there.st_mode) || there.st_uid != ::geteuid() || (there.st_mode & 077) != 0)
    return forbidden("Cannot keep SSH connections in " + path.string() + ": it is not a directory of mode 0700 of our own");
  return success();
}

os::Descriptor locked(const std::filesystem::path& path) {
  auto directory = os::open_directory(path);
  if (!directory || ::flock(directory->get(), LOCK_EX | LOCK_NB) != 0) return {};
  return std::move(*directory);
}

}  // namespace

Result<PrivateDirectory> PrivateDirectory::create() {
  TRY(make_root());
  for (int attempt = 0; attempt < 8; ++attempt) {
    const std::filesystem::path path = root() / Random::system().hex(4);
    if (::mkdir(path.c_str(), 0700) != 0) continue;
    os::Descriptor lock = locked(path);
    struct stat ours {}, there {};
    // A sweep may have come between the two.
    if (lock && ::fstat(lock.get(), &ours) == 0 && ::lstat(path.c_str(), &there) == 0 && ours.st_ino == there.st_ino)
      return PrivateDirectory(path, std::move(lock));
  }
  return internal_error("Cannot make a directory for an SSH connection in " + root().string() + ": " + ::strerror(errno));
}

PrivateDirectory::~PrivateDirectory() {
  if (lock_) (void)os::remove_tree(path_);
}

Result<void> PrivateDirectory::write_identity(const SecretText& key) const {
  SecretText text(key.expose().ends_with('\n') ? key.expose() : key.expose() + "\n");
  return os::write_file_atomically(identity(), text.expose(), 0600);
}

void PrivateDirectory::remove_identity() const { (void)os::remove_tree(identity()); }

void PrivateDirectory::sweep_left() {
  const auto names = os::list_directory(root());
  if (!names || !make_root()) return;
  for (const std::string& name : *names) {
    const std::filesystem::path path = root() / name;
    const os::Descriptor lock = locked(path);
    if (!lock) continue;
    end_master(path / "m");
    (void)os::remove_tree(path);
  }
}

}  // namespace paperclip::environments::ssh
