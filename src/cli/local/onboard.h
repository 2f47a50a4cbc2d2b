#pragma once

#include <string>

#include "base/result.h"
#include "cli/local/instance.h"

namespace paperclip::cli {

struct OnboardOptions : InstanceOptions {
  std::string bind;
  bool yes = false, run = false, as_json = false;
};

struct Onboarded {
  server::Config config;  // as the server will see it now
  bool wrote_configuration = false, made_token_secret = false, made_master_key = false;
};

/// Makes what is missing: config.json, the token secret in .env, the master key. A valid configuration stays byte for
/// byte. Fails for an unknown bind, or when a file cannot be written.
Result<Onboarded> onboard(const Surroundings& around, const OnboardOptions& options);
void print_onboarded(std::ostream& out, const Onboarded& done);

}  // namespace paperclip::cli
