#pragma once

#include <string>
#include <vector>

#include "base/json.h"

/// JSON Schema draft 7, for the configurations of plugins and providers (spec/plugins.md 11.1).
namespace paperclip::plugins {

struct SchemaFailure {
  std::string field;    // a JSON pointer; "/" for the whole
  std::string message;  // in the reference's wording where we know it: `must be string`
};

/// Empty if the value fits. A schema that cannot be understood accepts everything.
std::vector<SchemaFailure> validate_schema(const json::object& schema, const json::value& value);

/// Dotted paths of the properties declared `format: secret-ref`; looks into `properties` and the branches of `allOf`,
/// `anyOf`, `oneOf`, not into arrays (spec/plugins.md 11.3).
std::vector<std::string> secret_paths(const json::object& schema);

}  // namespace paperclip::plugins
