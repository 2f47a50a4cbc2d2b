#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "paperclip/sdk/execution.h"
#include "paperclip/sdk/json.h"

/// Environment drivers and sandbox providers (spec/plugins.md 22, spec/environments.md 11), and what the host offers them
/// beyond the published contract (src/plugins/README.md).
namespace paperclip::sdk {

/// Where a call belongs. `config` has its secrets resolved: never log or keep it.
struct EnvironmentCall {
  std::string driver_key;
  std::string company_id;
  std::string environment_id;  // "unsaved" for the probe of a draft
  json::object config;
};

struct ConfigCheck {
  std::vector<std::string> errors, warnings;
  std::optional<json::object> normalised;  // stored instead of what was sent
};

enum class Severity { info, warning, error };
struct Diagnostic {
  Severity severity = Severity::info;
  std::string message;
  std::string code;  // may be empty
};
struct ProbeResult {
  bool ok = false;
  std::string summary;
  std::vector<Diagnostic> diagnostics;
  json::object metadata;
};

struct Lease {
  std::optional<std::string> id;  // none after a resume: it is gone
  json::object metadata;          // kept with the lease: no secrets
  std::optional<std::string> expires_at;
};
struct AcquireRequest {
  std::string run_id;
  std::optional<std::string> workspace_mode;
};
struct WorkspaceRequest {
  std::optional<std::string> local_path, remote_path, mode;
  json::object metadata;
};
struct WorkspacePlace {
  std::string cwd;
  json::object metadata;
};

struct ExecuteRequest {
  std::string command;
  std::vector<std::string> args;
  std::optional<std::string> cwd;
  std::map<std::string, std::string> env;
  std::optional<std::string> stdin_text;  // none: stdin is empty, unless the host writes it while the command runs
  std::optional<std::chrono::milliseconds> timeout;
};
struct ExecuteResult {
  std::optional<int> exit_code;
  std::optional<std::string> signal;
  bool timed_out = false;
  std::string stdout_text, stderr_text;  // empty for what was streamed
  json::object metadata;
};

struct PutFileRequest {
  std::string path;
  unsigned mode = 0644;
  std::uint64_t offset = 0;  // 0 begins a new file
  std::string bytes;
  bool end = false;          // puts the file in place
};
struct FilePiece {
  std::string bytes;
  bool end = false;
};
struct LeaseItem {
  std::string id;
  json::object metadata;
  std::optional<std::string> created_at;
};

/// What a driver can beyond the published contract; negotiated with the host.
struct EnvironmentExtensions {
  bool stream = false;     // execute passes output on through Execution::output while the command runs
  bool input = false;      // execute takes Execution::take_input
  bool cancel = false;     // execute takes Execution::take_signals
  bool files = false;      // put_file and get_file
  bool inventory = false;  // list_leases
};

/// One driver of this plugin. Calls come on several threads at once. An Error that is thrown becomes the answer.
class EnvironmentDriver {
 public:
  virtual ~EnvironmentDriver() = default;
  virtual EnvironmentExtensions extensions() const { return {}; }

  virtual ConfigCheck validate_config(const json::object& config) = 0;
  virtual ProbeResult probe(const EnvironmentCall& call) = 0;
  virtual Lease acquire_lease(const EnvironmentCall& call, const AcquireRequest& request) = 0;
  virtual Lease resume_lease(const EnvironmentCall& call, const std::string& lease_id, const json::object& metadata) = 0;
  /// Both must be idempotent: the host asks again when it is not sure.
  virtual void release_lease(const EnvironmentCall& call, const std::optional<std::string>& lease_id, const json::object& metadata) = 0;
  virtual void destroy_lease(const EnvironmentCall& call, const std::optional<std::string>& lease_id, const json::object& metadata) = 0;
  virtual WorkspacePlace realize_workspace(const EnvironmentCall& call, const Lease& lease, const WorkspaceRequest& request) = 0;
  /// Runs the command to its end; `execution` is where output goes and where stdin and signals come from.
  virtual ExecuteResult execute(const EnvironmentCall& call, const Lease& lease, const ExecuteRequest& request,
                                Execution& execution) = 0;

  virtual void put_file(const EnvironmentCall&, const Lease&, const PutFileRequest&) { throw missing("environmentPutFile"); }
  virtual FilePiece get_file(const EnvironmentCall&, const Lease&, const std::string&, std::uint64_t, std::size_t) {
    throw missing("environmentGetFile");
  }
  virtual std::vector<LeaseItem> list_leases(const EnvironmentCall&) { throw missing("environmentListLeases"); }

