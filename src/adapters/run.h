#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "adapters/result.h"
#include "base/id.h"
#include "base/json.h"
#include "os/child_environment.h"

/// What goes into a run: everything an adapter may know, and the command it makes of it.
namespace paperclip::adapters {

/// The server's own environment. Only what an allow-list names ever reaches a child.
using HostEnvironment = os::Environment;

struct AgentIdentity {
  AgentId id;
  CompanyId company_id;
  std::string name;
  /// The agent's row as the API shows it; prompt templates may use it.
  json::object row;
};

enum class PlaceKind { local, ssh, sandbox };

/// Where the command will run.
struct ExecutionPlace {
  PlaceKind kind = PlaceKind::local;
  /// The workspace there; empty on this machine.
  std::string cwd;
  /// What is saved as `remoteExecution` with a session and compared before it is resumed (spec/remote-runtimes.md 7).
  json::object identity;
  /// The API is reached through the callback bridge: `api_url` and `auth_token` are the bridge's.
  bool bridged = false;
  /// What people call it, for log lines: `this machine`, `ssh host build-1`.
  std::string label = "this machine";

  bool is_remote() const { return kind != PlaceKind::local; }
};

/// One run as an adapter sees it (spec/adapters.md 1.2). Secrets in `config` are resolved.
struct RunContext {
  RunId run_id;
  AgentIdentity agent;
  std::string adapter_type;
  json::object config;
  /// Names in `config.env` whose values came from secrets; they are masked wherever the environment is shown.
  std::vector<std::string> secret_environment_names;
  json::object context;  // spec/execution.md 3
  Session session;       // empty id and params: nothing to resume
  bool retry_with_fresh_session = false;
  std::string auth_token;  // the run's token; empty when there is none
  std::string api_url;     // without `/api`
  std::filesystem::path agent_home;
  std::filesystem::path instance_root;
  std::filesystem::path server_cwd;
  HostEnvironment host;
  ExecutionPlace place;
};

/// A directory of this machine that must stand in a remote place before the command starts, links followed
/// (spec/remote-runtimes.md 6): at `<remote cwd>/.paperclip-runtime/<adapter key>/<key>`, or below `~/`, the home there.
struct PlaceAsset {
  std::string key;
  std::filesystem::path directory;
  std::string remote_path;
  /// Its files are laid over what is there; otherwise they replace it.
  bool merge = false;
};

/// A command ready to run.
struct PreparedRun {
  std::vector<std::string> argv;
  std::string cwd;
  /// The workspace is made when it is missing; a configured directory of a `process` agent is not.
  bool create_cwd = true;
  /// On this machine everything the child gets; in a remote place what is laid over the place's own environment.
  os::Environment environment;
  /// Without it the child reads /dev/null.
  std::optional<std::string> stdin_text;
  std::chrono::milliseconds timeout{0};  // 0: none
  std::chrono::milliseconds grace{0};    // from SIGTERM to SIGKILL
  /// How long the process may linger after `OutputParser::terminal_result_seen`.
  std::optional<std::chrono::milliseconds> terminal_result_grace;
  /// The payload of the run's `adapter.invoke` event, secrets masked (spec/adapters.md 1.3).
  json::object invocation;
  /// Lines for the run log, to be written before the command starts.
  std::vector<std::string> log_notes;
  std::vector<PlaceAsset> assets;
  std::unique_ptr<OutputParser> parser;
};

/// A request instead of a command (the `http` adapter).
struct HttpCall {
  std::string method;
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::chrono::milliseconds timeout{0};  // 0: none
  json::object invocation;
};

struct HttpOutcome {
  int status = 0;  // 0 when there was no answer
  bool timed_out = false;
  std::string failure;  // why there was no answer
};

}  // namespace paperclip::adapters
