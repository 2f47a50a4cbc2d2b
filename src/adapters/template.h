#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "adapters/run.h"

/// Prompt templates: `{{ dotted.path }}`, nothing else (spec/execution.md 9.1).
namespace paperclip::adapters {

/// Replaces every `{{path}}` (letters, digits, `_ . -`, spaces around it) by what the path names in `data`: a string as
/// it is, numbers and booleans as text, objects and arrays as JSON, anything missing or null as nothing. Paths go
/// through objects, not arrays. Text that was put in is not looked at again.
std::string render_template(std::string_view text, const json::value& data);

/// `{agentId, companyId, runId, company:{id}, agent:<row>, run:{id, source}, context}`.
json::value template_data(const RunContext& run);

/// Trims each section, drops the empty ones, joins the rest with a blank line.
std::string join_sections(const std::vector<std::string>& sections);

}  // namespace paperclip::adapters
