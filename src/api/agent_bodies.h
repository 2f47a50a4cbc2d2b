#pragma once

#include "base/read_json.h"
#include "domain/agents/agents.h"
#include "domain/agents/configuration.h"

/// Field types that the bodies about agents share (spec/organisation.md 2.6).
namespace paperclip::api {

enum class AgentRole { ceo, cto, cmo, cfo, security, engineer, designer, pm, qa, devops, researcher, general };
BOOST_DESCRIBE_ENUM(AgentRole, ceo, cto, cmo, cfo, security, engineer, designer, pm, qa, devops, researcher, general)

/// One of the 41 icon names.
struct IconName {
  std::string name;
  static void read(const json::value* value, IconName& out, SchemaIssues& issues) {
    if (!detail::read_text(value, out.name, issues)) return;
    if (!domain::is_agent_icon(out.name)) detail::bad_enum(*value, domain::agent_icons(), issues);
  }
};

/// An adapter configuration whose `env`, if any, is a map of environment bindings.
struct AdapterConfig : JsonObject {
  static void read(const json::value* value, AdapterConfig& out, SchemaIssues& issues) {
    if (value == nullptr || !value->is_object()) return issues.invalid_type("object", value);
    out.value = value->get_object();
    if (domain::has_valid_env_shape(out.value)) return;
    SchemaIssues::Step step(issues, "env");
    issues.add("custom", "env must be a map of environment bindings");
  }
};

/// A runtime configuration; of its keys only `modelProfiles` has a schema: `cheap`, strict.
struct RuntimeConfig : JsonObject {
  static void read(const json::value* value, RuntimeConfig& out, SchemaIssues& issues);
};

}  // namespace paperclip::api
