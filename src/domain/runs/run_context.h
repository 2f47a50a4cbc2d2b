#pragma once

#include <optional>
#include <string_view>

#include "base/json.h"

namespace paperclip::domain {

/// What a follow-up run takes over of a context: all but what is built anew for every run (spec/execution.md 3).
json::object base_context(const json::object& context);

/// The context in a row, an empty one if there is none.
json::object context_of(const RawJson& snapshot);
json::object context_of(const std::optional<RawJson>& snapshot);

}  // namespace paperclip::domain
