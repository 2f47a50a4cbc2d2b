#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "runner/agent.h"
#include "runner/boundary.h"
#include "runner/client.h"
#include "runner/exit_report.h"
#include "runner/output_log.h"
#include "runner/part.h"

namespace paperclip::runner {

/// What the guardian hands down.
struct Surroundings {
  int directory = -1;     // of the run; its lock is held through this descriptor
  int first_client = -1;  // the server that started us
  int machine_proc = -1;  // /proc of the machine
  Boundary boundary = Boundary::subreaper;
  pid_t guardian = 0;
  std::uint64_t guardian_start = 0;
};

/// The runner of one run, single-threaded: waits for the command, starts the agent, writes down what it says, serves
/// whoever attaches, and in the end leaves exit.json and no process.
///
///     awaiting_start ── start ──> running ── agent exited and its pipes closed, grace over, or stopped ──> closing
///           └────────── no command came, or it cannot be started ────────────────────────────────────────────┘
///
/// In `closing` exit.json is written and clients are given what they have not read yet.
class Supervisor {
 public:
  explicit Supervisor(const Surroundings& surroundings);
  /// Returns the process's exit code: 0 once exit.json is written, or is not ours to write.
  int run();

 private:
  enum class Phase { awaiting_start, running, closing };
  static constexpr std::int64_t never = INT64_MAX;

  /// False, with errno, if the directory cannot be used.
  bool prepare();
  void wait_once();
  std::int64_t next_deadline() const;
  void advance();

  void handle_signals();
  void reap();
  void note_reaped(pid_t pid, int wait_status, const rusage& usage);
  void accept_clients();
  void handle_frame(Client& client, const Frame& frame);
  void receive_start(const Frame& frame);
  void launch();
  /// What the parts add to the command's environment. False: one of them cannot, and the start failed.
  bool prepare_parts(StartMessage& message);
  /// Whoever was stopped is not waited for.
  bool parts_are_ready_to_end();
  void write_run_file(const StartMessage& message);
  void write_pid_file();

  void feed_stdin();
  /// Reads once; closes the pipe at its end.
  void read_output(Descriptor& pipe, RecordStream stream);
  bool may_read_output() const;
  void drain(Descriptor& pipe, RecordStream stream);

  void stop(std::int64_t grace_ms);
  void finish();
  void close_with_report();
  void sync_files();
  void give_up_start();

  Surroundings surroundings_;
  Phase phase_ = Phase::awaiting_start;
  Descriptor signals_;
  Descriptor listener_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<std::unique_ptr<Part>> parts_ = make_parts();
  OutputLog log_;

  std::string start_bytes_;   // the command while it arrives; afterwards the text for stdin
  std::string_view stdin_left_;
  std::int64_t grace_ms_ = 0;
  std::int64_t drain_ms_ = 0;
  std::uint64_t backlog_bytes_ = 0;
  std::uint64_t acknowledged_ = 0;

  std::vector<std::string> added_environment_;
  Agent agent_;
  Started started_;
  bool agent_exited_ = false;
  ExitReport report_;
  std::string report_text_;

  std::int64_t start_by_ = never;   // deadlines, monotonic_ms
  std::int64_t timeout_at_ = never;
  bool draining_ = false;           // the agent has exited, its pipes are still open
  std::int64_t sweep_at_ = never;   // a stop's grace is over, or the pipes stayed open too long
  std::int64_t append_again_at_ = never;
  std::int64_t close_at_ = never;
  bool stopping_ = false;
};

}  // namespace paperclip::runner