  static Error missing(const std::string& method) {
    return Error(method + " is not implemented by this plugin", ErrorCode::not_implemented);
  }
};

/// Between the wire and the structs above.
namespace wire {

inline EnvironmentCall to_call(const json::object& params) {
  return {text_at(params, "driverKey").value_or(""), text_at(params, "companyId").value_or(""),
          text_at(params, "environmentId").value_or(""), object_at(params, "config")};
}
inline Lease to_lease(const json::object& lease) {
  return {text_at(lease, "providerLeaseId"), object_at(lease, "metadata"), text_at(lease, "expiresAt")};
}
inline json::object from_lease(const Lease& lease) {
  json::object object{{"providerLeaseId", nullptr}, {"metadata", lease.metadata}};
  if (lease.id) object["providerLeaseId"] = *lease.id;
  if (lease.expires_at) object["expiresAt"] = *lease.expires_at;
  return object;
}
inline json::object from_check(const ConfigCheck& check) {
  json::object object{{"ok", check.errors.empty()}};
  if (!check.warnings.empty()) object["warnings"] = to_array(check.warnings);
  if (!check.errors.empty()) object["errors"] = to_array(check.errors);
  if (check.normalised && check.errors.empty()) object["normalizedConfig"] = *check.normalised;
  return object;
}
inline json::object from_probe(const ProbeResult& probe) {
  json::object object{{"ok", probe.ok}, {"summary", probe.summary}};
  json::array diagnostics;
  for (const Diagnostic& each : probe.diagnostics) {
    json::object diagnostic{{"severity", each.severity == Severity::info ? "info" : each.severity == Severity::warning ? "warning" : "error"},
                            {"message", each.message}};
    if (!each.code.empty()) diagnostic["code"] = each.code;
    diagnostics.push_back(std::move(diagnostic));
  }
  if (!diagnostics.empty()) object["diagnostics"] = std::move(diagnostics);
  object["metadata"] = probe.metadata;
  return object;
}
inline ExecuteRequest to_execute(const json::object& params) {
  ExecuteRequest request{required_text(params, "command"), texts_at(params, "args"),         text_at(params, "cwd"),
                         text_map_at(params, "env"),       text_at(params, "stdin"), std::nullopt};
  if (const auto timeout = integer_at(params, "timeoutMs")) request.timeout = std::chrono::milliseconds(*timeout);
  return request;
}
inline json::object from_execute(const ExecuteResult& result) {
  json::object object{{"exitCode", nullptr}, {"timedOut", result.timed_out}, {"stdout", result.stdout_text}, {"stderr", result.stderr_text}};
  if (result.exit_code) object["exitCode"] = *result.exit_code;
  if (result.signal) object["signal"] = *result.signal;
  if (!result.metadata.empty()) object["metadata"] = result.metadata;
  return object;
}
inline WorkspaceRequest to_workspace(const json::object& workspace) {
  return {text_at(workspace, "localPath"), text_at(workspace, "remotePath"), text_at(workspace, "mode"), object_at(workspace, "metadata")};
}

}  // namespace wire

/// Answers the environment methods of all drivers.
class EnvironmentMethods {
 public:
  explicit EnvironmentMethods(Connection& connection) : connection_(connection) {}

  void add(std::string key, std::shared_ptr<EnvironmentDriver> driver) { drivers_.emplace(std::move(key), std::move(driver)); }
  bool empty() const { return drivers_.empty(); }

  /// Of what the host offers, what a driver here can.
  std::vector<std::string> wanted(const std::vector<std::string>& offered) const {
    EnvironmentExtensions any;
    for (const auto& [key, driver] : drivers_) {
      const EnvironmentExtensions can = driver->extensions();
      any = {any.stream || can.stream, any.input || can.input, any.cancel || can.cancel, any.files || can.files, any.inventory || can.inventory};
    }
    std::vector<std::string> names;
    for (const std::string& name : offered)
      if ((name == "environment.stream" && any.stream) || (name == "environment.stdin" && any.input) ||
          (name == "environment.cancel" && any.cancel) || (name == "environment.files" && any.files) ||
          (name == "environment.inventory" && any.inventory))
        names.push_back(name);
    return names;
  }

