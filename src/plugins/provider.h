#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "base/id.h"
#include "base/json.h"
#include "base/result.h"

/// Sandbox providers as the rest of the server sees them: what a plugin declares as an environment driver, with its
/// worker behind it (spec/plugins.md 22, spec/environments.md). Calls block until the worker answered or the deadline
/// passed. Wire names and the optional capabilities: README.md of this folder.
namespace paperclip::plugins {

/// What a worker offered beyond the contract of published plugins (OURS, negotiated at `initialize`). A provider
/// without any of them works through one-shot `execute`.
struct ProviderCapabilities {
  bool stream = false;     // output arrives while the command runs
  bool input = false;      // stdin can be written while the command runs
  bool cancel = false;     // a running command can be ended
  bool files = false;      // put_file, get_file
  bool inventory = false;  // list_leases
};

/// Where a call belongs. `config` is what the worker gets: without `provider`, secret references resolved. It may hold
/// secrets: never log it, never store it.
struct ProviderContext {
  CompanyId company_id;
  std::string environment_id;  // "unsaved" for a probe of a draft
  json::object config;
};

struct ConfigCheck {
  bool ok = false;
  std::vector<std::string> warnings, errors;
  std::optional<json::object> normalised;  // store this instead of what was sent
};

struct ProbeResult {
  bool ok = false;
  std::optional<std::string> summary;
  json::array diagnostics;  // {severity, message, code?, details?}, as the worker sent them
  json::object metadata;
};

/// A sandbox as its provider knows it. `metadata` may hold values that a secret gave: strip by schema before storing.
struct ProviderLease {
  std::optional<std::string> provider_lease_id;  // none or empty after a resume: it is gone
  json::object metadata;
  std::optional<std::string> expires_at;         // ISO time as the provider said it
};

struct AcquireRequest {
  RunId run_id;
  std::optional<std::string> workspace_mode;  // execution workspace mode, e.g. shared_workspace
};

/// Absent members are not sent.
struct WorkspaceRequest {
  std::optional<std::string> local_path, remote_path, mode;
  std::optional<json::object> metadata;
};
struct WorkspacePlace {
  std::string cwd;
  json::object metadata;
};

struct ExecuteRequest {
  std::string command;
  std::vector<std::string> args;
  std::optional<std::string> cwd;
  std::map<std::string, std::string> env;  // may hold secrets
  std::optional<std::string> stdin_text;   // all of stdin, known beforehand
  /// How long the command may run; zero: the config's `timeoutMs`, else 30 s (spec/plugins.md 22.1). The call itself
  /// waits 30 s longer. Hours are fine.
  std::chrono::milliseconds timeout{0};
  bool open_input = false;  // stdin stays open for `write_input`; only with `capabilities().input`
};

struct ExecuteResult {
  std::optional<int> exit_code;
  std::optional<std::string> signal;
  bool timed_out = false;
  std::string stdout_text, stderr_text;  // empty for what was streamed
  json::object metadata;
};

enum class OutputStream { stdout_stream, stderr_stream };
/// Called on a thread of the host, in order per execution; must not block for long.
using OnOutput = std::function<void(OutputStream, std::string_view bytes)>;

/// A command that runs in a sandbox. Dropping it before `wait` returned cancels it where the provider can.
class Execution {
 public:
  virtual ~Execution() = default;
  /// Blocks until the command's end, the deadline (a `timeout` error; the command may still run: `cancel`), or the
  /// worker's (an `unavailable` error).
  virtual Result<ExecuteResult> wait(Deadline deadline) = 0;
  /// Blocks until the worker took the bytes. `unprocessable` without `capabilities().input`.
  virtual Result<> write_input(std::string_view bytes, Deadline deadline) = 0;
  virtual Result<> end_input(Deadline deadline) = 0;
  /// Sends `signal` (SIGTERM, SIGKILL) to the command's tree; `unprocessable` without `capabilities().cancel`.
  virtual Result<> cancel(std::string_view signal, Deadline deadline) = 0;
};

/// A sandbox that exists at the provider, from its own list.
struct InventoryItem {
  std::string provider_lease_id;
  json::object metadata;
  std::optional<std::string> created_at;
};

/// One environment driver of one plugin. Errors: `unavailable` when the worker is down or went away meanwhile,
/// `timeout` after the deadline, else `bad_gateway` with the worker's own message.
class SandboxProvider {
 public:
  virtual ~SandboxProvider() = default;

