#include "adapters/adapter.h"

#include "base/text.h"

namespace paperclip::adapters {

Result<PreparedRun> Adapter::prepare(const RunContext&) const {
  return internal_error("The " + std::string(type()) + " adapter runs no command");
}

Result<HttpCall> Adapter::prepare_call(const RunContext&) const {
  return internal_error("The " + std::string(type()) + " adapter makes no request");
}

AdapterResult Adapter::finish_call(const HttpCall&, const HttpOutcome&) const { return {}; }

std::optional<json::object> Adapter::session_params(const json::value& raw) const {
  if (!raw.is_object() || raw.get_object().empty()) return std::nullopt;
  return raw.get_object();
}

std::string Adapter::session_display_id(const json::object& params) const {
  return text_at(json::value(params), "sessionId").value_or("");
}

SkillSnapshot Adapter::skills(const json::object& config, const HostEnvironment&) const { return unsupported_skill_snapshot(type(), config); }

}  // namespace paperclip::adapters
