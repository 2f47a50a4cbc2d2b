#pragma once

#include <string_view>
#include <vector>

#include "adapters/adapter.h"

namespace paperclip::adapters {

/// All kinds of agents this server has, sorted by type. A new kind is a folder here and one line in registry.cpp.
const std::vector<const Adapter*>& all_adapters();
/// nullptr if there is no such kind.
const Adapter* find_adapter(std::string_view type);
/// 422 `Adapter type is required` / `Unknown adapter type: X`: for everything but running (spec/adapters.md 2.1).
Result<const Adapter*> require_adapter(std::string_view type);
/// For running: an unknown kind falls back to `process`.
const Adapter& adapter_for_run(std::string_view type);

/// `/llms/agent-configuration/<type>.txt` and the list for its index, one `- <type>: <path>` line each.
std::string adapter_documentation_index();

}  // namespace paperclip::adapters
