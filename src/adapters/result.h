#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/id.h"
#include "base/json.h"
#include "base/time.h"

/// What a run gives back: the exit of its process, what its output meant, and the parser between the two.
namespace paperclip::adapters {

enum class OutputStream { out, err };

/// How the process (or the call) ended, as the runner saw it.
struct Exit {
  std::optional<int> code;  // empty when a signal ended it or it never started
  std::string signal;       // `SIGTERM`; empty when none
  bool timed_out = false;
  /// Set when the process could not be started: the runner's message for people.
  std::string start_failure;
};

/// What the tool remembers from run to run. The params travel through the adapter's codec before they are stored.
struct Session {
  std::string id;
  json::object params;
  std::string display_id;
  std::string task_key;
};

/// Tokens as the tool reported them.
struct Usage {
  std::int64_t input_tokens = 0;
  std::int64_t cached_input_tokens = 0;
  std::int64_t output_tokens = 0;
  /// True when the tool counts over the whole session, so that a run's share is the difference to the run before
  /// (spec/execution.md 13.2). The Claude CLI counts each invocation by itself (measured with 2.1.197).
  bool is_session_total = false;
};

/// How a run is paid for (spec/adapters.md 1.3): api, subscription, metered_api, …; empty when unknown.
struct Billing {
  std::string provider;
  std::string biller;
  std::string model;
  std::string type;
  std::optional<double> cost_usd;
};

/// The meaning of a run's output. The outcome follows from `exit`, `timed_out` and `error_message`: any error message
/// makes the run failed, a missing exit code counts as 0 (spec/execution.md 13).
struct AdapterResult {
  std::optional<int> exit_code;
  std::string signal;
  bool timed_out = false;
  std::string error_message;
  std::string error_code;
  std::string error_family;  // `transient_upstream` or empty
  std::optional<Timestamp> retry_not_before;
  std::optional<Usage> usage;
  Billing billing;
  json::value result = nullptr;  // becomes the run's resultJson; null when there is none
  json::value error_meta = nullptr;
  std::string summary;
  /// Empty: the session before the run stays what it was.
  std::optional<Session> session;
  bool clear_session = false;
  /// The tool did not know the session it was asked to resume. The caller prepares again, once, with
  /// `RunContext::retry_with_fresh_session` set and writes `retry_note` to the log (spec/adapters.md 3.5).
  bool session_unknown = false;
  std::string retry_note;
};

/// Reads one run's output as it comes. Chunks may end anywhere, also inside a character.
class OutputParser {
 public:
  virtual ~OutputParser() = default;
  virtual void feed(OutputStream stream, std::string_view bytes) = 0;
  /// True once the tool has said its last word though its process may linger (spec/execution.md 10).
  virtual bool terminal_result_seen() const { return false; }
  /// Call once, after the last `feed`.
  virtual AdapterResult finish(const Exit& exit, Timestamp now) = 0;
};

}  // namespace paperclip::adapters
