#include <cstdlib>

#include "adapters/registry.h"
#include "api/all_routes.h"
#include "api/services.h"

namespace paperclip::api {

namespace {

const adapters::HostEnvironment& host_environment() {
  static const adapters::HostEnvironment host = [] {
    adapters::HostEnvironment variables;
    for (char** entry = environ; *entry != nullptr; ++entry) {
      const std::string_view text(*entry);
      if (const auto equals = text.find('='); equals != std::string_view::npos) variables.emplace_back(text.substr(0, equals), text.substr(equals + 1));
    }
    return variables;
  }();
  return host;
}

Result<Answer> list_adapters(Call&) {
  std::string body = "[";
  for (const auto* adapter : adapters::all_adapters()) {
    if (body.size() > 1) body += ',';
    JsonObjectWriter(body)
        .field("type", adapter->type())
        .field("label", adapter->type())
        .field("source", "builtin")
        .field("modelsCount", adapter->models(host_environment()).size())
        .field("loaded", true)
        .field("disabled", false)
        .field("capabilities", adapter->capabilities())
        .field("overridePaused", false)
        .end();
  }
  return ok_json(body + "]");
}

Result<Answer> config_schema(Call& call) {
  const auto* adapter = adapters::find_adapter(call.param("type"));
  if (adapter == nullptr) return not_found("Adapter \"" + call.param("type") + "\" is not registered.");
  const auto schema = adapter->config_schema();
  if (!schema) return not_found("Adapter \"" + call.param("type") + "\" does not provide a config schema.");
  return ok(*schema);
}

Result<Answer> models(Call& call) { return ok(TRY(adapters::require_adapter(call.param("type")))->models(host_environment())); }
Result<Answer> model_profiles(Call& call) { return ok(TRY(adapters::require_adapter(call.param("type")))->model_profiles()); }

}  // namespace

void add_adapter_routes(Routes& routes) {
  routes.get("/api/adapters", list_adapters).callers(board);
  routes.get("/api/adapters/{type}/config-schema", config_schema).callers(board);
  routes.get("/api/companies/{companyId}/adapters/{type}/models", models).company();
  routes.get("/api/companies/{companyId}/adapters/{type}/model-profiles", model_profiles).company();
}

}  // namespace paperclip::api
