#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "adapters/run.h"
#include "base/template.h"

/// Prompt templates: `{{ dotted.path }}`, nothing else (spec/execution.md 9.1).
namespace paperclip::adapters {

using paperclip::render_template;

/// `{agentId, companyId, runId, company:{id}, agent:<row>, run:{id, source}, context}`.
json::value template_data(const RunContext& run);

/// Trims each section, drops the empty ones, joins the rest with a blank line.
std::string join_sections(const std::vector<std::string>& sections);

}  // namespace paperclip::adapters
