#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "base/secret.h"

namespace paperclip::environments::ssh {

/// An SSH host as an environment names it (spec/environments.md 2.2), the key resolved.
struct Target {
  std::string host;
  int port = 22;
  std::string username;
  std::string workspace_path;  // absolute
  SecretText private_key;      // empty: the agent and the default identities
  std::string known_hosts;     // empty: the user's own files
  bool strict_host_keys = true;
  bool in_place = false;  // OURS: the remote directory is the workspace

  std::string address() const { return username + "@" + host; }
};

/// Reads a resolved config; `unprocessable` with the spec's texts when something is missing or could be mistaken for an
/// option of ssh.
Result<Target> read_target(const json::object& config);

}  // namespace paperclip::environments::ssh
