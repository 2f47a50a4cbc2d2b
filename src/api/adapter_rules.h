#pragma once

#include "domain/agents/adapter_rules.h"

namespace paperclip::api {

/// The adapters of this server, as the rules about agents see them.
const domain::AdapterRules& adapter_rules();

}  // namespace paperclip::api
