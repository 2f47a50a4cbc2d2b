#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/run.h"

/// What the command line agents have in common (spec/adapters.md 3).
namespace paperclip::adapters {

/// The directory a run works in (spec/adapters.md 3.1).
struct WorkingDirectory {
  std::string path;
  /// The configured directory won over the agent's home: the workspace variable would mislead.
  bool configured = false;
};
WorkingDirectory working_directory(const RunContext& run);

/// Fails unless it is an absolute path, of a directory or of nothing yet: a run's workspace is made when it is missing.
Result<void> check_run_directory(const std::string& cwd);

/// `timeoutSec` and `graceSec`; fractions of a second count.
std::chrono::milliseconds seconds_setting(const json::object& config, std::string_view key, double fallback);
/// `Timed out after 30s`.
std::string timed_out_message(std::chrono::milliseconds timeout);

/// The agent's instructions file, read afresh for every run.
struct Instructions {
  std::string text;
  std::string path;
  std::string directory;  // what relative references in it are relative to
};
/// nullopt when none is configured or it cannot be read; the latter leaves a warning in `log_notes`.
std::optional<Instructions> read_instructions(const json::object& config, std::string_view key, const std::string& cwd,
                                              std::vector<std::string>& log_notes);
/// The text with a closing paragraph that says where it comes from and how to resolve what it refers to.
std::string instructions_with_origin(const Instructions& instructions);

/// Which session to resume, if any (spec/adapters.md 3.5).
struct ResumeDecision {
  std::string session_id;  // empty: start afresh
  std::string log_note;    // why a saved session is not resumed
};
/// `tool` is the name in the log line, `Claude`. `same` may refuse further, by what else was saved.
ResumeDecision decide_resume(const RunContext& run, std::string_view tool, const std::string& cwd,
                             const std::function<std::string(const json::object& saved)>& refuse = {});

/// Keeps sessionId, cwd, workspaceId, repoUrl, repoRef, remoteExecution and the given further keys, under whichever of
/// their spellings they come; nullopt without a session id.
std::optional<json::object> cli_session_params(const json::value& raw, std::vector<std::string_view> further_keys = {});

/// The params saved with a session after a run in this place.
json::object saved_session_params(const RunContext& run, std::string_view session_id, const std::string& cwd);

/// Two saved identities of remote places name the same live place.
bool same_place(const json::object& a, const json::object& b);

/// `<remote cwd>/.paperclip-runtime/<adapter key>`.
std::string runtime_root(const ExecutionPlace& place, std::string_view adapter_key);

}  // namespace paperclip::adapters
