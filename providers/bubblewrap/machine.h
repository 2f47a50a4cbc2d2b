#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "paperclip/sdk/environment.h"

/// What this machine is and allows.
namespace paperclip::providers {

struct Machine {
  std::string bwrap;          // the program; empty if there is none
  std::string bwrap_version;  // "0.8.0"
  bool can_disable_nested_namespaces = false;  // bwrap --disable-userns
  bool is_root = false;
  bool is_container = false;
  /// As root: the first of `sandbox_users` user numbers that belong to nobody, one for each sandbox. None where such
  /// numbers do not exist, as in containers with few.
  std::optional<uid_t> first_sandbox_user;
  static constexpr uid_t sandbox_users = 1u << 24;

  /// Looks once; the program does not change meanwhile.
  static const Machine& look();
};

/// Why sandboxes cannot be made here, in words for people; empty if nothing is known to be in the way.
std::string obstacle(const Machine& machine);

/// What holds here and what does not.
std::vector<sdk::Diagnostic> describe(const Machine& machine);

}  // namespace paperclip::providers