  /// What has to happen in the order of arrival; called by the reading thread. The returned work does the rest.
  std::function<json::value()> prepare(std::string method, json::object params) {
    if (method == "environmentExecute") {
      auto execution = executions_.begin(connection_, params);
      return [this, execution, params = std::move(params)] { return execute(params, execution); };
    }
    if (method == "environmentWriteStdin") {
      auto execution = executions_.find(required_text(params, "executionId"));
      if (!execution) return [] { return json::value(); };
      return [execution, turn = execution->next_turn(), params = std::move(params)] {
        const auto bytes = from_base64(text_at(params, "data").value_or(""));
        execution->write_input(turn, bytes.value_or(""), is_true(params, "end"));
        if (!bytes) throw Error("data is not base64");
        return json::value();
      };
    }
    if (method == "environmentCancelExecute") {
      const bool kill = text_at(params, "signal").value_or("SIGTERM") == "SIGKILL";
      if (auto execution = executions_.find(required_text(params, "executionId"))) execution->send_signal(kill ? SIGKILL : SIGTERM);
      return [] { return json::value(); };
    }
    return [this, method = std::move(method), params = std::move(params)] { return answer(method, params); };
  }
  /// Ends what runs.
  void kill_all() { executions_.signal_all(SIGKILL); }

 private:
  EnvironmentDriver& driver_of(const json::object& params) const {
    const std::string key = text_at(params, "driverKey").value_or("");
    const auto found = drivers_.find(key);
    if (found == drivers_.end()) throw Error("This plugin has no environment driver \"" + key + "\"");
    return *found->second;
  }

  json::value execute(const json::object& params, const std::shared_ptr<Execution>& execution) {
    struct End {
      Executions& executions;
      const std::shared_ptr<Execution>& execution;
      ~End() { executions.end(execution); }
    } end{executions_, execution};
    ExecuteResult result = driver_of(params).execute(wire::to_call(params), wire::to_lease(object_at(params, "lease")),
                                                     wire::to_execute(params), *execution);
    result.stdout_text += execution->take_stdout();
    result.stderr_text += execution->take_stderr();
    return wire::from_execute(result);
  }

  json::value answer(const std::string& method, const json::object& params) {
    EnvironmentDriver& driver = driver_of(params);
    const EnvironmentCall call = wire::to_call(params);
    if (method == "environmentValidateConfig") return wire::from_check(driver.validate_config(call.config));
    if (method == "environmentProbe") return wire::from_probe(driver.probe(call));
    if (method == "environmentAcquireLease")
      return wire::from_lease(driver.acquire_lease(call, {text_at(params, "runId").value_or(""), text_at(params, "workspaceMode")}));
    if (method == "environmentResumeLease")
      return wire::from_lease(driver.resume_lease(call, text_at(params, "providerLeaseId").value_or(""), object_at(params, "leaseMetadata")));
    if (method == "environmentReleaseLease") {
      driver.release_lease(call, text_at(params, "providerLeaseId"), object_at(params, "leaseMetadata"));
      return nullptr;
    }
    if (method == "environmentDestroyLease") {
      driver.destroy_lease(call, text_at(params, "providerLeaseId"), object_at(params, "leaseMetadata"));
      return nullptr;
    }
    if (method == "environmentListLeases") {
      json::array leases;
      for (const LeaseItem& item : driver.list_leases(call)) {
        json::object object{{"providerLeaseId", item.id}, {"metadata", item.metadata}};
        if (item.created_at) object["createdAt"] = *item.created_at;
        leases.push_back(std::move(object));
      }
      return json::object{{"leases", std::move(leases)}};
    }
    const Lease lease = wire::to_lease(object_at(params, "lease"));
    if (method == "environmentRealizeWorkspace") {
      const WorkspacePlace place = driver.realize_workspace(call, lease, wire::to_workspace(object_at(params, "workspace")));
      json::object object{{"cwd", place.cwd}};
      if (!place.metadata.empty()) object["metadata"] = place.metadata;
      return object;
    }
    if (method == "environmentPutFile") {
      auto bytes = from_base64(text_at(params, "data").value_or(""));
      if (!bytes) throw Error("data is not base64");
      driver.put_file(call, lease,
                      {required_text(params, "path"), static_cast<unsigned>(integer_at(params, "mode").value_or(0644)),
                       static_cast<std::uint64_t>(std::max<std::int64_t>(0, integer_at(params, "offset").value_or(0))),
                       std::move(*bytes), is_true(params, "end")});
      return nullptr;
    }
    if (method == "environmentGetFile") {
      constexpr std::int64_t most = 1024 * 1024;
      const FilePiece piece = driver.get_file(
          call, lease, required_text(params, "path"),
          static_cast<std::uint64_t>(std::max<std::int64_t>(0, integer_at(params, "offset").value_or(0))),
          static_cast<std::size_t>(std::clamp<std::int64_t>(integer_at(params, "length").value_or(most), 0, most)));
      return json::object{{"data", to_base64(piece.bytes)}, {"end", piece.end}};
    }
    throw Error("Method not found: " + method, ErrorCode::method_not_found);
  }

  Connection& connection_;
  std::map<std::string, std::shared_ptr<EnvironmentDriver>, std::less<>> drivers_;
  Executions executions_;
};

}  // namespace paperclip::sdk
