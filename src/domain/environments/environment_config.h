#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "domain/environments/environment.h"

/// What `environments.config` may hold, per driver (spec/environments.md 2): pure functions. What a provider's plugin has
/// to say about its own fields comes on top, in `environments/configs.h`.
namespace paperclip::domain {

/// The provider that is built in. It can be probed, and nothing else.
inline constexpr std::string_view fake_provider = "fake";

enum class ConfigUse {
  stored,   // read back: raw keys have no business there
  submitted  // create, update, probe of a draft: a pasted key may stand in it
};

/// The config in its normal form: trimmed, defaults filled in. 422 with the first issue's message and all issues in
/// `details.issues`.
Result<json::object> parse_config(EnvironmentDriver driver, const json::object& config, ConfigUse use);

/// The provider key of a sandbox config; `fake` when it names none.
std::string provider_of(const json::object& config);

/// True for `^[a-z0-9][a-z0-9._-]*$`.
bool is_driver_key(std::string_view text);

/// The ssh driver's config as a JSON Schema, so that its key is a secret field like any provider's.
const json::object& ssh_config_schema();

}  // namespace paperclip::domain
