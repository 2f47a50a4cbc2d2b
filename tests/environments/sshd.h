#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"
#include "os/files.h"

namespace paperclip::environments {

/// A real OpenSSH server on loopback with keys and configuration of its own, for one test. Everything is below one
/// temporary directory, HOME of its sessions included. Ends with its sessions when it goes.
class Sshd {
 public:
  /// Throws if sshd cannot be started. `home` is HOME in its sessions; empty: below `directory`.
  explicit Sshd(std::filesystem::path home = {});
  ~Sshd();
  Sshd(const Sshd&) = delete;

  /// Whether this machine has what it takes: sshd and ssh-keygen.
  static bool is_possible();

  int port() const { return port_; }
  const std::filesystem::path& directory() const { return directory_.path(); }
  const std::filesystem::path& home() const { return home_; }
  /// A workspace path of its own for the configuration below.
  std::filesystem::path workspace() const { return directory() / "workspace"; }
  std::string user() const;
  std::string private_key() const;
  /// A line for known_hosts.
  std::string host_key() const;
  /// A resolved config of an `ssh` environment.
  json::object config() const;

  /// SIGKILLs the listening daemon and, if asked, all its sessions.
  void kill(bool with_sessions);
  /// Listens again on the same port.
  void start();
  /// Pids of the daemon's processes that serve connections.
  std::vector<pid_t> sessions() const;
  /// Another host key from now on.
  void change_host_key();

 private:
  os::TemporaryDirectory directory_;
  std::filesystem::path home_;
  int port_ = 0;
  pid_t daemon_ = 0;
};

/// Kills the process and all below it.
void kill_tree(pid_t root, int signal);

}  // namespace paperclip::environments
