#pragma once

#include <string>
#include <vector>

#include "cli/surroundings.h"

/// What `paperclip doctor` looks at (spec/cli.md 2.3).
namespace paperclip::cli {

enum class Health { ok, warn, fail };

struct Check {
  std::string name;
  Health health = Health::ok;
  std::string message;
  std::string advice;  // what to do; empty when there is nothing to do
};

/// Runs them in order. The first failure of the configuration ends it, since nothing below would say anything; the rest
/// are independent. With `repair`, what can be made is made: directories, the token secret, the master key.
std::vector<Check> run_checks(const Surroundings& around, bool repair);

/// The program that starts agents: PAPERCLIP_RUNNER, else `paperclip-runner` beside this one; empty if there is none.
std::string find_runner(const Surroundings& around);

}  // namespace paperclip::cli
