#pragma once

#include <string>
#include <string_view>

#include "base/json.h"

namespace paperclip {

/// Replaces every `{{path}}` (letters, digits, `_ . -`, spaces around it) by what the path names in `data`: a string as
/// it is, numbers and booleans as text, objects and arrays as JSON, anything missing or null as nothing. Paths go
/// through objects, not arrays. Text that was put in is not looked at again (spec/execution.md 9.1).
std::string render_template(std::string_view text, const json::value& data);

}  // namespace paperclip
