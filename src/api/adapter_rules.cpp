#include "api/adapter_rules.h"

#include "adapters/registry.h"
#include "domain/environments/selection.h"

namespace paperclip::api {

namespace {

class RegisteredAdapters final : public domain::AdapterRules {
 public:
  Result<> require(std::string_view type) const override {
    auto adapter = adapters::require_adapter(type);
    if (!adapter) return std::move(adapter).error();
    return {};
  }
  json::object with_defaults(std::string_view type, json::object config) const override {
    const auto* adapter = adapters::find_adapter(type);
    return adapter == nullptr ? config : adapter->with_defaults(std::move(config));
  }
  bool runs_remotely(std::string_view type) const override {
    // What may be chosen is the contract's; what an adapter of ours can really do is asked at the run.
    return domain::is_remote_adapter(type);
  }
  bool supports_instructions_bundle(std::string_view type) const override {
    const auto* adapter = adapters::find_adapter(type);
    return adapter != nullptr && adapter->capabilities().supports_instructions_bundle;
  }
};

}  // namespace

const domain::AdapterRules& adapter_rules() {
  static const RegisteredAdapters rules;
  return rules;
}

}  // namespace paperclip::api
