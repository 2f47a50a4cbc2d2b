#include "adapters/template.h"

#include "base/text.h"

namespace paperclip::adapters {

json::value template_data(const RunContext& run) {
  return {{"agentId", run.agent.id.view()}, {"companyId", run.agent.company_id.view()},
          {"runId", run.run_id.view()},     {"company", {{"id", run.agent.company_id.view()}}},
          {"agent", run.agent.row},         {"run", {{"id", run.run_id.view()}, {"source", "on_demand"}}},
          {"context", run.context}};
}

std::string join_sections(const std::vector<std::string>& sections) {
  std::string out;
  for (const auto& section : sections) {
    const auto trimmed = trim(section);
    if (trimmed.empty()) continue;
    if (!out.empty()) out += "\n\n";
    out += trimmed;
  }
  return out;
}

}  // namespace paperclip::adapters
