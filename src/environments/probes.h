#pragma once

#include <functional>

#include "base/deadline.h"
#include "environments/configs.h"
#include "environments/place.h"

namespace paperclip::environments {

/// The driver that makes places of a kind; null while there is none.
using FindDriver = std::function<Driver*(domain::EnvironmentDriver)>;

/// Asks an environment whether it can be reached (spec/environments.md 6). `config` has its secrets resolved. An answer of
/// `ok: false` is a value; an error means that the question could not be asked.
Result<PlaceProbe> probe_environment(const domain::Environment& environment, const json::object& config, plugins::ProviderRegistry* providers,
                                     const FindDriver& driver, std::string_view environment_id, Deadline deadline);

}  // namespace paperclip::environments
