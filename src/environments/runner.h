#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/id.h"
#include "base/result.h"
#include "base/time.h"
#include "environments/frame_handler.h"
#include "runner/start_message.h"

namespace paperclip::environments {

/// What an agent may use; a zero means: as the machine has it.
using Limits = runner::ProcessLimits;

/// What a run starts.
struct RunCommand {
  std::vector<std::string> argv;  // argv[0] is searched in `env`'s PATH unless it holds a slash; no shell
  std::string cwd;                // absolute
  std::vector<std::pair<std::string, std::string>> env;  // all there is; never written to disk
  std::string stdin_text;                                // empty: /dev/null
  std::chrono::milliseconds timeout{0};                  // 0: none
  std::chrono::milliseconds grace{20'000};  // between SIGTERM and the end of the whole tree after a timeout
  std::chrono::milliseconds drain{1'000};   // how long a child may keep the pipes open once the agent has exited
  Limits limits;
  /// An encoded runner::CallbackSetup (bridge.h): the runner listens for callbacks and sets PAPERCLIP_API_URL. Holds a
  /// token. Empty: no bridge.
  std::string callbacks;
};

enum class OutputStream { stdout_, stderr_ };

/// One piece of what an agent said, as it was read from its pipe: up to 16 KiB, may end inside a character.
struct OutputChunk {
  OutputStream stream;
  Timestamp time;
  std::uint64_t offset;       // of this piece in output.log
  std::uint64_t next_offset;  // where to go on after it: what `reattach` takes
  std::string_view bytes;
};

/// How a run ended.
struct ExitStatus {
  std::optional<int> exit_code;
  std::string signal;       // "SIGTERM"; empty unless a signal ended the agent
  bool timed_out = false;
  bool cancelled = false;
  /// Empty unless the outcome is not the agent's own: `runner_lost`, `runner_stopped`, `no_command` from the runner;
  /// `machine_restarted`, `nothing_left`, `unreachable` found here.
  std::string lost_reason;
  std::string lost_detail;  // for people
  std::string start_error;  // why the agent could not be started (spec/execution.md 10); empty if it was
  int processes_left = 0;   // of its tree, after the sweep
  std::string boundary;     // what held the tree together: pid_namespace, user_namespace, subreaper
  std::uint64_t output_bytes = 0;   // length of output.log
  std::uint64_t dropped_bytes = 0;  // of the agent's output, because the disk was full to the end
  Timestamp started;                // 0 if it never did
  Timestamp ended;
  std::chrono::milliseconds user_time{0}, system_time{0};
  std::int64_t max_rss_kib = 0;
};

/// Watches one run. Called from the runner's background thread, one call at a time, and must not throw. While a call
/// lasts all runs wait: hand long work on and `pause` until it is done.
class RunObserver {
 public:
  virtual ~RunObserver() = default;
  /// The agent runs. Also called after a reattach to a live run, and again if the connection had to be renewed.
  virtual void on_started(int pid, int process_group, Timestamp started) = 0;
  /// In order, each byte once. The chunk counts as handled when this returns, and its memory is gone then.
  virtual void on_output(const OutputChunk& chunk) = 0;
  /// The last call: all output was given, nothing of the run's tree is left but `processes_left`.
  virtual void on_exit(const ExitStatus& status) = 0;
  /// Who answers the runner's frames of callbacks and bulk; asked once, when the run is started or reattached.
  virtual std::shared_ptr<FrameHandler> frame_handler() { return nullptr; }
};

/// Starts and follows runs in one place. The runs outlive it: destroying it, or killing the process, ends none. All
/// functions may be called from any thread, also from an observer; the destructor not from an observer. Where the place
/// is not this machine, `start` and `forget` wait for it, at most about a minute.
class Runner {
 public:
  virtual ~Runner() = default;

  /// Starts the run. Fails before anything was started with the texts of spec/execution.md 10 when command or working
  /// directory are wrong, and with conflict if the run has a directory already. What goes wrong later is in `on_exit`.
  virtual Result<void> start(RunId run, const RunCommand& command, std::shared_ptr<RunObserver> observer) = 0;

  /// Goes on with a run of an earlier server from `from_offset`, a `next_offset` that was handled, or 0. A live run
  /// continues; one that ended meanwhile gives the rest of its output and its exit; one whose machine was restarted or
  /// of which nothing is left ends as lost. Fails with conflict if the run is attached already.
  virtual Result<void> reattach(RunId run, std::uint64_t from_offset, std::shared_ptr<RunObserver> observer) = 0;

  /// SIGTERM to the agent's group; after the grace whatever is left of its tree is killed. Harmless if it has ended.
  virtual void cancel(RunId run, std::chrono::milliseconds grace) = 0;
  /// The same for an agent that has said its last word and only lingers: not a cancellation in the exit status.
  virtual void finish(RunId run, std::chrono::milliseconds grace) = 0;

  /// No further output of this run is given out, except the rest of a chunk's call, until `resume`. Meanwhile the agent
  /// is held back once its backlog is full.
  virtual void pause(RunId run) = 0;
  virtual void resume(RunId run) = 0;

  /// Removes the directory of a run whose exit was recorded. Fails with conflict while the run is attached or alive.
  virtual Result<void> forget(RunId run) = 0;

  /// All runs that have a directory: after a start of the server, those to reattach to. Empty where the place cannot say.
  virtual std::vector<RunId> known_runs() const { return {}; }
};

}  // namespace paperclip::environments
