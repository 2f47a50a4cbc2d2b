#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "domain/access/actor.h"
#include "plugins/active_plugin.h"
#include "plugins/rpc.h"

namespace paperclip::plugins {

class PluginHost;

/// A worker's request on its way through its handler.
struct HostCall {
  PluginHost& host;
  ActivePlugin& plugin;
  const json::value& params;

  std::optional<std::string> text(std::string_view key) const { return text_at(params, key); }
  /// `companyId is required for this operation` when it is missing.
  Result<CompanyId> company() const;
  Result<std::string> needed(std::string_view key) const;
  /// The plugin, acting for whom `source` (the params, or the patch in it) names.
  domain::Actor actor(const json::value& source) const;
  Result<json::value> api(std::string_view method, const std::string& target, const std::optional<json::value>& body = std::nullopt) const;
  Result<json::value> api_as(const domain::Actor& actor, std::string_view method, const std::string& target, const std::optional<json::value>& body = std::nullopt) const;
};

/// What a worker may ask of the host (spec/plugins.md 9): one table of methods with the capability that each needs.
class HostMethods {
 public:
  explicit HostMethods(PluginHost& host);
  /// Checks the capability, then answers. Never throws for what a worker can do.
  RpcAnswer answer(ActivePlugin& plugin, const std::string& method, const json::value& params);

  using Handler = Result<json::value> (*)(const HostCall&);
  struct Method {
    const char* capability;  // nullptr: none needed
    Handler handler;
  };
  using Table = std::map<std::string, Method, std::less<>>;
  const Table& table() const { return table_; }

 private:
  PluginHost& host_;
  Table table_;
};

// One function per file of methods.
void add_own_methods(HostMethods::Table& table);     // config, state, entities, events, log, activity, metrics
void add_outside_methods(HostMethods::Table& table); // http, secrets
void add_read_methods(HostMethods::Table& table);    // companies, projects, issues, agents, goals
void add_write_methods(HostMethods::Table& table);
void add_issue_model_methods(HostMethods::Table& table);

}  // namespace paperclip::plugins
