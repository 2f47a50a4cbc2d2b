#pragma once

#include <cstdint>
#include <string>

#include "runner/system.h"

namespace paperclip::runner {

/// How a run ended: exit.json and the `exited` frame.
struct ExitReport {
  std::string run_id;          // empty if the command never arrived
  int exit_code = -1;          // -1: no exit code
  int signal = 0;              // 0: not killed by a signal
  bool timed_out = false;
  bool cancelled = false;
  std::string lost_reason;     // a word; empty unless the outcome is not the agent's own: runner_lost, runner_stopped, no_command
  std::string lost_detail;     // for people
  std::string start_error;     // why the agent could not be started; empty if it was
  std::string boundary;        // what held the tree together: pid_namespace, user_namespace, subreaper
  int processes_left = 0;      // after the sweep
  std::uint64_t output_bytes = 0;    // length of output.log
  std::uint64_t dropped_bytes = 0;   // of the agent's output, because the disk took no more
  std::int64_t started_ms = 0;       // since 1970; 0 if it never started
  std::int64_t ended_ms = 0;
  std::int64_t user_ms = 0;          // CPU time of the agent and the children it waited for
  std::int64_t system_ms = 0;
  std::int64_t max_rss_kib = 0;
};

std::string to_json(const ExitReport& report);

}  // namespace paperclip::runner
