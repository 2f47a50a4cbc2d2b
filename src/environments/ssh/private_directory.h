#pragma once

#include <filesystem>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"
#include "os/descriptor.h"

namespace paperclip::environments::ssh {

/// Where one connection keeps its control socket and, while it is being made, its identity file: a directory of mode 0700
/// with a short path, because a socket's address ends after 107 bytes. Locked as long as its owner lives; what a
/// killed server left behind is removed by the next.
///
///     /tmp/paperclip-ssh-<uid>/<8 letters>/
///       m            control socket of the OpenSSH client
///       identity     0600, only while a connection is being made
///       known_hosts  the pinned keys
class PrivateDirectory {
 public:
  static Result<PrivateDirectory> create();
  PrivateDirectory(PrivateDirectory&&) noexcept = default;
  ~PrivateDirectory();

  std::filesystem::path control_socket() const { return path_ / "m"; }
  std::filesystem::path identity() const { return path_ / "identity"; }
  std::filesystem::path known_hosts() const { return path_ / "known_hosts"; }
  Result<void> write_identity(const SecretText& key) const;
  void remove_identity() const;

  /// Removes the directories of servers that are gone, and tells their connections to end.
  static void sweep_left();

 private:
  PrivateDirectory(std::filesystem::path path, os::Descriptor lock) : path_(std::move(path)), lock_(std::move(lock)) {}
  std::filesystem::path path_;
  os::Descriptor lock_;
};

}  // namespace paperclip::environments::ssh
