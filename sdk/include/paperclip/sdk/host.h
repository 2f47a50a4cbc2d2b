#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "paperclip/sdk/connection.h"

namespace paperclip::sdk {

/// Where a value of the plugin's state belongs (spec/plugins.md 12).
struct StateKey {
  std::string key;
  std::string scope_kind = "instance";  // instance company project project_workspace agent issue goal run
  std::optional<std::string> scope_id;
  std::string name_space = "default";
};

/// What the host does for a worker. Each call needs its capability in the manifest, else it throws `capability_denied`.
/// From any thread; calls wait up to 30 s. Methods without a function of their own: `call` (spec/plugins.md 9).
class Host {
 public:
  explicit Host(Connection& connection) : connection_(connection) {}

  json::value call(std::string_view method, json::object params = {}) { return connection_.call(method, std::move(params)); }

  /// The saved configuration; `{}` if there is none.
  json::object config() {
    const json::value value = call("config.get");
    return value.is_object() ? value.get_object() : json::object();
  }
  /// The plaintext of a company secret that the plugin's configuration names by its id.
  std::string secret(std::string_view id) {
    const json::value value = call("secrets.resolve", {{"secretRef", id}});
    return value.is_string() ? std::string(value.get_string()) : std::string();
  }

  json::value state(const StateKey& key) { return call("state.get", to_params(key)); }
  void set_state(const StateKey& key, json::value value) {
    json::object params = to_params(key);
    params["value"] = std::move(value);
    call("state.set", std::move(params));
  }
  void delete_state(const StateKey& key) { call("state.delete", to_params(key)); }

  void emit(std::string_view name, std::string_view company_id, json::value payload) {
    call("events.emit", {{"name", name}, {"companyId", company_id}, {"payload", std::move(payload)}});
  }

  void info(std::string_view message, json::object meta = {}) { log("info", message, std::move(meta)); }
  void warn(std::string_view message, json::object meta = {}) { log("warn", message, std::move(meta)); }
  void error(std::string_view message, json::object meta = {}) { log("error", message, std::move(meta)); }
  void debug(std::string_view message, json::object meta = {}) { log("debug", message, std::move(meta)); }

  /// Live data for the plugin's own UI.
  void open_stream(std::string_view channel, std::string_view company_id) {
    connection_.notify("streams.open", {{"channel", channel}, {"companyId", company_id}});
  }
  void emit_to_stream(std::string_view channel, std::string_view company_id, json::value event) {
    connection_.notify("streams.emit", {{"channel", channel}, {"companyId", company_id}, {"event", std::move(event)}});
  }
  void close_stream(std::string_view channel, std::string_view company_id) {
    connection_.notify("streams.close", {{"channel", channel}, {"companyId", company_id}});
  }

 private:
  void log(std::string_view level, std::string_view message, json::object meta) {
    json::object params{{"level", level}, {"message", message}};
    if (!meta.empty()) params["meta"] = std::move(meta);
    connection_.notify("log", std::move(params));
  }
  static json::object to_params(const StateKey& key) {
    json::object params{{"scopeKind", key.scope_kind}, {"namespace", key.name_space}, {"stateKey", key.key}};
    if (key.scope_id) params["scopeId"] = *key.scope_id;
    return params;
  }

  Connection& connection_;
};

}  // namespace paperclip::sdk