  virtual std::string key() const = 0;  // driverKey
  virtual PluginId plugin_id() const = 0;
  virtual std::string plugin_key() const = 0;
  virtual bool is_sandbox_provider() const = 0;  // else `kind: environment_driver`
  virtual std::string display_name() const = 0;
  virtual std::optional<std::string> description() const = 0;
  virtual json::object config_schema() const = 0;
  /// Of the worker that runs now; all false while none does.
  virtual ProviderCapabilities capabilities() const = 0;
  /// Whether a call made now would find a worker.
  virtual bool running() const = 0;

  virtual Result<ConfigCheck> validate_config(const json::object& config, Deadline deadline) = 0;
  virtual Result<ProbeResult> probe(const ProviderContext& context, Deadline deadline) = 0;
  virtual Result<ProviderLease> acquire_lease(const ProviderContext& context, const AcquireRequest& request, Deadline deadline) = 0;
  virtual Result<ProviderLease> resume_lease(const ProviderContext& context, const std::string& provider_lease_id,
                                             const json::object& lease_metadata, Deadline deadline) = 0;
  virtual Result<> release_lease(const ProviderContext& context, const std::optional<std::string>& provider_lease_id,
                                 const json::object& lease_metadata, Deadline deadline) = 0;
  virtual Result<> destroy_lease(const ProviderContext& context, const std::optional<std::string>& provider_lease_id,
                                 const json::object& lease_metadata, Deadline deadline) = 0;
  virtual Result<WorkspacePlace> realize_workspace(const ProviderContext& context, const ProviderLease& lease,
                                                   const WorkspaceRequest& workspace, Deadline deadline) = 0;

  /// Starts a command; `on_output` (may be empty) is called only with `capabilities().stream`, otherwise everything is
  /// in the result.
  virtual Result<std::unique_ptr<Execution>> start(const ProviderContext& context, const ProviderLease& lease,
                                                   const ExecuteRequest& request, OnOutput on_output) = 0;
  /// The one-shot path: starts and waits.
  Result<ExecuteResult> execute(const ProviderContext& context, const ProviderLease& lease, const ExecuteRequest& request,
                                Deadline deadline) {
    auto execution = start(context, lease, request, {});
    if (!execution) return std::move(execution).error();
    return (*execution)->wait(deadline);
  }

  /// Writes a file in the sandbox, making its parents; `mode` as chmod. `unprocessable` without `capabilities().files`.
  virtual Result<> put_file(const ProviderContext& context, const ProviderLease& lease, const std::string& path,
                            std::string_view bytes, unsigned mode, Deadline deadline) = 0;
  virtual Result<std::string> get_file(const ProviderContext& context, const ProviderLease& lease, const std::string& path,
                                       std::size_t max_bytes, Deadline deadline) = 0;
  /// Everything this provider holds for that environment's account. `unprocessable` without `capabilities().inventory`.
  virtual Result<std::vector<InventoryItem>> list_leases(const ProviderContext& context, Deadline deadline) = 0;
};

/// Finds providers. What it hands out stays usable while held; its calls fail with `unavailable` once its plugin went.
class ProviderRegistry {
 public:
  virtual ~ProviderRegistry() = default;

  /// The sandbox provider of that key on a ready plugin with a running worker (first by install order); null if none.
  virtual std::shared_ptr<SandboxProvider> find(std::string_view key) = 0;
  /// The driver of that plugin, whatever its kind; null unless the plugin is ready. For leases, which name their plugin.
  virtual std::shared_ptr<SandboxProvider> find(const PluginId& plugin, std::string_view key) = 0;
  /// The same by plugin key, for `driver: "plugin"`. Errors are the texts of spec/plugins.md 22.3 (422).
  virtual Result<std::shared_ptr<SandboxProvider>> find_driver(std::string_view plugin_key, std::string_view driver_key) = 0;
  /// All sandbox providers of ready plugins with running workers, by install order.
  virtual std::vector<std::shared_ptr<SandboxProvider>> list() = 0;
  /// Waits for the provider's worker (spec/plugins.md 22.2: acquire waits at most 5 s by default). Errors (422) say why
  /// there is none: not ready, worker not running, or nobody declares it.
  virtual Result<std::shared_ptr<SandboxProvider>> wait_ready(std::string_view key, Deadline deadline) = 0;
};

}  // namespace paperclip::plugins
