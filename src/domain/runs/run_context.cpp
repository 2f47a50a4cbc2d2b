#include "domain/runs/run_context.h"

namespace paperclip::domain {

json::object base_context(const json::object& context) {
  json::object out;
  for (const auto& item : context) {
    const std::string_view key = item.key();
    if (key.starts_with("paperclip") || key == "executionWorkspaceId") continue;
    out[key] = item.value();
  }
  return out;
}

json::object context_of(const RawJson& snapshot) {
  auto value = snapshot.parse();
  return value.is_object() ? std::move(value.get_object()) : json::object();
}

json::object context_of(const std::optional<RawJson>& snapshot) { return snapshot ? context_of(*snapshot) : json::object(); }

}  // namespace paperclip::domain
