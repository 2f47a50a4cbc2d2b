#pragma once

#include <string_view>

#include "base/json.h"
#include "base/result.h"

namespace paperclip::domain {

/// What the rules about agents need to know of their adapters; the adapters live in a higher room and come in here.
class AdapterRules {
 public:
  virtual ~AdapterRules() = default;
  /// 422 `Adapter type is required` / `Unknown adapter type: X`.
  virtual Result<> require(std::string_view type) const = 0;
  /// The configuration with the adapter's defaults where it says nothing.
  virtual json::object with_defaults(std::string_view type, json::object config) const = 0;
  /// May run over SSH and in sandboxes.
  virtual bool runs_remotely(std::string_view type) const = 0;
  virtual bool supports_instructions_bundle(std::string_view type) const = 0;
};

}  // namespace paperclip::domain
