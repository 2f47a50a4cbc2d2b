#include "api/agent_bodies.h"

namespace paperclip::api {

namespace {

struct ModelProfileBody {
  static constexpr bool strict = true;
  Omit<bool> enabled;
  Omit<std::string> label;
  AdapterConfig adapter_config;
};
BOOST_DESCRIBE_STRUCT(ModelProfileBody, (), (enabled, label, adapter_config))

struct ModelProfilesBody {
  static constexpr bool strict = true;
  Omit<ModelProfileBody> cheap;
};
BOOST_DESCRIBE_STRUCT(ModelProfilesBody, (), (cheap))

}  // namespace

void RuntimeConfig::read(const json::value* value, RuntimeConfig& out, SchemaIssues& issues) {
  if (value == nullptr || !value->is_object()) return issues.invalid_type("object", value);
  out.value = value->get_object();
  if (const auto* profiles = out.value.if_contains("modelProfiles")) {
    SchemaIssues::Step step(issues, "modelProfiles");
    ModelProfilesBody checked;
    read_json(profiles, checked, issues);
  }
}

}  // namespace paperclip::api
